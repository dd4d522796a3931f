// The page: what is shown, what each key does in it, and what is told.

import { answerOf } from "./answers.js";
import * as api from "./api.js";
import { Previous, tellLine, tellProgress, tellSaved } from "./bars.js";
import { askName, openAgreement, openLook, openNote, openSearch } from "./dialogs.js";
import { announce, byId, icon, kept, make } from "./dom.js";
import { Grid } from "./grid.js";
import { openHelp } from "./help.js";
import { Keys } from "./keys.js";
import { button, drawClasses } from "./one.js";
import { Outbox } from "./outbox.js";
import { newView } from "./pictures.js";
import { fillQueues } from "./queues.js";
import { drawCopies, drawQuality } from "./sets.js";
import { State } from "./state.js";
import { setTheme } from "./theme.js";
import { Zoom } from "./zoom.js";

const NAME = "audit-review-name";
const RETRY = 2000; // milliseconds, for questions

const stage = byId("stage");
const keys = new Keys();
const zoom = new Zoom();
const previous = new Previous();
let state;
let grid;
let isGrid = false;
let isLoading = false; // another view is on its way: a key that is pressed now is not meant for it
let undoing = null; // a promise, while the server is asked what is to be shown again
let shown = null; // the question that is on the screen
let retry = 0;

const DRAWERS = { duplicates: drawCopies, quality: drawQuality };

function draw() {
  newView();
  zoom.detach();
  if (isGrid) grid.draw(stage, keys, act);
  else if (state.current) drawQuestion(state.current);
  else drawEmpty();
  if (isGrid || !state.current) shown = null;
  drawTools();
  tellProgress(isGrid ? grid.progress : state.progress, state.recent);
}

function drawQuestion(item) {
  const view = (DRAWERS[item.kind] ?? drawClasses)(item, keys, act);
  view.dataset.item = item.item_id;
  stage.replaceChildren(view);
  const box = view.querySelector(".picture");
  if (box) zoom.attach(box, item.width);
  if (shown !== item) state.shownAt = performance.now();
  shown = item;
  showNote();
  stage.focus({ preventScroll: true });
}

function drawEmpty() {
  const text = state.isOver ? "All of this queue is answered. Thank you." : state.failure ? "No question is left here until the server is back." : "Looking for questions …";
  stage.replaceChildren(make("p", { class: "empty" }, state.isOver ? icon("keep") : "", text),
    make("div", { class: "tools-row" }, button(keys, act, "undo"), button(keys, act, "grid", "grid")));
  stage.focus({ preventScroll: true });
}

function drawTools() {
  for (const one of document.querySelectorAll("header kbd[data-key]")) one.textContent = keys.name(one.dataset.key);
  byId("grid-button").replaceChildren(make("kbd", { text: keys.name("grid") }), icon(isGrid ? "single" : "grid"), make("span", { text: isGrid ? "One" : "Grid" }));
}

function showNote() {
  const mark = stage.querySelector('[data-act="note"]');
  if (!mark) return;
  const note = state.notes.get(state.current.item_id);
  mark.classList.toggle("on", Boolean(note));
  mark.title = note ?? "";
  mark.querySelector(".word").textContent = note ? "noted" : "note";
}

function tell(outbox, revealed, refused) {
  tellSaved(outbox, state?.failure);
  previous.reveal(revealed);
  if (refused) {
    tellLine(`⚠ An answer was refused (${refused.message}); the question is asked again.`);
    if (refused.event.answer !== "undo") state?.putBack(refused.event.item_id).then(draw, () => {});
  }
  if (state && !outbox.isOffline && state.items.length === 0 && !state.isOver && !isGrid) refill();
}

async function refill() {
  const before = state.current;
  await state.fill();
  tellSaved(state.outbox, state.failure);
  clearTimeout(retry);
  if (state.failure) retry = setTimeout(refill, RETRY);
  if (!isGrid && !before) draw();
  else if (!isGrid) tellProgress(state.progress, state.recent);
  // What was answered meanwhile was not known to be saved when the server was asked.
  if (!isGrid && !state.current && !state.isOver && !state.failure && !state.outbox.queued) refill();
}

function answer(kind, label = "") {
  const item = state.answer(kind, label);
  previous.answered(item.item_id, kind, label);
  draw();
  const said = kind === "class" ? label : kind;
  announce(`${said}. ${state.current ? ask(state.current) : "No question waits."}`);
  refill();
}

const ask = (item) => item.sides ? `Next: A ${item.sides[0]}, B ${item.sides[1] ?? "none"}.` : `Next: ${item.title}.`;

async function undo() {
  if (!state.knowsLast) {
    try {
      await state.learnLast();
    } catch (error) {
      return tellLine(`⚠ Nothing was taken back: ${error.message}`);
    }
  }
  const taken = state.undo();
  if (!taken) return announce("There is nothing to take back.");
  previous.forget();
  isGrid = taken.grid !== null;
  if (isGrid) grid.restore(taken.grid);
  const count = taken.ids.length;
  tellLine(`Taken back: ${count === 1 ? "one answer" : `${count} answers, as one act`}.`);
  return draw();
}

// Undo what is undone at once; what has to be fetched first keeps the keys after it waiting.
function startUndo() {
  if (undoing || !state.knowsLast) {
    const mine = (undoing ?? Promise.resolve()).then(undo).finally(() => { if (undoing === mine) undoing = null; });
    undoing = mine;
  } else undo();
}

