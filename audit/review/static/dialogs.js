// What opens over the page: the name, a note, all classes, one picture of the grid, agreement.

import * as api from "./api.js";
import { byId, make } from "./dom.js";
import { LARGE, newView, show } from "./pictures.js";

const SHOWN = 12;

// Ask for the reviewer's name; resolves when there is one.
export function askName(before = "") {
  const dialog = byId("name-dialog");
  byId("name").value = before;
  return new Promise((resolve) => {
    dialog.oncancel = (event) => { if (!before) event.preventDefault(); };
    dialog.onclose = () => {
      const name = byId("name").value.trim();
      if (dialog.returnValue === "ok" && name) resolve(name);
      else if (before) resolve(before);
      else dialog.showModal();
    };
    dialog.returnValue = "";
    dialog.showModal();
    byId("name").select();
  });
}

// Enter keeps the note, Shift+Enter begins a line.
export function openNote(before, onClose) {
  const dialog = byId("note-dialog");
  const field = byId("note");
  field.value = before;
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    onClose(field.value.trim()); // a browser tells that a dialog is closed only after the next key
    dialog.close("ok");
  };
  dialog.returnValue = "";
  dialog.onclose = () => onClose(dialog.returnValue === "ok" ? field.value.trim() : before);
  dialog.showModal();
}

// The classes that fit what was typed: those that begin with it, then those of which a word does,
// then those that hold it.
export function fitting(names, typed) {
  const wanted = typed.trim().toLowerCase();
  const rank = (name) => {
    const low = name.toLowerCase();
    const place = low.indexOf(wanted);
    return place < 0 ? 9 : place === 0 ? (low === wanted ? 0 : 1) : /[\s_\-./]/.test(low[place - 1]) ? 2 : 3;
  };
  return names.map((name) => [rank(name), name]).filter(([one]) => one < 9)
    .sort((one, other) => one[0] - other[0]).map(([, name]) => name);
}

export function openSearch(names, choose, onClose) {
  const dialog = byId("search-dialog");
  const input = byId("search");
  let place = 0;
  let found = [];
  const take = (name) => {
    dialog.close();
    choose(name);
  };
  const list = () => {
    const all = fitting(names, input.value);
    found = all.slice(0, SHOWN);
    byId("found").replaceChildren(...found.map((name, number) => make("li", {
      role: "option", id: `found-${number}`, "aria-selected": String(number === place), title: name, text: name, click: () => take(name),
    })));
    byId("found-count").textContent = !all.length ? "No class fits." : all.length > SHOWN ? `${SHOWN} of ${all.length.toLocaleString()}: type on.` : `${all.length} of ${names.length.toLocaleString()}.`;
    if (found.length) input.setAttribute("aria-activedescendant", `found-${place}`);
    else input.removeAttribute("aria-activedescendant");
  };
  input.value = "";
  input.oninput = () => { place = 0; list(); };
  input.onkeydown = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      if (found[place] !== undefined) take(found[place]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      place = (place + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
      list();
    }
  };
  dialog.onclose = onClose;
  list();
  dialog.showModal();
  input.focus();
}

// One picture of the grid, large; any key closes it.
export function openLook(key, text, onClose) {
  const dialog = byId("look-dialog");
  newView();
  byId("look").replaceChildren(show(key, LARGE, text));
  byId("look-text").textContent = text;
  dialog.onclick = () => dialog.close();
  dialog.onkeydown = (event) => {
    if (event.key === "Tab" || event.key === "Shift") return;
    event.preventDefault();
    dialog.close();
  };
  dialog.onclose = onClose;
  dialog.showModal();
}

export async function openAgreement(reviewer) {
  const box = byId("agreement-told");
  box.replaceChildren(make("p", { class: "soft", text: "Looking …" }));
  byId("agreement-dialog").showModal();
  try {
    box.replaceChildren(...inWords(await api.agreement(reviewer)));
  } catch (error) {
    box.replaceChildren(make("p", { text: error.message }));
  }
}

function inWords(told) {
  const { flags, agreement, reviewers, conflicts } = told;
  const lines = [];
  if (flags) lines.push(flags);
  if (agreement.questions) lines.push(`${agreement.same} of ${agreement.questions} questions that two or more answered were answered alike${agreement.kappa === null ? "" : ` (kappa ${agreement.kappa.toFixed(2)})`}.`);
  else lines.push("No question was answered by two reviewers yet.");
  lines.push(conflicts ? `${conflicts} open conflict${conflicts === 1 ? "" : "s"}: see the queue “conflicts between reviewers”.` : "No open conflict.");
  const cell = (text) => make("td", { text });
  const rows = reviewers.map((one) => make("tr", {}, make("th", { scope: "row", text: one.name }), cell(one.answers.toLocaleString()),
    cell(one.median_seconds === null ? "–" : `${one.median_seconds.toFixed(1)} s`), cell(one.known ? `${one.known_right} of ${one.known}` : "–")));
  const heads = ["Reviewer", "Answers", "Each takes", "Known ones right"].map((text) => make("th", { scope: "col", text }));
  return [...lines.map((text) => make("p", { text })), rows.length ? make("table", { class: "figures" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)) : null].filter(Boolean);
}
