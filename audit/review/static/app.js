// The page: what is shown, what each key does in it, and what is told.

import * as api from "./api.js";
import { announce, byId, make } from "./dom.js";
import { Grid } from "./grid.js";
import { ACTS, Keys, nameOf } from "./keys.js";
import { Zoom, actsOf, drawOne } from "./one.js";
import { Outbox } from "./outbox.js";
import { State } from "./state.js";

const NAME = "audit-review-name";
const THEME = "audit-review-theme";
const QUEUE = "audit-review-queue";

const stage = byId("stage");
const keys = new Keys();
const zoom = new Zoom();
const chosen = new Map(); // item_id → what was answered, in words, until the server has told the rest
let state;
let grid;
let isGrid = false;
let isBusy = false; // an undo or a reload is on its way

const said = (answer, label) => answer === "class" ? `“${label}”`
  : answer === "keep" ? "keep" : answer === "both" ? "both" : answer;

function draw() {
  zoom.leave();
  drawKeys();
  if (isGrid) {
    grid.draw(stage, keys, act);
  } else if (state.current) {
    drawOne(stage, state.current, keys, act);
    state.shownAt = performance.now();
    stage.focus({ preventScroll: true });
  } else {
    const text = state.failure || (state.isFilling || !state.isOver ? "Looking for questions …" : "All of this queue is answered. Thank you.");
    stage.replaceChildren(make("p", { class: "empty", text }));
  }
  drawProgress();
}

function drawKeys() {
  for (const one of document.querySelectorAll("kbd[data-key]")) one.textContent = nameOf(keys.map[one.dataset.key]);
  byId("mode-name").textContent = isGrid ? "One" : "Grid";
}

function drawProgress() {
  const told = state.progress;
  if (!told) return;
  byId("bar").value = told.total ? told.answered / told.total : 1;
  const left = Math.max(0, told.total - told.answered);
  const times = state.recent ?? [];
  const seconds = times.length >= 5 ? times.toSorted((a, b) => a - b)[times.length >> 1] : told.median_seconds;
  const rate = seconds ? ` · ${(60 / seconds).toFixed(0)} a minute · about ${time(seconds * left)} left` : "";
  byId("rate").textContent = `${told.answered.toLocaleString()} of ${told.total.toLocaleString()}${rate}`;
}

