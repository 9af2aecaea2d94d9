// Once a page: what Streamlit's own elements leave to be done in the browser.
(() => {
  if (window.judgeIsWatching) return;
  window.judgeIsWatching = true;
  // A wrong address leads to the first page.
  if (!window.judgePages.includes(location.pathname.split("/").pop())) location.replace("./" + location.search);
  const typed = "textarea, [contenteditable=true], input:not([type=checkbox], [type=radio], [role=combobox])";
  const leave = (field) => {
    if (!field.closest("[aria-expanded=true], [role=dialog], [role=listbox]")) field.blur();
  };
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
  // A key that is held down is one press: else it would vote on pair after pair. In a wide table arrows move it.
  window.addEventListener("keydown", (event) => {
    const isIn = (places) => Boolean(event.target.closest?.(places));
    const isInField = isIn("input, textarea, [contenteditable=true]");
    const isHeld = event.repeat && !isInField;
    const movesTable = event.key.startsWith("Arrow") && isIn(".wide");
    if (isHeld || movesTable) event.stopImmediatePropagation();
    // Streamlit's shortcuts are letters and digits; which key has the question mark depends on the keyboard.
    if (event.key === "?" && !isInField) document.querySelector(".st-key-help button")?.click();
    // Enter and Esc leave the note and a list of choices, so that the keys after them are votes.
    const isLast = ["Enter", "Escape"].includes(event.key);
    if (isLast && isIn("[class*=st-key-note_], [role=combobox]")) setTimeout(leave, 100, event.target);
  }, true);
  // After a click on a switch, a choice or a button keys are votes: only where words are typed are they text.
  window.addEventListener("click", (event) => {
    if (!event.detail) return; // it was made by a key, which leaves the focus where it is
    setTimeout(() => {
      const now = document.activeElement;
      if (now && !now.matches(typed)) leave(now);
    }, 100);
  }, true);
  // The next pair starts at its top; what the judge says of this one comes into view when it is asked for.
  let visit = "";
  let isTold = false;
  new MutationObserver(() => {
    const now = document.querySelector(".cards")?.dataset.visit;
    const told = document.querySelector(".said.asked");
    if (now && now !== visit) {
      visit = now;
      document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
    } else if (told && !isTold) {
      told.scrollIntoView({ block: "nearest" });
    }
    isTold = Boolean(told);
  }).observe(document.body, { childList: true, subtree: true });
})();
