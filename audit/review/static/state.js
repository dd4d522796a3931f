// What is being asked, what was answered, and how to take it back.

import * as api from "./api.js";
import { uuid } from "./dom.js";
import { SMALL, prefetch } from "./pictures.js";

const WANTED = 12; // questions that wait here: with them one goes on while the server is away
const LOW = 6;
const AHEAD = 5; // pictures that are fetched before they are asked about
const MOST = 48; // that the server gives at once
const LONGEST = 3_600_000; // milliseconds; who answers later was not looking all that time

export class State {
  reviewer = "";
  session = null;
  queue = { queue: "all", given: "", suggested: "", order: "score" };
  items = []; // questions that wait; the first is shown
  acts = []; // what was answered, the last last: { uuids, batch, ids, items, grid }
  progress = null;
  recent = []; // milliseconds that the last answers took
  notes = new Map(); // item_id → what was noted; it goes with the answer, and is there again after an undo
  shownAt = 0;
  isOver = false; // the server has no more
  failure = "";
  #filling = null; // a promise, while the server is asked
  #answered = new Set();
  #generation = 0;

  constructor(outbox) { this.outbox = outbox; }

  get current() { return this.items[0] ?? null; }

  hasAnswered(id) { return this.#answered.has(id); }

  async restart(queue) {
    Object.assign(this.queue, queue);
    this.#generation += 1;
    this.items = [];
    this.isOver = false;
    this.#filling = null;
    this.progress = null;
    await this.fill();
  }

  // Take more questions from the server, until enough wait.
  async fill() {
    if (this.isOver || this.items.length >= LOW) return;
    const mine = this.#filling ??= this.#ask();
    await mine;
    if (this.#filling === mine) this.#filling = null;
  }

  async #ask() {
    const generation = this.#generation;
    try {
      const queued = this.outbox.queued;
      const told = await api.next(this.reviewer, this.queue, Math.min(MOST, WANTED + queued));
      if (generation !== this.#generation) return;
      const waiting = new Set(this.items.map((one) => one.item_id));
      const fresh = told.items.filter((one) => !waiting.has(one.item_id) && !this.#answered.has(one.item_id));
      this.items.push(...fresh);
      this.isOver = !fresh.length && !queued && !this.outbox.queued;
      if (this.progress === null || !(queued || this.outbox.queued)) this.progress = told.progress;
      this.failure = "";
    } catch (error) {
      if (generation === this.#generation) this.failure = error.message;
    }
    this.prefetch();
  }

  prefetch() {
    const near = this.items.slice(0, AHEAD + 1);
    for (const one of near) {
      for (const { key } of one.images?.slice(0, 9) ?? []) prefetch(key, one.images.length > 4 ? SMALL : undefined);
      if (!one.images) prefetch(one.image);
    }
    for (const one of near) for (const keys of Object.values(one.exemplars ?? {})) for (const key of keys) prefetch(key, SMALL);
  }

  // Answer the question that is shown and go on, without waiting for anything.
  answer(answer, label = "") {
    const item = this.items.shift();
    const mode = this.queue.queue === "conflicts" ? "adjudicate" : "one";
    const milliseconds = Math.min(LONGEST, Math.max(0, Math.round(performance.now() - this.shownAt)));
    this.recent = [...this.recent, milliseconds].slice(-30);
    const event = this.#event(item.item_id, answer, label, { note: this.notes.get(item.item_id) ?? "", milliseconds, mode });
    this.#keep([event], [item], "", null);
    this.prefetch();
    return item;
  }

  // Answer many as one act; rows of [item, answer, label]. `grid` is what is needed to show it again.
  answerAll(rows, milliseconds, grid) {
    const batch = uuid();
    const each = Math.min(LONGEST, Math.round(milliseconds / rows.length));
    const events = rows.map(([item, answer, label]) => this.#event(
      item.item_id, answer, label, { mode: "grid", batch, milliseconds: each }));
    this.#keep(events, rows.map(([item]) => item), batch, grid);
  }

  #event(id, answer, label, more) {
    return { uuid: uuid(), item_id: id, answer, label, note: "", milliseconds: 0, mode: "one", batch: "", undoes: "", ...more };
  }

  #keep(events, items, batch, grid) {
    const ids = items.map((one) => one.item_id);
    for (const id of ids) this.#answered.add(id);
    this.items = this.items.filter((one) => !ids.includes(one.item_id));
    this.acts.push({ uuids: events.map((one) => one.uuid), batch, ids, items, grid });
    this.#count(items.length);
    this.outbox.add(this.reviewer, events);
  }

  #count(more) {
    if (!this.progress) return;
    this.progress.answered = Math.min(this.progress.total, Math.max(0, this.progress.answered + more));
  }

  // Whether the last act can be taken back without asking the server what it was about.
  get knowsLast() { return !this.acts.length || this.acts.at(-1).items !== null; }

  // What was asked in the last act. Throws where the server cannot be reached; nothing has changed then.
  async learnLast() {
    const act = this.acts.at(-1);
    act.items = await Promise.all(act.ids.map((id) => api.item(this.reviewer, id)));
  }

  // Take the last act back; its questions are asked again. Returns it, or null if there is none.
  undo() {
    const act = this.acts.pop();
    if (!act) return null;
    this.outbox.add(this.reviewer, [this.#event(act.ids[0], "undo", "", { undoes: act.batch || act.uuids[0] })]);
    for (const id of act.ids) this.#answered.delete(id);
    this.#count(-act.ids.length);
    const again = new Set(act.ids);
    const others = this.items.filter((one) => !again.has(one.item_id));
    this.items = act.grid ? others : [...act.items, ...others];
    this.isOver = false;
    this.prefetch();
    return act;
  }

  // The server refused an answer: the question is open again.
  async putBack(id) {
    this.#answered.delete(id);
    this.acts = this.acts.filter((one) => !(one.ids.length === 1 && one.ids[0] === id));
    this.#count(-1);
    this.items.unshift(await api.item(this.reviewer, id));
  }

  // A reload forgets what was answered here; the server has not.
  async remember() {
    const { events } = await api.history(this.reviewer);
    const acts = new Map();
    for (const one of events.reverse()) {
      const name = one.batch || one.uuid;
      const act = acts.get(name) ?? { uuids: [], batch: one.batch, ids: [], items: null, grid: null };
      act.uuids.push(one.uuid);
      act.ids.push(one.item_id);
      acts.set(name, act);
    }
    this.acts = [...acts.values()];
  }

  // Ask some questions again, one by one, though they were answered in the grid.
  async askAgain(ids) {
    const views = await Promise.all(ids.map((id) => api.item(this.reviewer, id).catch(() => null)));
    this.items.unshift(...views.filter(Boolean));
    this.prefetch();
  }
}
