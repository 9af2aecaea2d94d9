// Once a page: what Streamlit's own elements leave to be done in the browser.
(() => {
  if (window.judgeIsWatching) return;
  window.judgeIsWatching = true;
  // A wrong address leads to the first page.
  if (!window.judgePages.includes(location.pathname.split("/").pop())) location.replace("./" + location.search);
  // The part behind # stays in the browser: what names a pair there is asked of the server.
  const openNamed = () => {
    const named = location.hash.match(/^#pair=(.+)$/);
    if (!named) return;
    let id = named[1];
    try { id = decodeURIComponent(id); } catch { /* a bare % is meant as it is */ }
    const asked = new URLSearchParams(location.search);
    asked.set("pair", id);
    location.replace(`./?${asked}`);
  };
  window.addEventListener("hashchange", openNamed);
  openNamed();
  // Streamlit's shortcuts are letters and digits; which key has the question mark depends on the keyboard.
  window.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.target.closest?.("input, textarea, [contenteditable=true]")) return;
    document.querySelector(".st-key-help button")?.click();
  });
  // A key that is held down is one press: else it would vote on pair after pair. In a wide table arrows move it.
  window.addEventListener("keydown", (event) => {
    const isIn = (places) => Boolean(event.target.closest?.(places));
    const isHeld = event.repeat && !isIn("input, textarea, [contenteditable=true]");
    const movesTable = event.key.startsWith("Arrow") && isIn(".wide");
    if (isHeld || movesTable) event.stopImmediatePropagation();
  }, true);
})();
