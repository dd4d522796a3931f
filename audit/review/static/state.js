// What is being asked, what was answered, and how to take it back.

import * as api from "./api.js";
import { prefetch } from "./pictures.js";

const WANTED = 6;
const LOW = 4;

export class State {
  reviewer = "";
  session = null;
  queue = { queue: "all", given: "", suggested: "", order: "score" };
  items = []; // questions that wait; the first is shown
  acts = []; // what was answered, the last last: { uuids, batch, ids, items }
  progress = null;
  note = "";
  shownAt = 0;
  isFilling = false;
  isOver = false; // the server had no more
  failure = "";
  #answered = new Set();
  #generation = 0;

  constructor(outbox) { this.outbox = outbox; }

  get current() { return this.items[0] ?? null; }

  async restart(queue) {
    Object.assign(this.queue, queue);
    this.#generation += 1;
    this.items = [];
    this.isOver = false;
    this.isFilling = false;
    await this.fill();
  }

  // Take more questions from the server, until enough wait.
  async fill() {
    if (this.isFilling || this.isOver || this.items.length >= LOW) return;
    this.isFilling = true;
    const generation = this.#generation;
    try {
      const count = Math.min(48, WANTED + this.items.length + this.outbox.queued);
      const told = await api.next(this.reviewer, this.queue, count);
      if (generation !== this.#generation) return;
      const waiting = new Set(this.items.map((one) => one.item_id));
      const fresh = told.items.filter((one) => !waiting.has(one.item_id) && !this.#answered.has(one.item_id));
      this.items.push(...fresh);
      this.isOver = !fresh.length && !this.outbox.queued;
      this.progress ??= told.progress;
      if (!this.outbox.queued) this.progress = told.progress;
      this.failure = "";
    } catch (error) {
      if (generation === this.#generation) this.failure = error.message;
    } finally {
      if (generation === this.#generation) this.isFilling = false;
    }
    this.prefetch();
  }

  prefetch() {
    for (const one of this.items.slice(0, WANTED)) {
      prefetch(one.image);
      for (const keys of Object.values(one.exemplars ?? {})) for (const key of keys) prefetch(key, 320);
    }
  }

  #event(id, answer, label, more) {
    return { uuid: crypto.randomUUID(), item_id: id, answer, label, note: "", milliseconds: 0, mode: "one", batch: "", undoes: "", ...more };
  }

  // Answer the question that is shown and go on, without waiting for anything.
  answer(answer, label = "") {
    const item = this.items.shift();
    const mode = this.queue.queue === "conflicts" ? "adjudicate" : "one";
    const milliseconds = Math.min(3_600_000, Math.round(performance.now() - this.shownAt));
    const event = this.#event(item.item_id, answer, label, { note: this.note, milliseconds, mode });
    this.note = "";
    this.#keep([event], [item], "");
    return item;
  }

  // Answer many as one act; pairs of [item, label].
  answerAll(pairs) {
    const batch = crypto.randomUUID();
    const events = pairs.map(([item, label]) => this.#event(item.item_id, "class", label, { mode: "grid", batch }));
    this.#keep(events, pairs.map(([item]) => item), batch);
  }

  #keep(events, items, batch) {
    for (const one of items) this.#answered.add(one.item_id);
    this.acts.push({ uuids: events.map((one) => one.uuid), batch, ids: items.map((one) => one.item_id), items });
    if (this.progress) this.progress.answered += items.length;
    this.outbox.add(this.reviewer, events);
  }

  // Take the last act back; its questions are asked again. Returns them, or null if there is none.
  async undo() {
    const act = this.acts.pop();
    if (!act) return null;
    const undoes = act.batch || act.uuids[0];
    const event = this.#event(act.ids[0], "undo", "", { undoes });
    this.outbox.add(this.reviewer, [event]);
    for (const id of act.ids) this.#answered.delete(id);
    if (this.progress) this.progress.answered = Math.max(0, this.progress.answered - act.ids.length);
    const items = act.items ?? await Promise.all(act.ids.map((id) => api.item(this.reviewer, id)));
    const waiting = new Set(act.ids);
    this.items = [...items.filter((one) => one.kind), ...this.items.filter((one) => !waiting.has(one.item_id))];
    this.isOver = false;
    this.prefetch();
    return { act, items };
  }

  // A reload forgets what was answered here; the server has not.
  async remember() {
    const { events } = await api.history(this.reviewer);
    const acts = new Map();
    for (const one of events.reverse()) {
      const name = one.batch || one.uuid;
      const act = acts.get(name) ?? { uuids: [], batch: one.batch, ids: [], items: null };
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
