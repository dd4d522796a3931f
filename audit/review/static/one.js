// One question about a class: the picture in the middle, two equal cards, further classes below.

import { icon, make } from "./dom.js";
import { LARGE, SMALL, show } from "./pictures.js";

export const SAMPLES = 6;

const WORDS = {
  both: "both", neither: "neither", unsure: "unsure", exclude: "exclude", keep: "keep", search: "any class",
  note: "note", zoom: "look closer", undo: "take back",
};

export const cap = (keys, act) => make("kbd", { text: keys.name(act) });

// A button that does what a key does, with the key, a sign and a word on it.
export function button(keys, act, name, word = WORDS[name], sign = name) {
  return make("button", { type: "button", "data-act": name, click: () => act(name) },
    cap(keys, name), icon(sign), make("span", { class: "word", text: word }));
}

export function tools(keys, act, answers, others) {
  return make("div", { class: "tools-row", role: "group", "aria-label": "Answers and tools" },
    ...answers, make("span", { class: "gap" }), ...others);
}

export function picture(item) {
  return make("div", { class: "picture" }, show(item.image, LARGE, "The picture in question"),
    make("p", { class: "scale", "aria-hidden": "true" }));
}

function card(item, side, keys, act) {
  const name = item.sides[side];
  const letter = "AB"[side];
  if (name === undefined) return make("div", { class: "card none" }, make("p", { class: "soft", text: "There is no other class." }));
  const side_act = side ? "right" : "left";
  const samples = (item.exemplars[name] ?? []).slice(0, SAMPLES);
  return make("button", {
    type: "button", class: "card", title: name, "aria-label": `${letter}: ${name}`, "data-act": side_act, click: () => act(side_act),
  },
  make("span", { class: "which" }, cap(keys, side_act), make("b", { text: letter }), cap(keys, side ? "second" : "first")),
  make("span", { class: "name", text: name }),
  samples.length ? make("span", { class: "samples" }, ...samples.map((key) => show(key, SMALL, "")))
    : make("span", { class: "soft", text: "No example is trusted." }));
}

export function drawClasses(item, keys, act) {
  const likely = item.likely.map((name, place) => make("button", {
    type: "button", title: name, "data-act": `other${place + 3}`, click: () => act(`other${place + 3}`),
  }, cap(keys, `other${place + 3}`), make("span", { class: "word", text: name })));
  const question = item.kind === "conflict" ? "This picture stands under two classes. Which is it?" : "What is in the picture?";
  return make("section", { class: "one", "aria-label": question },
    item.kind === "conflict" ? make("h2", { class: "question", text: question }) : null,
    card(item, 0, keys, act), picture(item), card(item, 1, keys, act),
    make("div", { class: "further", role: "group", "aria-label": "Other classes" }, ...likely, button(keys, act, "search")),
    tools(keys, act, ["both", "neither", "unsure", "exclude"].map((name) => button(keys, act, name)),
      ["note", "zoom", "undo"].map((name) => button(keys, act, name))));
}
