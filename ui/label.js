// On the Label tab, the character before a label gives it; s skips, b goes back. Not while somebody types.
(() => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    if (event.target.closest && event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (!/^[0-9a-z]$/i.test(event.key)) return;
    const found = document.getElementById(`label-key-${event.key.toLowerCase()}`);
    const button = found && (found.closest("button") || found.querySelector("button"));
    if (button && button.offsetParent !== null && !button.disabled) button.click();
  });
})();
