// Pictures are fetched and decoded before they are shown, so that the next one is there at once.

import { picture } from "./api.js";

export const LARGE = 1280;
export const SMALL = 320;
const KEPT = 40;

const ready = new Map();

export function prefetch(key, side = LARGE) {
  const name = `${key} ${side}`;
  if (ready.has(name)) return;
  const image = new Image();
  image.src = picture(key, side);
  image.decode().catch(() => {});
  ready.set(name, image);
  while (ready.size > KEPT) ready.delete(ready.keys().next().value);
}

// An element that shows it; the prefetched one if there is one.
export function show(key, side, alt) {
  const name = `${key} ${side}`;
  const image = ready.get(name) ?? new Image();
  ready.delete(name);
  if (!image.src) image.src = picture(key, side);
  image.alt = alt;
  image.draggable = false;
  return image;
}
