// Which key does what. A labeler may change it; the browser remembers.

import { kept } from "./dom.js";

// Act → its key at the beginning, what it does, and in which part of the help it stands.
export const ACTS = {
  left: ["ArrowLeft", "Card A, on the left", "Choose"],
  right: ["ArrowRight", "Card B, on the right", "Choose"],
  first: ["1", "Card A, for the other hand; of copies, keep the first", "Choose"],
  second: ["2", "Card B, for the other hand; of copies, keep the second", "Choose"],
  other3: ["3", "The next likely class; of copies, keep the third", "Choose"],
  other4: ["4", "The one after it", "Choose"],
  other5: ["5", "And so on", "Choose"],
  other6: ["6", "And so on", "Choose"],
  other7: ["7", "And so on", "Choose"],
  other8: ["8", "And so on", "Choose"],
  other9: ["9", "And so on", "Choose"],
  search: ["/", "Any class, by typing a part of its name", "Choose"],
  both: ["b", "Both classes are in the picture; of copies, keep all", "Answer otherwise"],
  neither: ["n", "No class fits", "Answer otherwise"],
  unsure: ["u", "Unsure: others decide. In the grid: leave this one open", "Answer otherwise"],
  exclude: ["x", "Exclude from the data", "Answer otherwise"],
  undo: ["z", "Take back, without limit", "Tools"],
  note: ["c", "Note to this picture", "Tools"],
  zoom: [" ", "Look closer, then arrows or the mouse move it. In the grid: mark as an exception", "Tools"],
  grid: ["g", "Grid of pictures, or one picture", "Tools"],
  help: ["?", "This list", "Tools"],
  swap: ["s", "The rest become the other class", "In the grid"],
  look: ["e", "Enlarge the picture", "In the grid"],
  commit: ["Enter", "Answer all that is shown, as one act", "In the grid"],
};

const STORED = "audit-review-keys";
const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Enter: "Enter" };
const FIXED = new Set(["Escape", "Tab", "Shift", "Control", "Alt", "AltGraph", "Meta", "Dead", "CapsLock", "ArrowUp", "ArrowDown"]);

export const nameOf = (key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);

const plain = (key) => key.length === 1 ? key.toLowerCase() : key;

export class Keys {
  constructor() { this.#read(); }

  #read() {
    this.map = Object.fromEntries(Object.entries(ACTS).map(([act, [key]]) => [act, key]));
    try {
      const stored = JSON.parse(kept.get(STORED) ?? "{}");
      const merged = { ...this.map };
      for (const [act, key] of Object.entries(stored)) if (act in merged && typeof key === "string") merged[act] = key;
      if (new Set(Object.values(merged)).size === Object.keys(merged).length) this.map = merged;
    } catch { /* what is not readable is as at the beginning */ }
  }

  #of(key) { return Object.keys(this.map).find((act) => this.map[act] === key) ?? null; }

  actOf(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const found = this.#of(plain(event.key));
    if (found || event.shiftKey) return found;
    // Digits of a French keyboard, and letters of a Greek one, stand where they stand on others.
    const place = /^(Digit|Numpad|Key)([0-9A-Z])$/.exec(event.code);
    if (!place || (place[1] === "Key" && /^[a-z]$/i.test(event.key))) return null;
    return this.#of(place[2].toLowerCase());
  }

  name(act) { return nameOf(this.map[act]); }

  // Give an act another key; whatever had that key gets the old one. Returns that act, or null;
  // undefined if the key cannot be had.
  change(act, key) {
    if (FIXED.has(key)) return undefined;
    const wanted = plain(key);
    const other = this.#of(wanted);
    if (other) this.map[other] = this.map[act];
    this.map[act] = wanted;
    kept.set(STORED, JSON.stringify(this.map));
    return other === act ? null : other;
  }

  reset() {
    kept.remove(STORED);
    this.#read();
  }
}
