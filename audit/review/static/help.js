// The list of keys, where each may be changed.

import { announce, byId, make } from "./dom.js";
import { ACTS } from "./keys.js";

export function openHelp(keys, onClose) {
  const dialog = byId("help-dialog");
  let isWaiting = false;

  const row = (name) => {
    const [, text] = ACTS[name];
    const change = make("button", { type: "button", class: "change", "data-change": name, "aria-label": `Change the key ${keys.name(name)} of: ${text}`, text: "change" });
    change.addEventListener("click", () => {
      change.textContent = "press a key …";
      isWaiting = true;
      const stop = (line) => {
        change.removeEventListener("keydown", hear);
        change.removeEventListener("blur", leave);
        isWaiting = false;
        list();
        byId("keys-told").textContent = line;
        announce(line);
        document.querySelector(`[data-change="${name}"]`).focus();
      };
      const hear = (event) => {
        if (["Shift", "Control", "Alt", "AltGraph", "Meta"].includes(event.key)) return; // a part of a key
        event.preventDefault();
        event.stopPropagation();
        if (event.key === "Escape") return stop("Nothing was changed.");
        const other = keys.change(name, event.key);
        if (other === undefined) return stop("That key cannot be had: it moves about the page.");
        stop(`${keys.name(name)} it is.${other ? ` “${ACTS[other][1]}” has ${keys.name(other)} now.` : ""}`);
      };
      const leave = () => stop("Nothing was changed.");
      change.addEventListener("keydown", hear);
      change.addEventListener("blur", leave);
      change.focus();
    });
    return make("tr", {}, make("td", {}, make("kbd", { text: keys.name(name) })), make("td", { text }), make("td", {}, change));
  };

  const list = () => {
    const parts = [...new Set(Object.values(ACTS).map(([, , part]) => part))];
    byId("keys").replaceChildren(...parts.map((part) => make("table", {}, make("caption", { text: part }),
      make("tbody", {}, ...Object.keys(ACTS).filter((name) => ACTS[name][2] === part).map(row)))));
  };

  byId("reset-keys").onclick = () => {
    keys.reset();
    list();
    byId("keys-told").textContent = "All keys are as at the beginning.";
  };
  dialog.oncancel = (event) => { if (isWaiting) event.preventDefault(); };
  dialog.onkeydown = (event) => {
    if (!isWaiting && keys.actOf(event) === "help") {
      event.preventDefault();
      dialog.close();
    }
  };
  dialog.onclose = onClose;
  byId("keys-told").textContent = "";
  list();
  dialog.showModal();
  byId("help-close").focus();
}
