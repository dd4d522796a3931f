// Answers wait in IndexedDB until the server has them on disk. A closed tab or a dead server loses
// none; the uuid of an answer makes sending it twice harmless.

import { send } from "./api.js";

const AT_ONCE = 100;
const WAITS = [500, 1000, 2000, 5000]; // milliseconds before the next try

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  request.onblocked = () => reject(new Error("blocked"));
});

export class Outbox {
  #base = null;
  #tell;
  #rows = []; // { order, reviewer, event }, the oldest first
  #count = 0;
  #singly = 0; // so many are sent one by one, to find the one that is refused
  #failures = 0;
  #flushing = null;
  #timer = 0;
  saved = 0;
  isOffline = false;
  isLockedOut = false;
  isFragile = false; // this browser keeps nothing: what is queued lives as long as the page

  get queued() { return this.#rows.length; }

  // tell(outbox, revealed, refused): when anything changed; revealed is what the server told of
  // answers, refused is { event, message }.
  static async open(run, tell) {
    const outbox = new Outbox();
    outbox.#tell = tell;
    try {
      const request = indexedDB.open(`audit-review-${run}`, 2);
      request.onupgradeneeded = () => {
        const base = request.result;
        if (base.objectStoreNames.contains("events")) base.deleteObjectStore("events");
        base.createObjectStore("events", { keyPath: "order" });
      };
      outbox.#base = await done(request);
      outbox.#rows = await done(outbox.#store("readonly").getAll());
    } catch {
      outbox.isFragile = true;
    }
    addEventListener("online", () => outbox.flush());
    addEventListener("beforeunload", (event) => {
      if (outbox.isFragile && outbox.queued) event.preventDefault();
    });
    return outbox;
  }

  #store(mode) {
    return this.#base.transaction("events", mode, { durability: "strict" }).objectStore("events");
  }

  // Take events over; nothing is waited for.
  add(reviewer, events) {
    const rows = events.map((event) => {
      this.#count += 1;
      const order = `${String(Date.now()).padStart(15, "0")}-${String(this.#count).padStart(9, "0")}-${event.uuid}`;
      return { order, reviewer, event };
    });
    this.#rows.push(...rows);
    this.#keep(rows);
    this.#tell(this, {}, null);
    this.flush();
  }

  async #keep(rows) {
    try {
      const store = this.#store("readwrite");
      await Promise.all(rows.map((one) => done(store.put(one))));
    } catch {
      this.isFragile = true;
      this.#tell(this, {}, null);
    }
  }

  async #forget(rows) {
    try {
      const store = this.#store("readwrite");
      await Promise.all(rows.map((one) => done(store.delete(one.order))));
    } catch { /* it is sent again the next time, which is harmless */ }
  }

  // Send what waits; resolves when all is saved, or when the server cannot be reached.
  flush() {
    clearTimeout(this.#timer);
    this.#flushing ??= this.#send().finally(() => { this.#flushing = null; });
    return this.#flushing;
  }

  async #send() {
    while (this.#rows.length) {
      const rows = this.#next();
      let told;
      let refused = null;
      try {
        told = await send(rows[0].reviewer, rows.map((one) => one.event));
      } catch (error) {
        if (error.mayRetry) {
          this.#wait(error);
          return;
        }
        if (rows.length > 1) {
          this.#singly = rows.length;
          continue;
        }
        told = { saved: [], revealed: {} };
        refused = { event: rows[0].event, message: error.message };
      }
      this.#rows.splice(0, rows.length);
      this.#forget(rows);
      this.saved += told.saved.length;
      this.isOffline = this.isLockedOut = false;
      this.#failures = 0;
      this.#tell(this, told.revealed, refused);
    }
  }

  #next() {
    if (this.#singly > 0) {
      this.#singly -= 1;
      return this.#rows.slice(0, 1);
    }
    const rows = this.#rows.slice(0, AT_ONCE);
    const end = rows.findIndex((one) => one.reviewer !== rows[0].reviewer);
    return end < 0 ? rows : rows.slice(0, end);
  }

  #wait(error) {
    this.isOffline = true;
    this.isLockedOut = error.isLockedOut;
    const wait = WAITS[Math.min(this.#failures, WAITS.length - 1)];
    this.#failures += 1;
    this.#timer = setTimeout(() => this.flush(), wait);
    this.#tell(this, {}, null);
  }
}
