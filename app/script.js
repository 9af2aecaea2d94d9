// Once a page: what Streamlit's own elements leave to be done in the browser.
(() => {
  if (window.judgeIsWatching) return;
  window.judgeIsWatching = true;
  // A wrong address leads to the first page.
  if (!window.judgePages.includes(location.pathname.split("/").pop())) location.replace("./" + location.search);
  // A key that is held down is one press: else it would vote on pair after pair. In a wide table arrows move it.
  window.addEventListener("keydown", (event) => {
    const isIn = (places) => Boolean(event.target.closest?.(places));
    const isHeld = event.repeat && !isIn("input, textarea, [contenteditable=true]");
    const movesTable = event.key.startsWith("Arrow") && isIn(".wide");
    if (isHeld || movesTable) event.stopImmediatePropagation();
  }, true);
})();
