// Pictures are fetched and decoded before they are shown, so that the next one is there at once.

import { picture } from "./api.js";

export const LARGE = 1280;
export const SMALL = 320;
const KEPT = { [LARGE]: 24, [SMALL]: 240 }; // decoded, a large one is 5 MB

const ready = { [LARGE]: new Map(), [SMALL]: new Map() };
let view = 0;

function fetchOne(key, side, isUrgent) {
  const image = new Image();
  image.decoding = "sync"; // it is decoded already: paint it in the same frame as the rest
  image.fetchPriority = isUrgent ? "high" : "low";
  image.draggable = false;
  image.addEventListener("error", () => { image.alt = "This picture cannot be had: its file is gone."; });
  image.src = picture(key, side);
  image.decode().catch(() => {});
  return image;
}

function take(key, side, isUrgent) {
  const kept = ready[side];
  const found = kept.get(key) ?? { image: fetchOne(key, side, isUrgent), view: 0 };
  kept.delete(key); // and to the end, as the one used last
  kept.set(key, found);
  while (kept.size > KEPT[side]) kept.delete(kept.keys().next().value);
  return found;
}

export function prefetch(key, side = LARGE) { take(key, side, side === LARGE); }

// What is shown from here on is another view: an element may move over from the one before.
export function newView() { view += 1; }

// An element that shows it: the prefetched one, unless this view shows it already.
export function show(key, side, alt) {
  const found = take(key, side, true);
  const image = found.view === view ? fetchOne(key, side, true) : found.image;
  found.view = view;
  image.alt = image.complete && !image.naturalWidth ? image.alt : alt;
  return image;
}
