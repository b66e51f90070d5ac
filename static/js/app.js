// What every page does: theme, help, search key, notices, and polling that rests while the page is hidden.

const THEMES = ["dark", "light", "system"];

function nextTheme() {
  const root = document.documentElement;
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  document.querySelectorAll("[data-theme-name]").forEach((name) => { name.textContent = theme; });
}

/** @param {EventTarget | null} target whether keys typed there are text */
export function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]") !== null;
}

/** Shows a sentence in the corner; bad news stays until it is dismissed. */
export function notify(text, tone = "bad") {
  const notice = document.createElement("div");
  notice.className = `notice ${tone}`;
  const words = document.createElement("span");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.dismiss = "";
  button.ariaLabel = "Dismiss";
  button.textContent = "✕";
  notice.append(words, button);
  document.getElementById("notices")?.append(notice);
  if (tone !== "bad") setTimeout(() => notice.remove(), 5000);
}

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  if (target.closest("[data-theme-next]")) nextTheme();
  if (target.closest("[data-help]")) openHelp();
  if (target.closest("[data-dismiss]")) target.closest(".notice")?.remove();
  if (target.closest("[data-print]")) window.print();
  const opener = target.closest("[data-open]");
  if (opener instanceof HTMLElement) openDialog(opener.dataset.open ?? "");
  if (target.closest("[data-close]")) target.closest("dialog")?.close();
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(target)) menu.removeAttribute("open");
  });
});

function openHelp() {
  document.querySelectorAll("details.menu[open]").forEach((menu) => menu.removeAttribute("open"));
  openDialog("help");
}

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => menu.removeAttribute("open"));
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.focus(); }
  } else if (event.key === "?") {
    openHelp();
  } else if (event.key === "g") {
    window.location.assign("/");
  }
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const asks = event.target instanceof Element && event.target.hasAttribute("data-poll");
  if (asks && document.hidden) event.preventDefault();
});
document.addEventListener("htmx:sendError", (event) => {
  if (!(event.target instanceof Element && event.target.hasAttribute("data-poll"))) notify("The server cannot be reached. Nothing was changed; try again.");
});
document.addEventListener("htmx:timeout", () => notify("The server took too long to answer. Look whether it was done before trying again."));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (event.target instanceof Element && event.target.hasAttribute("data-poll")) return;
  notify(status === 404 ? "This is no longer there. Reload the page." : `The server answered with an error (${status}). Nothing was changed.`);
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // A session that has ended answers with the sign-in page: go there instead of drawing it into a panel.
  if (event.detail.xhr.responseURL && new URL(event.detail.xhr.responseURL).pathname.startsWith("/accounts/login")) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});

document.querySelector("[data-focus]")?.focus();
