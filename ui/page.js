// A click on a citation opens the facts of its answer at that number; a click on "copy" copies the
// answer's words. The markup is ours; what stands in it is only read as text.
(() => {
  const light = (cite) => {
    const turn = cite.closest(".turn");
    const facts = turn && turn.querySelector("details.facts");
    if (!facts) return;
    facts.open = true;
    for (const row of facts.querySelectorAll("li")) {
      const own = row.querySelector(".n").textContent === cite.textContent;
      row.classList.toggle("lit", own);
      if (own) row.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
  };
  const copy = (button) => {
    const answer = button.closest(".turn").querySelector(".answer").cloneNode(true);
    answer.querySelectorAll(".cite").forEach((cite) => { cite.textContent = `[${cite.textContent}]`; });
    const lines = [...answer.querySelectorAll("p, li")].map((part) => part.textContent);
    navigator.clipboard.writeText(lines.join("\n")).then(() => {
      button.classList.add("did");
      setTimeout(() => button.classList.remove("did"), 1200);
    });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button || !button.closest(".turn")) return;
    if (button.classList.contains("cite")) light(button);
    if (button.classList.contains("copy")) copy(button);
  });
})();
