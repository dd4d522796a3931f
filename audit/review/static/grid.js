// Many pictures of one pair of classes at once: the exceptions are marked, and one key answers all.

import * as api from "./api.js";
import { make } from "./dom.js";
import { SMALL, prefetch, show } from "./pictures.js";
import { nameOf } from "./keys.js";

const AGAIN = 0.05; // asked again one by one, to see whether the many were looked at
const COUNT = 24;

export class Grid {
  items = [];
  pair = null;
  again = []; // item ids that are to be asked again
  failure = "";
  #marked = new Set();
  #place = 0;
  #shown = [];

  constructor(state) { this.state = state; }

  async load() {
    try {
      const told = await api.grid(this.state.reviewer, { ...this.state.queue, queue: "label" }, COUNT);
      this.items = told.items;
      this.pair = told;
      this.#marked.clear();
      this.#place = 0;
      this.failure = "";
    } catch (error) {
      this.items = [];
      this.failure = error.message;
    }
  }

  draw(stage, keys, act) {
    if (!this.items.length) {
      stage.replaceChildren(make("p", { class: "empty", text: this.failure || "Nothing is left for the grid in this queue." }));
      return;
    }
    const { given, suggested } = this.pair;
    this.#shown = this.items.map((one, place) => make("button", { type: "button", class: "thumb", "aria-pressed": "false", "aria-label": `Picture ${place + 1}`,
      on: { click: () => { this.#place = place; this.mark(); } } }, show(one.image, SMALL, ""), make("span", { class: "mark", text: given })));
    const sample = (name) => make("div", { class: "strip" }, ...(this.pair.exemplars[name] ?? []).slice(0, 4).map((key) => show(key, SMALL, "")));
    stage.replaceChildren(
      make("section", { class: "grid", "aria-label": "Many pictures" },
        make("div", { class: "ask" },
          make("h2", { class: "question" }, "Said to be ", make("b", { text: given }), ", look like ", make("b", { text: suggested }), ". Mark those that really are ", make("b", { text: given }), "."),
          make("div", { class: "pair" }, sample(given), make("b", { text: given }), make("b", { text: suggested }), sample(suggested))),
        make("div", { class: "thumbs" }, ...this.#shown)),
      make("div", { class: "actions", role: "group", "aria-label": "Answers and tools" },
        ...[["commit", ""], ["zoom", "mark"], ["undo", "↶ take back"], ["grid", "one at a time"]].map(([name, text]) => make("button",
          { type: "button", "data-act": name, on: { click: () => act(name) } }, make("kbd", { text: nameOf(keys.map[name]) }), make("span", { text })))));
    this.#focus();
    this.#count();
    prefetch(this.items[0].image);
  }

  #count() {
    const { given, suggested } = this.pair;
    const button = document.querySelector('[data-act="commit"] span');
    button.textContent = `✓ ${this.items.length - this.#marked.size} are ${suggested}, ${this.#marked.size} are ${given}`;
  }

  #focus() { this.#shown[this.#place]?.focus({ preventScroll: false }); }

  move(by) {
    this.#place = Math.min(Math.max(this.#place + by, 0), this.items.length - 1);
    this.#focus();
  }

  get columns() {
    const top = this.#shown[0]?.offsetTop;
    return this.#shown.filter((one) => one.offsetTop === top).length || 1;
  }

  mark() {
    const focused = this.#shown.indexOf(document.activeElement);
    if (focused >= 0) this.#place = focused;
    const one = this.items[this.#place];
    if (!one) return;
    if (!this.#marked.delete(one.item_id)) this.#marked.add(one.item_id);
    this.#shown[this.#place].setAttribute("aria-pressed", String(this.#marked.has(one.item_id)));
    this.#count();
  }

  commit() {
    if (!this.items.length) return 0;
    const { given, suggested } = this.pair;
    this.state.answerAll(this.items.map((one) => [one, this.#marked.has(one.item_id) ? given : suggested]));
    this.again.push(...this.items.filter(() => Math.random() < AGAIN).map((one) => one.item_id));
    const count = this.items.length;
    this.items = [];
    return count;
  }

  // What was taken back is shown again.
  restore(pair, items) {
    this.pair = pair;
    this.items = items;
    const ids = new Set(items.map((one) => one.item_id));
    this.again = this.again.filter((id) => !ids.has(id));
    this.#marked.clear();
    this.#place = 0;
  }
}
