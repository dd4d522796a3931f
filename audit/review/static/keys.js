// Which key does what. A labeler may change it; the browser remembers.

export const ACTS = {
  left: ["ArrowLeft", "The class on the left; in the grid, one picture back"],
  right: ["ArrowRight", "The class on the right; in the grid, one picture on"],
  likely3: ["3", "The first of the other classes; of copies, keep the third"],
  likely4: ["4", "The second of the other classes"],
  likely5: ["5", "The third"],
  likely6: ["6", "The fourth"],
  likely7: ["7", "The fifth"],
  likely8: ["8", "The sixth"],
  likely9: ["9", "The seventh"],
  keep1: ["1", "Of copies, keep the first"],
  keep2: ["2", "Of copies, keep the second"],
  search: ["/", "Type the name of any class"],
  both: ["b", "Both classes are in the picture; of copies, keep all"],
  neither: ["n", "No class fits"],
  unsure: ["u", "Unsure: somebody else is to decide"],
  exclude: ["x", "Exclude from the data"],
  undo: ["z", "Take back, without limit"],
  note: ["c", "Write a note to this image"],
  zoom: [" ", "Look closer, then arrows move; in the grid, mark an exception"],
  commit: ["Enter", "In the grid: answer all that is shown"],
  grid: ["g", "Between one picture and many"],
  help: ["?", "This list"],
};

const STORED = "audit-review-keys";
const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Enter: "⏎" };

export const nameOf = (key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);

export class Keys {
  constructor() { this.#read(); }

  #read() {
    this.map = Object.fromEntries(Object.entries(ACTS).map(([act, [key]]) => [act, key]));
    try {
      const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
      for (const [act, key] of Object.entries(stored)) if (act in this.map && typeof key === "string") this.map[act] = key;
    } catch { /* what is not readable is as at the beginning */ }
  }

  actOf(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return Object.keys(this.map).find((act) => this.map[act] === key) ?? null;
  }

  // Give an act another key; whatever had that key gets the old one.
  change(act, key) {
    const wanted = key.length === 1 ? key.toLowerCase() : key;
    const other = Object.keys(this.map).find((one) => this.map[one] === wanted);
    if (other) this.map[other] = this.map[act];
    this.map[act] = wanted;
    localStorage.setItem(STORED, JSON.stringify(this.map));
  }

  reset() {
    localStorage.removeItem(STORED);
    this.#read();
  }
}
