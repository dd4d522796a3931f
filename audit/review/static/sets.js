// Sets of copies (which one is to stay?) and pictures of doubtful quality (keep or exclude?).

import { icon, make, tail } from "./dom.js";
import { button, cap, picture, tools } from "./one.js";
import { LARGE, SMALL, show } from "./pictures.js";

const MOST = 9; // copies that have a key

export const keyOfCopy = (place) => ["first", "second"][place] ?? `other${place + 1}`;

export function drawCopies(item, keys, act) {
  const isPair = item.images.length === 2;
  const shown = item.images.slice(0, MOST).map((one, place) => {
    const name = keyOfCopy(place);
    const [width, height] = one.size;
    return make("button", { type: "button", class: "copy", "data-act": name, "aria-label": `Keep copy ${place + 1}: ${one.name}`, click: () => act(name) },
      make("span", { class: "which" }, cap(keys, name), isPair ? cap(keys, place ? "right" : "left") : null, icon("keep"), make("b", { text: `keep ${place + 1}` })),
      show(one.key, isPair ? LARGE : SMALL, ""),
      make("span", { class: "facts" }, make("span", { class: "soft", text: width ? `${width} × ${height} px` : "size unknown" }), make("span", { class: "path", title: one.name, text: tail(one.name) })));
  });
  const left = item.images.length - shown.length;
  const where = item.given ? ` All stand as “${item.given}”.` : " They stand under different classes.";
  return make("section", { class: "copies", "aria-label": item.title },
    make("h2", { class: "question" }, "Copies of one picture: which one is to stay?",
      make("span", { class: "soft", text: ` ${item.evidence || item.title}.${where}${left > 0 ? ` ${left} more are not shown; they go unless all are kept.` : ""}` })),
    make("div", { class: `row ${item.images.length > 4 ? "many" : "few"}` }, ...shown),
    tools(keys, act, [button(keys, act, "both", "keep all", "both"), button(keys, act, "unsure"), button(keys, act, "exclude", "exclude all")],
      [button(keys, act, "note"), button(keys, act, "undo")]));
}

export function drawQuality(item, keys, act) {
  const choice = (name, other, sign, word) => make("button", { type: "button", class: "card choice", "data-act": name, "aria-label": word, click: () => act(name) },
    make("span", { class: "which" }, cap(keys, name), cap(keys, other)), icon(sign), make("span", { class: "name", text: word }));
  return make("section", { class: "one", "aria-label": item.title },
    make("h2", { class: "question" }, `Is this fit to learn “${item.given}” from?`,
      make("span", { class: "soft", text: ` ${item.title}${item.evidence ? `: ${item.evidence}` : ""}` })),
    choice("left", "first", "keep", "keep"), picture(item), choice("right", "exclude", "exclude", "exclude"),
    make("div", { class: "further" }),
    tools(keys, act, [button(keys, act, "unsure")], ["note", "zoom", "undo"].map((name) => button(keys, act, name))));
}
