// What stands above and below the question: progress, what is saved, what was answered before.

import { announce, byId, icon, make, tail } from "./dom.js";

const ENOUGH = 5; // answers from which a rate is told

const time = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s`
  : seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

// recent: milliseconds that the last answers took.
export function tellProgress(told, recent) {
  if (!told) return;
  const left = Math.max(0, told.total - told.answered);
  byId("bar").max = Math.max(1, told.total);
  byId("bar").value = told.total ? told.answered : 1;
  const times = recent.length >= ENOUGH ? [...recent].sort((one, other) => one - other) : null;
  const seconds = times ? times[times.length >> 1] / 1000 : told.median_seconds;
  byId("done").textContent = `${told.answered.toLocaleString()} of ${told.total.toLocaleString()}`;
  byId("rate").textContent = seconds ? `${Math.max(1, Math.round(60 / seconds)).toLocaleString()} a minute · ${time(seconds * left)} left` : "";
}

export function tellSaved(outbox, failure) {
  const saved = byId("saved");
  saved.replaceChildren(icon(outbox.queued ? "later" : "keep"),
    make("span", { text: `${outbox.saved.toLocaleString()} saved · ${outbox.queued.toLocaleString()} queued` }));
  saved.classList.toggle("waiting", outbox.queued > 0);
  const isAway = outbox.isOffline || Boolean(failure);
  byId("offline").hidden = !(isAway || outbox.isFragile);
  if (!isAway && !outbox.isFragile) return;
  const keeps = outbox.isFragile ? " This browser keeps nothing: leave the page open until all is saved." : " Answers are kept in this browser.";
  byId("offline-text").textContent = outbox.isLockedOut ? `The server was started again and does not know this page: open the address that its terminal shows.${keeps}`
    : isAway ? `The server cannot be reached. Go on: answers are sent when it is back.${keeps}` : keeps.trim();
}

export function tellLine(text) {
  byId("previous").replaceChildren(text);
  announce(text);
}

// The answer that was just given; what the file said follows when the server has told it.
export class Previous {
  #id = "";
  #answer = "";
  #label = "";

  answered(id, answer, label) {
    [this.#id, this.#answer, this.#label] = [id, answer, label];
    byId("previous").replaceChildren(icon(answer === "class" ? "keep" : answer), "Last: ", make("b", { text: this.#words }));
  }

  get #words() { return this.#answer === "class" ? this.#label : this.#answer; }

  forget() { this.#id = ""; }

  reveal(revealed) {
    const told = revealed[this.#id];
    if (!told) return;
    const { given, suggested, score, name } = told;
    this.#id = "";
    const verdict = this.#answer !== "class" || !given ? "" : given === this.#label ? "the file says so too" : "the file said otherwise";
    const parts = [icon(this.#answer === "class" ? "keep" : this.#answer), "Last: ", make("b", { text: this.#words })];
    if (given) parts.push(` · file: `, make("b", { text: given }));
    if (suggested) parts.push(` · model: `, make("b", { text: suggested }), ` · label score ${score.toFixed(2)}`);
    parts.push(make("span", { class: "path", title: name, text: tail(name) }));
    byId("previous").replaceChildren(...parts);
    if (verdict) announce(`${this.#label}: ${verdict}.`);
  }
}