// In a small window the page scrolls: begin where the question does.
const inSight = () => stage.scrollIntoView({ block: "start" });

async function load(work) {
  isLoading = true;
  stage.ariaBusy = "true";
  try {
    await work();
  } catch (error) {
    tellLine(`⚠ ${error.message}`);
  } finally {
    isLoading = false;
    stage.ariaBusy = "false";
    draw();
    inSight();
  }
}

const toggleGrid = () => load(async () => {
  isGrid = !isGrid;
  announce(isGrid ? "Many pictures." : "One picture.");
  if (isGrid) await grid.load();
  else await leaveGrid();
});

async function leaveGrid() {
  isGrid = false;
  await state.askAgain(grid.again.splice(0));
  if (!state.items.length) await state.restart({});
}

const commit = () => load(async () => {
  const count = grid.commit();
  previous.forget();
  tellLine(count ? `${count} answered as one act. ${keys.name("undo")} takes it back.` : "All were left open.");
  await state.outbox.flush();
  await grid.load();
  if (grid.items.length || !grid.again.length) return;
  tellLine(`${grid.again.length} of them ${grid.again.length === 1 ? "is" : "are"} asked again, one by one.`);
  await leaveGrid();
});

function actInGrid(name) {
  if (name === "reload") return load(() => grid.load());
  if (!grid.items.length) return announce("There is no picture.");
  if (name === "left" || name === "right") return grid.move(name === "left" ? -1 : 1);
  if (name === "zoom") return announce(grid.mark("other"));
  if (name === "unsure") return announce(grid.mark("later"));
  if (name === "exclude") return announce(grid.mark("exclude"));
  if (name === "swap") return announce(grid.swap());
  if (name === "commit") return commit();
  if (name === "look") {
    grid.move(0);
    return openLook(grid.focused.image, "The picture in question", () => grid.move(0));
  }
  return announce("Not in the grid.");
}

function act(name) {
  if (name === "help") return openHelp(keys, draw);
  if (isLoading) return announce("One moment.");
  if (name === "undo") return startUndo();
  if (undoing) return undoing.then(() => act(name));
  if (name === "grid") return toggleGrid();
  if (isGrid) return actInGrid(name);
  const item = state.current;
  if (!item) return announce("There is no question.");
  if (name === "note") return openNote(state.notes.get(item.item_id) ?? "", (note) => {
    state.notes.set(item.item_id, note);
    showNote();
    stage.focus();
  });
  if (name === "zoom") return item.kind === "duplicates" ? announce("Not for this question.") : zoom.toggle();
  if (name === "search" && item.sides) return openSearch(state.session.classes, (one) => { if (state.current === item) answer("class", one); }, () => stage.focus());
  const found = answerOf(item, name);
  return found.refusal ? announce(found.refusal) : answer(found.answer, found.label);
}

function onKey(event) {
  if (document.querySelector("dialog[open]") || event.target.matches("select, input, textarea")) return;
  if (zoom.pan(event.key)) return event.preventDefault();
  if (zoom.isOn && event.key === "Escape") return zoom.leave();
  if (isGrid && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    return grid.move((event.key === "ArrowUp" ? -1 : 1) * grid.columns);
  }
  const name = keys.actOf(event);
  if (!name) return;
  // Enter and Space on a button that the Tab key has reached press that button.
  if (event.target.matches("button:not(.thumb)") && (event.key === "Enter" || event.key === " ")) return;
  event.preventDefault();
  if (event.repeat && !(isGrid && (name === "left" || name === "right"))) return; // held down, it must not answer for anybody
  act(name);
}

async function introduce() {
  let session = await api.session(kept.get(NAME) ?? "");
  if (!session.reviewer) {
    const name = await askName();
    kept.set(NAME, name);
    session = await api.session(name);
  }
  byId("who").textContent = session.reviewer;
  byId("who").onclick = async () => {
    const name = await askName(session.reviewer);
    if (name === session.reviewer) return;
    kept.set(NAME, name);
    location.reload();
  };
  return session;
}

async function begin() {
  for (const one of document.querySelectorAll("[data-icon]")) one.prepend(icon(one.dataset.icon));
  setTheme();
  drawTools();
  const session = await introduce();
  const outbox = await Outbox.open(session.run, tell);
  await outbox.flush(); // what an earlier visit has left
  state = new State(outbox);
  state.reviewer = session.reviewer;
  state.session = session;
  grid = new Grid(state);
  await state.remember();
  const queue = fillQueues(session, (chosen) => load(async () => {
    await state.outbox.flush();
    await state.restart(chosen);
    if (isGrid) await grid.load();
  }));
  await state.restart(queue);
  tell(outbox, {}, null);
  draw();
  inSight();
  document.addEventListener("keydown", onKey);
  // Time in which nobody looks is no time of an answer.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) state.shownAt = performance.now(); });
  byId("grid-button").onclick = () => act("grid");
  byId("help-button").onclick = () => act("help");
  byId("agreement-button").onclick = () => openAgreement(state.reviewer);
  document.documentElement.dataset.ready = "yes";
}

begin().catch((error) => {
  stage.replaceChildren(make("p", { class: "empty" }, icon("warning"), `${error.message} Load the page again.`));
});
