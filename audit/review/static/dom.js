// Elements are made here, and text goes in as text only: names of classes and files are strangers.

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name === "click") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((one) => one !== null && one !== undefined));
  return element;
}

// Drawn here, because not every machine has a font with these signs. On a square of 16 by 16.
const SHAPES = {
  both: "M6 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9",
  neither: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M4 12l8-8",
  unsure: "M5 5.5a3 3 0 1 1 4.2 2.8C8.3 8.8 8 9.2 8 10.2M8 13v.5",
  exclude: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  keep: "M2.5 8.5l3.5 3.5 7.5-8",
  note: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z",
  zoom: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3L14 14",
  undo: "M6 3L2.5 6.5 6 10M3 6.5h6a4 4 0 0 1 0 7H7",
  grid: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  single: "M2.5 2.5h11v11h-11z",
  search: "M2.5 4h11M2.5 8h11M2.5 12h6",
  swap: "M3 5.5h9L9.5 3M13 10.5H4L6.5 13",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M6.3 6.5a1.7 1.7 0 1 1 2.5 1.5c-.6.3-.8.6-.8 1.2M8 11.3v.3",
  theme: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 2v12M10 3.5v9M12 5v6",
  people: "M5.5 3a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6M1.5 13.5c0-3 1.7-4.5 4-4.5s4 1.5 4 4.5M10.5 3.3a2.3 2.3 0 0 1 0 4.2M12 9.5c1.6.6 2.5 2 2.5 4",
  later: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.5V8l2.5 2",
  warning: "M8 2L1.5 13.5h13zM8 6.5v3.5M8 11.8v.3",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SHAPES[name]);
  drawing.append(path);
  return drawing;
}

// For those who hear the page.
export function announce(text) {
  const live = byId("live");
  live.textContent = "";
  requestAnimationFrame(() => { live.textContent = text; });
}

// What the browser keeps for the next visit; where it keeps nothing, the page works all the same.
export const kept = {
  get(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(name, value); } catch { /* for this visit only, then */ }
  },
  remove(name) {
    try { localStorage.removeItem(name); } catch { /* there is nothing, then */ }
  },
};

// crypto.randomUUID is there on this machine's own address only, not for a tablet in the same room.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// The end of a path, which tells more than its beginning.
export const tail = (path, most = 60) => path.length > most ? `…${path.slice(-most)}` : path;
