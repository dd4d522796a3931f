// Answers wait in IndexedDB until the server has them on disk. A closed tab or a dead server loses
// none; the uuid of an answer makes sending it twice harmless.

import { send } from "./api.js";

const AT_ONCE = 100;
const WAITS = [500, 1000, 2000, 5000, 10000];

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

export class Outbox {
  #base;
  #tell;
  #failures = 0;
  #flushing = null;
  #timer = 0;
  queued = 0;
  saved = 0;
  isOffline = false;

  // tell(outbox, revealed): called when anything changed; revealed is what the server told of answers.
  static async open(run, tell) {
    const outbox = new Outbox();
    outbox.#tell = tell;
    const request = indexedDB.open(`audit-review-${run}`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("events", { autoIncrement: true });
    outbox.#base = await done(request);
    outbox.queued = await done(outbox.#store("readonly").count());
    addEventListener("online", () => outbox.flush());
    outbox.flush();
    return outbox;
  }

  #store(mode) {
    return this.#base.transaction("events", mode, { durability: "strict" }).objectStore("events");
  }

  async add(reviewer, events) {
    this.queued += events.length; // shown at once
    this.#tell(this, {});
    const store = this.#store("readwrite");
    await Promise.all(events.map((event) => done(store.add({ reviewer, event }))));
    this.flush();
  }

  flush() {
    clearTimeout(this.#timer);
    this.#flushing ??= this.#send().finally(() => { this.#flushing = null; });
    return this.#flushing;
  }

  async #send() {
    for (;;) {
      const store = this.#store("readonly");
      const [keys, rows] = await Promise.all([done(store.getAllKeys(null, AT_ONCE)), done(store.getAll(null, AT_ONCE))]);
      if (!rows.length) break;
      const { reviewer } = rows[0];
      const size = rows.findIndex((one) => one.reviewer !== reviewer);
      const count = size < 0 ? rows.length : size;
      let told;
      try {
        told = await send(reviewer, rows.slice(0, count).map((one) => one.event));
      } catch (error) {
        if (error.mayRetry || error.status === 403 || error.status === 421) {
          this.isOffline = true;
          this.#timer = setTimeout(() => this.flush(), WAITS[Math.min(this.#failures++, WAITS.length - 1)]);
          this.#tell(this, {});
          return;
        }
        if (count > 1) { // one of them is refused: find out which by sending them singly
          await this.#sendSingly(keys.slice(0, count), rows.slice(0, count));
          continue;
        }
        told = { saved: [], revealed: {}, refused: error.message };
      }
      await this.#remove(keys.slice(0, count));
      this.#note(count, told);
    }
  }

  async #sendSingly(keys, rows) {
    for (const [place, key] of keys.entries()) {
      let told;
      try {
        told = await send(rows[place].reviewer, [rows[place].event]);
      } catch (error) {
        if (error.mayRetry) return;
        told = { saved: [], revealed: {}, refused: error.message };
      }
      await this.#remove([key]);
      this.#note(1, told);
    }
  }

  async #remove(keys) {
    const store = this.#store("readwrite");
    await Promise.all(keys.map((key) => done(store.delete(key))));
  }

  #note(count, told) {
    this.queued -= count;
    this.saved += told.saved.length;
    this.isOffline = false;
    this.#failures = 0;
    this.#tell(this, told.revealed, told.refused);
  }
}
