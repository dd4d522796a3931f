// Many pictures of one pair of classes at once: exceptions are marked, and one key answers all.

import * as api from "./api.js";
import { icon, kept, make } from "./dom.js";
import { SMALL, show } from "./pictures.js";
import { button, cap } from "./one.js";

const AGAIN = 0.05; // asked again one by one, to see whether the many were looked at
const SIZES = [24, 36, 48];
const STORED = "audit-review-grid-size";
const SAMPLES = 5;
const GAP = 8;

// What a picture can be marked as, its sign and its word; marked by nothing it follows the rule.
const MARKS = { other: ["swap", ""], later: ["later", "left open"], exclude: ["exclude", "exclude"] };

export class Grid {
  items = [];
  again = []; // item ids that are to be asked again
  failure = "";
  progress = null;
  #pair = null;
  #marks = new Map(); // item_id → of MARKS
  #isSwapped = false; // the rule is the class in the file, not the suggested one
  #place = 0;
  #cells = [];
  #box = null;
  #shownAt = 0;

  constructor(state) {
    this.state = state;
    const size = Number(kept.get(STORED));
    this.size = SIZES.includes(size) ? size : SIZES[0];
    addEventListener("resize", () => this.#fit());
  }

  get rule() { return this.#isSwapped ? this.#pair.given : this.#pair.suggested; }

  get exception() { return this.#isSwapped ? this.#pair.suggested : this.#pair.given; }

  get focused() { return this.items[this.#place] ?? null; }

  async load() {
    const { queue } = this.state;
    try {
      const told = await api.grid(this.state.reviewer, { ...queue, queue: "label" }, this.size);
      this.#set(told, told.items.filter((one) => !this.state.hasAnswered(one.item_id) && !this.again.includes(one.item_id)), new Map(), false);
      this.progress = told.progress;
      this.failure = "";
    } catch (error) {
      this.items = [];
      this.failure = error.message;
    }
  }

  #set(pair, items, marks, isSwapped) {
    this.#pair = pair;
    this.items = items;
    this.#marks = marks;
    this.#isSwapped = isSwapped;
    this.#place = 0;
    this.#shownAt = performance.now();
  }

  // What was taken back is shown again, as it was marked.
  restore({ pair, items, marks, isSwapped }) {
    this.#set(pair, items, new Map(marks), isSwapped);
    const ids = new Set(items.map((one) => one.item_id));
    this.again = this.again.filter((id) => !ids.has(id));
  }

  draw(stage, keys, act) {
    if (!this.items.length) {
      stage.replaceChildren(make("p", { class: "empty", text: this.failure || "No suspected labels are left in this queue." }),
        make("div", { class: "tools-row" }, button(keys, act, "undo"), button(keys, act, "grid", "one at a time", "single")));
      return;
    }
    this.#cells = this.items.map((one, place) => make("button", {
      type: "button", class: "thumb", click: () => { this.#place = place; this.mark("other"); this.#focus(); },
    }, show(one.image, SMALL, ""), make("span", { class: "mark" })));
    this.#box = make("div", { class: "thumbs", role: "group", "aria-label": "Pictures" }, ...this.#cells);
    const size = make("select", { "aria-label": "Pictures at once" }, ...SIZES.map((one) => make("option", { value: one, text: `${one} at once`, selected: one === this.size })));
    size.addEventListener("change", () => {
      this.size = Number(size.value);
      kept.set(STORED, String(this.size));
      act("reload");
    });
    stage.replaceChildren(
      make("section", { class: "many", "aria-label": "Many pictures" },
        make("div", { class: "pair" },
          this.#sample(this.#pair.given, "in the file"),
          make("div", { class: "ask" }, make("h2", { class: "question", id: "grid-question" }), make("p", { class: "soft", id: "grid-count" })),
          this.#sample(this.#pair.suggested, "suggested")),
        this.#box,
        make("div", { class: "tools-row", role: "group", "aria-label": "Answers and tools" },
          make("button", { type: "button", class: "main", "data-act": "commit", click: () => act("commit") }, cap(keys, "commit"), icon("keep"), make("span", { text: "answer all" })),
          button(keys, act, "zoom", "exception", "swap"), button(keys, act, "unsure", "leave open", "later"), button(keys, act, "exclude"), button(keys, act, "swap", "swap rule"),
          make("span", { class: "gap" }), button(keys, act, "look", "enlarge", "zoom"), button(keys, act, "undo"), size)));
    this.items.forEach((_, place) => this.#paint(place));
    this.#tell();
    this.#fit();
    this.#focus();
  }

  #sample(name, where) {
    return make("div", { class: "side" }, make("div", { class: "strip" }, ...(this.#pair.exemplars[name] ?? []).slice(0, SAMPLES).map((key) => show(key, SMALL, ""))),
      make("p", {}, make("b", { class: "word", title: name, text: name }), make("span", { class: "soft", text: ` ${where}` })));
  }

  #tell() {
    const count = { other: 0, later: 0, exclude: 0 };
    for (const one of this.#marks.values()) count[one] += 1;
    const rest = this.items.length - this.#marks.size;
    const parts = [`${rest} ${this.rule}`, count.other ? `${count.other} ${this.exception}` : "", count.exclude ? `${count.exclude} excluded` : "", count.later ? `${count.later} left open` : ""];
    document.getElementById("grid-count").textContent = parts.filter(Boolean).join(" · ");
    document.getElementById("grid-question").replaceChildren("Mark those that are ", make("b", { text: this.exception }), "; the rest are ", make("b", { text: this.rule }));
  }

  #paint(place) {
    const cell = this.#cells[place];
    const mark = this.#marks.get(this.items[place].item_id);
    const [sign, word] = MARKS[mark] ?? ["keep", ""];
    const text = mark === "other" ? this.exception : mark ? word : this.rule;
    cell.dataset.mark = mark ?? "";
    cell.setAttribute("aria-pressed", String(mark !== undefined));
    cell.setAttribute("aria-label", `Picture ${place + 1} of ${this.items.length}: ${text}`);
    cell.querySelector(".mark").replaceChildren(icon(sign), make("span", { class: "word", text: mark ? text : "" }));
  }

  // The largest cells with which all pictures are in sight.
  #fit() {
    if (!this.#box?.isConnected) return;
    const { clientWidth, clientHeight } = this.#box;
    let best = 96;
    for (let columns = 1; columns <= this.items.length; columns += 1) {
      const rows = Math.ceil(this.items.length / columns);
      best = Math.max(best, Math.min((clientWidth - GAP * (columns + 1)) / columns, (clientHeight - GAP * (rows + 1)) / rows));
    }
    this.#box.style.setProperty("--cell", `${Math.floor(Math.min(best, 260))}px`);
  }

  #focus() { this.#cells[this.#place]?.focus(); }

  #find() {
    const place = this.#cells.indexOf(document.activeElement);
    if (place >= 0) this.#place = place;
  }

  move(by) {
    this.#find();
    this.#place = Math.min(Math.max(this.#place + by, 0), this.items.length - 1);
    this.#focus();
  }

  get columns() {
    const top = this.#cells[0]?.offsetTop;
    return this.#cells.filter((one) => one.offsetTop === top).length || 1;
  }

  // Mark the focused picture, or unmark it. Returns what is to be told.
  mark(kind) {
    this.#find();
    const one = this.focused;
    if (!one) return "";
    if (this.#marks.get(one.item_id) === kind) this.#marks.delete(one.item_id);
    else this.#marks.set(one.item_id, kind);
    this.#paint(this.#place);
    this.#tell();
    return this.#cells[this.#place].getAttribute("aria-label");
  }

  // The rest become the other class: for a pair of which most labels are right.
  swap() {
    this.#isSwapped = !this.#isSwapped;
    for (const [id, mark] of this.#marks) if (mark === "other") this.#marks.delete(id);
    this.items.forEach((_, place) => this.#paint(place));
    this.#tell();
    return `All but the exceptions are ${this.rule}.`;
  }

  // Answer all but those left open. Returns how many.
  commit() {
    const rows = [];
    for (const one of this.items) {
      const mark = this.#marks.get(one.item_id);
      if (mark === "exclude") rows.push([one, "exclude", ""]);
      else if (mark !== "later") rows.push([one, "class", mark === "other" ? this.exception : this.rule]);
    }
    const grid = { pair: this.#pair, items: this.items, marks: this.#marks, isSwapped: this.#isSwapped };
    if (rows.length) this.state.answerAll(rows, performance.now() - this.#shownAt, grid);
    this.again.push(...rows.filter(() => Math.random() < AGAIN).map(([one]) => one.item_id));
    this.again.push(...this.items.filter((one) => this.#marks.get(one.item_id) === "later").map((one) => one.item_id));
    this.items = [];
    return rows.length;
  }
}
