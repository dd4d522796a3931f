// Light or dark: as the machine has it, until the switch says otherwise.

import { announce, byId, kept } from "./dom.js";

const STORED = "audit-review-theme";

export function setTheme() {
  const root = document.documentElement;
  const stored = kept.get(STORED);
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  byId("theme").onclick = (event) => {
    const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    kept.set(STORED, root.dataset.theme);
    announce(`${root.dataset.theme} colours.`);
    if (event.detail) byId("stage").focus({ preventScroll: true }); // by the mouse: keys go on answering
  };
}
