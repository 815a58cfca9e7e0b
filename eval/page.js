"use strict";
const filter = document.querySelector(".filter");
if (filter) {
  const cases = [...document.querySelectorAll("article")];
  const words = filter.querySelector("input");
  const selects = [...filter.querySelectorAll("select")];
  const show = () => {
    const sought = words.value.trim().toLowerCase();
    let shown = 0;
    for (const one of cases) {
      const fits = selects.every((s) => !s.value || one.dataset[s.dataset.field] === s.value);
      one.hidden = !(fits && (!sought || one.textContent.toLowerCase().includes(sought)));
      shown += one.hidden ? 0 : 1;
    }
    filter.querySelector("output").textContent = `${shown} of ${cases.length}`;
  };
  filter.addEventListener("input", show);
  filter.hidden = false;
  show();
}
