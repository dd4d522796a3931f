// What a key answers, by the kind of the question.

const NOT_HERE = "Not for this question.";
const SIDES = { left: 0, first: 0, right: 1, second: 1 };

const numberOf = (act) => Number(/^other(\d)$/.exec(act)?.[1] ?? 0);
const plain = (act, ...possible) => possible.includes(act) ? { answer: act, label: "" } : { refusal: NOT_HERE };

// The answer {answer, label} that an act gives to a question, or {refusal} in words.
export function answerOf(item, act) {
  if (item.kind === "duplicates") return ofCopies(item, act);
  return item.kind === "quality" ? ofQuality(act) : ofClasses(item, act);
}

function ofClasses(item, act) {
  const isSide = act in SIDES;
  if (!isSide && !numberOf(act)) return plain(act, "both", "neither", "unsure", "exclude");
  const name = isSide ? item.sides[SIDES[act]] : item.likely[numberOf(act) - 3];
  return name === undefined ? { refusal: "There is no such class." } : { answer: "class", label: name };
}

function ofCopies(item, act) {
  if (act === "both") return { answer: "keep", label: "" };
  const isArrow = act === "left" || act === "right";
  const isSide = act in SIDES && (!isArrow || item.images.length === 2);
  if (!isSide && !numberOf(act)) return plain(act, "unsure", "exclude");
  const one = item.images[isSide ? SIDES[act] : numberOf(act) - 1];
  return one ? { answer: "keep", label: one.sha256 } : { refusal: "There is no such copy." };
}

function ofQuality(act) {
  if (act in SIDES) return { answer: SIDES[act] ? "exclude" : "keep", label: "" };
  return plain(act, "unsure", "exclude");
}