const time = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s` : seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

function tellOutbox(outbox, revealed, refused) {
  byId("saved").textContent = outbox.queued ? `⏳ ${outbox.saved.toLocaleString()} saved / ${outbox.queued.toLocaleString()} queued` : `✓ ${outbox.saved.toLocaleString()} saved`;
  byId("saved").classList.toggle("waiting", outbox.queued > 0);
  byId("offline").hidden = !outbox.isOffline;
  if (refused) announceLine(`⚠ An answer was refused: ${refused}`);
  for (const [id, told] of Object.entries(revealed)) {
    const answer = chosen.get(id);
    if (!answer) continue;
    chosen.delete(id);
    const found = told.given ? ` The file says “${told.given}”${told.suggested ? `, the model “${told.suggested}” (label score ${told.score.toFixed(2)})` : ""}: ` : " ";
    byId("previous").replaceChildren("Before: you said ", make("b", { text: answer }), ".", found, make("span", { class: "path", text: told.name }));
  }
  if (!outbox.queued && state && !state.items.length && !isGrid && !state.isOver) refill();
}

function announceLine(text) {
  byId("previous").textContent = text;
  announce(text);
}

async function refill() {
  const before = state.current;
  await state.fill();
  if (!isGrid && !before) draw();
}

function answer(kind, label = "") {
  const item = state.current;
  if (!item) return;
  const seconds = (performance.now() - state.shownAt) / 1000;
  state.recent = [...(state.recent ?? []), seconds].slice(-30);
  chosen.set(item.item_id, said(kind, label));
  state.answer(kind, label);
  draw();
  announce(`${said(kind, label)}. ${state.current ? "Next question." : ""}`);
  refill();
}

async function undo() {
  if (isBusy) return;
  isBusy = true;
  try {
    const taken = await state.undo();
    if (!taken) return announce("There is nothing to take back.");
    announceLine(`Taken back: ${taken.items.length} answer${taken.items.length > 1 ? "s" : ""}.`);
    if (isGrid && taken.act.pair) grid.restore(taken.act.pair, taken.items);
    else if (isGrid && taken.items.length) isGrid = false;
    if (!isGrid && !state.items.length) state.items = await Promise.all(taken.act.ids.map((id) => api.item(state.reviewer, id)));
    draw();
  } catch (error) {
    announceLine(`⚠ ${error.message}`);
  } finally {
    isBusy = false;
  }
}

async function toggleGrid() {
  if (isBusy) return;
  isBusy = true;
  try {
    isGrid = !isGrid;
    if (isGrid) await grid.load();
    else {
      await state.askAgain(grid.again.splice(0));
      await state.fill();
    }
    draw();
    announce(isGrid ? "Many pictures." : "One picture.");
  } finally {
    isBusy = false;
  }
}

async function commit() {
  if (!isGrid || isBusy || !grid.items.length) return;
  isBusy = true;
  try {
    const pair = grid.pair;
    const count = grid.commit();
    state.acts.at(-1).pair = pair;
    announceLine(`${count} answered as one act.`);
    await state.outbox.flush();
    await grid.load();
    if (!grid.items.length && grid.again.length) {
      isGrid = false;
      await state.askAgain(grid.again.splice(0));
      announceLine("A few of them are asked again, one by one.");
    }
    draw();
  } finally {
    isBusy = false;
  }
}

function act(name) {
  if (name === "help") return openHelp();
  if (name === "undo") return undo();
  if (name === "grid") return toggleGrid();
  if (isGrid) {
    if (name === "left") grid.move(-1);
    else if (name === "right") grid.move(1);
    else if (name === "zoom") grid.mark();
    else if (name === "commit") commit();
    else announce("Not in the grid.");
    return;
  }
  const item = state.current;
  if (!item) return announce("There is no question.");
  const place = Number(/^(?:likely|keep)(\d)$/.exec(name)?.[1] ?? 0);
  if (item.kind === "duplicates" && place) {
    const one = item.images[place - 1];
    return one ? answer("keep", one.sha256) : announce("There is no such copy.");
  }
  if (item.kind === "quality" && (name === "left" || name === "right" || name === "exclude")) return answer(name === "left" ? "keep" : "exclude");
  const asksClass = item.kind === "label" || item.kind === "conflict";
  if (asksClass && name === "left") return answer("class", item.sides[0]);
  if (asksClass && name === "right") return item.sides.length > 1 ? answer("class", item.sides[1]) : announce("There is one class only.");
  if (asksClass && place > 2) return item.likely[place - 3] === undefined ? announce("There is no such class.") : answer("class", item.likely[place - 3]);
  if (asksClass && name === "search") return openSearch();
  if (!actsOf(item).includes(name)) return announce("Not for this question.");
  if (name === "note") return openNote();
  if (name === "zoom") return zoom.toggle();
  if (name === "both" && item.kind === "duplicates") return answer("keep");
  return answer(name);
}

function onKey(event) {
  const dialog = document.querySelector("dialog[open]");
  if (dialog || event.target.matches("select, input, textarea")) return;
  if (zoom.isOn && zoom.pan(event.key)) return event.preventDefault();
  if (zoom.isOn && event.key === "Escape") return zoom.leave();
  if (isGrid && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    grid.move((event.key === "ArrowUp" ? -1 : 1) * grid.columns);
    return event.preventDefault();
  }
  const name = keys.actOf(event);
  if (!name) return;
  // Enter and Space on a button that the Tab key has reached press that button.
  const isButton = event.target.matches("button:not(.thumb)") && (event.key === "Enter" || event.key === " ");
  if (isButton) return;
  event.preventDefault();
  if (event.repeat && name !== "left" && name !== "right") return;
  if (event.repeat && !isGrid) return; // a key that is held down must not answer for anybody
  act(name);
}

function openNote() {
  const dialog = byId("note-dialog");
  byId("note").value = state.note;
  dialog.onclose = () => {
    if (dialog.returnValue === "ok") {
      state.note = byId("note").value;
      announceLine(state.note ? "The note goes with your answer." : "No note.");
    }
    dialog.returnValue = "";
    stage.focus();
  };
  dialog.showModal();
  byId("note").focus();
}

function openSearch() {
  const dialog = byId("search-dialog");
  const input = byId("search");
  let place = 0;
  let found = [];
  const choose = (name) => { dialog.close(); answer("class", name); };
  const list = () => {
    const wanted = input.value.toLowerCase();
    found = state.session.classes.filter((one) => one.toLowerCase().includes(wanted))
      .sort((a, b) => b.toLowerCase().startsWith(wanted) - a.toLowerCase().startsWith(wanted)).slice(0, 12);
    place = Math.min(place, Math.max(0, found.length - 1));
    byId("found").replaceChildren(...found.map((name, number) => make("li", { role: "option", id: `found-${number}`, "aria-selected": String(number === place), text: name, on: { click: () => choose(name) } })));
    input.setAttribute("aria-activedescendant", found.length ? `found-${place}` : "");
  };
  input.value = "";
  input.oninput = () => { place = 0; list(); };
  input.onkeydown = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") place = (place + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(1, found.length);
    else if (event.key === "Enter") { event.preventDefault(); if (found[place] !== undefined) choose(found[place]); return; } else return;
    event.preventDefault();
    list();
  };
  dialog.onclose = () => stage.focus();
  list();
  dialog.showModal();
  input.focus();
}

function openHelp() {
  const dialog = byId("help-dialog");
  const list = () => byId("keys").replaceChildren(...Object.entries(ACTS).map(([name, [, text]]) => {
    const button = make("button", { type: "button", text: "change" });
    button.addEventListener("click", () => {
      button.textContent = "press a key …";
      button.addEventListener("keydown", (event) => {
        event.preventDefault();
        event.stopPropagation();
        if (event.key !== "Escape" && event.key !== "Tab" && event.key !== "Shift") keys.change(name, event.key);
        list();
      }, { once: true });
    });
    return make("tr", {}, make("td", {}, make("kbd", { text: nameOf(keys.map[name]) })), make("td", { text }), make("td", {}, button));
  }));
  byId("reset-keys").onclick = () => { keys.reset(); list(); };
  dialog.onclose = () => draw();
  list();
  dialog.showModal();
}

async function openAgreement() {
  const box = byId("agreement-told");
  byId("agreement-dialog").showModal();
  try {
    const told = await api.agreement(state.reviewer);
    const percent = (one) => `${(100 * one).toFixed(0)} %`;
    const lines = [];
    if (told.flags) lines.push(`Of ${told.flags.reviewed} suspected labels reviewed, ${told.flags.wrong} were wrong (${percent(told.flags.share[0])}, 90 % interval ${percent(told.flags.share[1])} to ${percent(told.flags.share[2])}).`);
    if (told.agreement.questions) lines.push(`${told.agreement.same} of ${told.agreement.questions} questions that two or more answered were answered alike${told.agreement.kappa === null ? "" : ` (kappa ${told.agreement.kappa.toFixed(2)})`}.`);
    lines.push(`${told.conflicts} open conflict${told.conflicts === 1 ? "" : "s"}: see the queue “conflicts”.`);
    for (const one of told.reviewers) lines.push(`${one.name}: ${one.answers} answers${one.median_seconds === null ? "" : `, ${one.median_seconds.toFixed(1)} s each`}${one.known ? `, ${one.known_right} of ${one.known} known ones right` : ""}.`);
    box.replaceChildren(...lines.map((text) => make("p", { text })));
  } catch (error) {
    box.replaceChildren(make("p", { text: error.message }));
  }
}

function askName() {
  const dialog = byId("name-dialog");
  return new Promise((resolve) => {
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      const name = byId("name").value.trim();
      if (name) resolve(name); else dialog.showModal();
    };
    dialog.showModal();
  });
}

function fillQueues() {
  const option = (value, text) => make("option", { value: JSON.stringify(value), text });
  const everything = { queue: "all", given: "", suggested: "" };
  const list = [option(everything, `everything (${state.session.checks.reduce((sum, one) => sum + one.items, 0).toLocaleString()})`)];
  for (const one of state.session.checks) list.push(option({ ...everything, queue: one.code }, `${one.title} (${one.items.toLocaleString()})`));
  list.push(option({ ...everything, queue: "conflicts" }, "conflicts between reviewers"));
  const pairs = state.session.pairs.slice(0, 60).map((one) => option({ queue: "label", given: one.given, suggested: one.suggested }, `${one.given} → ${one.suggested} (${one.items})`));
  const classes = [...new Set(state.session.pairs.map((one) => one.given))].slice(0, 200).map((name) => option({ ...everything, queue: "label", given: name }, name));
  const select = byId("queue");
  select.replaceChildren(...list, make("optgroup", { label: "Pairs of classes" }, ...pairs), make("optgroup", { label: "Class in the file" }, ...classes));
  const stored = sessionStorage.getItem(QUEUE);
  if ([...select.options].some((one) => one.value === stored)) select.value = stored;
  select.onchange = byId("order").onchange = async () => {
    sessionStorage.setItem(QUEUE, select.value);
    await state.restart({ ...JSON.parse(select.value), order: byId("order").value });
    if (isGrid) await grid.load();
    draw();
    select.blur();
  };
}

function setTheme() {
  const root = document.documentElement;
  const stored = localStorage.getItem(THEME);
  if (stored) root.dataset.theme = stored;
  byId("theme").onclick = () => {
    const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem(THEME, root.dataset.theme);
  };
}

async function begin() {
  setTheme();
  drawKeys();
  let name = localStorage.getItem(NAME) ?? "";
  let session = await api.session(name);
  name = session.reviewer;
  if (!name) {
    name = await askName();
    localStorage.setItem(NAME, name);
    session = await api.session(name);
  }
  const outbox = await Outbox.open(session.run, tellOutbox);
  state = new State(outbox);
  state.reviewer = name;
  state.session = session;
  grid = new Grid(state);
  byId("who").textContent = name;
  fillQueues();
  tellOutbox(outbox, {});
  await outbox.flush();
  await state.remember();
  await state.restart(JSON.parse(byId("queue").value));
  draw();
  document.addEventListener("keydown", onKey);
  for (const one of document.querySelectorAll("header [data-act]")) one.addEventListener("click", () => { act(one.dataset.act); one.blur(); });
  byId("agreement-button").onclick = openAgreement;
  byId("note").onkeydown = (event) => { if (event.key === "Enter" && event.ctrlKey) byId("note-dialog").close("ok"); };
  document.documentElement.dataset.ready = "yes";
}

begin().catch((error) => {
  stage.replaceChildren(make("p", { class: "empty", text: `⚠ ${error.message} Load the page again.` }));
});
