// xterm reads keys from a hidden text area that nothing focuses: a console that shows itself takes keys at once.
const shows = new MutationObserver(() => {
  document.querySelector(".xterm-helper-textarea")?.focus();
});
shows.observe(document.body, { attributeFilter: ["class"] });
