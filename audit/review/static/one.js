// One question at a time: a suspected label or a picture under two classes.

import { make } from "./dom.js";
import { LARGE, SMALL, show } from "./pictures.js";
import { nameOf } from "./keys.js";

export function drawOne(stage, item, keys, act) {
  const view = item.kind === "duplicates" ? copies(item, keys, act)
    : item.kind === "quality" ? quality(item, keys, act) : classes(item, keys, act);
  stage.replaceChildren(view, actions(item, keys, act));
}

const cap = (keys, act) => make("kbd", { text: nameOf(keys.map[act]) });

function frame(item, alt) {
  const box = make("div", { class: "picture" });
  box.append(show(item.image, LARGE, alt));
  return box;
}

function card(item, side, keys, act) {
  const name = item.sides[side];
  const samples = make("div", { class: "samples" }, ...(item.exemplars[name] ?? []).map((key) => show(key, SMALL, "")));
  return make("button", { type: "button", class: "card", "aria-label": `${side ? "B" : "A"}: ${name}`, on: { click: () => act(side ? "right" : "left") } },
    make("span", { class: "which" }, cap(keys, side ? "right" : "left"), make("b", { text: side ? "B" : "A" })),
    make("span", { class: "name", text: name }), samples);
}

function classes(item, keys, act) {
  const further = make("div", { class: "further", role: "group", "aria-label": "Other classes" },
    ...item.likely.map((name, place) => make("button", { type: "button", on: { click: () => act(`likely${place + 3}`) } },
      cap(keys, `likely${place + 3}`), make("span", { class: "name", text: name }))),
    make("button", { type: "button", on: { click: () => act("search") } }, cap(keys, "search"), make("span", { text: "any class" })));
  return make("section", { class: "one", "aria-label": item.title },
    make("h2", { class: "question", text: item.kind === "conflict" ? "This picture stands under two classes. Which is it?" : "Which is it?" }),
    card(item, 0, keys, act), frame(item, "The picture in question"), item.sides.length > 1 ? card(item, 1, keys, act) : make("div"), further);
}

function copies(item, keys, act) {
  const shown = item.images.slice(0, 9).map((one, place) => {
    const name = place < 2 ? `keep${place + 1}` : `likely${place + 1}`;
    return make("button", { type: "button", class: "copy", "aria-label": `Keep copy ${place + 1}: ${one.name}`, on: { click: () => act(name) } },
      make("span", { class: "which" }, cap(keys, name), make("b", { text: `keep ${place + 1}` })),
      show(one.key, item.images.length > 4 ? SMALL : LARGE, ""),
      make("span", { class: "path", text: one.name }), make("span", { class: "soft", text: `${one.size[0]} × ${one.size[1]} px` }));
  });
  const left = item.images.length - shown.length;
  return make("section", { class: "copies", "aria-label": item.title },
    make("h2", { class: "question", text: `Copies: which one is to stay? ${item.evidence}` }), make("div", { class: "row" }, ...shown),
    left ? make("p", { class: "soft", text: `and ${left} more copies, which go too` }) : null);
}

function quality(item, keys, act) {
  const choice = (side, name, text) => make("button", { type: "button", class: "card", "aria-label": text, on: { click: () => act(name) } },
    make("span", { class: "which" }, cap(keys, name)), make("span", { class: "name", text }));
  return make("section", { class: "one", "aria-label": item.title },
    make("h2", { class: "question", text: `${item.title}: ${item.evidence}. Is it fit to learn “${item.given}” from?` }),
    choice(0, "left", "✓ keep"), frame(item, "The picture in question"), choice(1, "right", "✗ exclude"), make("div", { class: "further" }));
}

const LABELS = { both: "⧉ both", neither: "∅ neither", unsure: "? unsure", exclude: "✗ exclude", note: "✎ note", zoom: "⌕ closer", undo: "↶ take back" };

export function actsOf(item) {
  if (item.kind === "duplicates") return ["both", "unsure", "exclude", "note", "undo"];
  if (item.kind === "quality") return ["unsure", "note", "zoom", "undo"];
  return ["both", "neither", "unsure", "exclude", "note", "zoom", "undo"];
}

function actions(item, keys, act) {
  const named = { ...LABELS, ...(item.kind === "duplicates" ? { both: "⧉ keep all", exclude: "✗ exclude all" } : {}) };
  return make("div", { class: "actions", role: "group", "aria-label": "Answers and tools" },
    ...actsOf(item).map((name) => make("button", { type: "button", "data-act": name, on: { click: () => act(name) } },
      cap(keys, name), make("span", { text: named[name] }))));
}

// Zoom to one picture pixel a screen pixel; arrows and the mouse move it.
export class Zoom {
  #image = null;
  #at = [0, 0];

  get isOn() { return this.#image !== null; }

  toggle() {
    if (this.isOn) return this.leave();
    this.#image = document.querySelector(".picture img");
    if (!this.#image) return;
    this.#at = [0, 0];
    const box = this.#image.parentElement;
    box.classList.add("zoomed");
    this.#move(0, 0);
    box.onpointermove = (event) => {
      const area = box.getBoundingClientRect();
      this.#at = [area.width / 2 - (event.clientX - area.left), area.height / 2 - (event.clientY - area.top)].map((one) => one * 2);
      this.#move(0, 0);
    };
  }

  pan(key) {
    const step = 80;
    const [x, y] = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[key] ?? [0, 0];
    this.#move(x, y);
    return x !== 0 || y !== 0;
  }

  #move(x, y) {
    this.#at = [this.#at[0] + x, this.#at[1] + y];
    this.#image.style.setProperty("transform", `translate(${this.#at[0]}px, ${this.#at[1]}px) scale(${2.5})`);
  }

  leave() {
    if (!this.#image) return;
    const box = this.#image.parentElement;
    this.#image.style.removeProperty("transform");
    if (box) {
      box.classList.remove("zoomed");
      box.onpointermove = null;
    }
    this.#image = null;
  }
}
