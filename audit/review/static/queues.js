// Which questions are asked: the two lists above, kept for the next visit.

import { byId, kept, make } from "./dom.js";

const MOST_PAIRS = 300;
const EVERYTHING = { queue: "all", given: "", suggested: "" };

// Fill the lists; change({queue, given, suggested, order}) is called when another is chosen.
export function fillQueues(session, change) {
  const stored = `audit-review-queue-${session.run}`;
  const queues = byId("queue");
  const order = byId("order");
  const option = (value, text) => make("option", { value: JSON.stringify(value), text });
  const count = (one) => one.items.toLocaleString();
  const total = session.checks.reduce((sum, one) => sum + one.items, 0);
  const classes = new Map();
  for (const one of session.pairs) classes.set(one.given, (classes.get(one.given) ?? 0) + one.items);
  const group = (label, options) => options.length ? make("optgroup", { label }, ...options) : null;
  queues.replaceChildren(
    option(EVERYTHING, `everything (${total.toLocaleString()})`),
    ...session.checks.map((one) => option({ ...EVERYTHING, queue: one.code }, `${one.title} (${count(one)})`)),
    option({ ...EVERYTHING, queue: "conflicts" }, "conflicts between reviewers"),
    ...[group("Pairs: in the file → suggested", session.pairs.slice(0, MOST_PAIRS).map((one) => option({ queue: "label", given: one.given, suggested: one.suggested }, `${one.given} → ${one.suggested} (${count(one)})`))),
      group("Class in the file", [...classes].map(([name, items]) => option({ ...EVERYTHING, queue: "label", given: name }, `${name} (${items.toLocaleString()})`)))].filter(Boolean));
  const chosen = () => ({ ...JSON.parse(queues.value), order: order.value });
  try {
    const before = JSON.parse(kept.get(stored) ?? "{}");
    if ([...queues.options].some((one) => one.value === before.queue)) queues.value = before.queue;
    if ([...order.options].some((one) => one.value === before.order)) order.value = before.order;
  } catch { /* from the first queue, then */ }
  queues.onchange = order.onchange = (event) => {
    kept.set(stored, JSON.stringify({ queue: queues.value, order: order.value }));
    event.target.blur();
    change(chosen());
  };
  return chosen();
}
