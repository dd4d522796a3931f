// Looking closer: the whole picture, or a part of it at 100 % or more, moved by arrows or the mouse.

const LEAST = 2.5; // times as large as the whole picture is shown
const STEP = 0.2; // of the frame, by an arrow

const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Zoom {
  #image = null;
  #pixels = 0; // of the file, across
  #scale = 1;
  #at = [0, 0];
  #mouse = null;

  get isOn() { return this.#scale > 1; }

  // Take the picture of a new view; width is the file's own, 0 where unknown.
  attach(box, width) {
    this.#image = box.querySelector("img");
    this.#pixels = width;
    this.#scale = 1;
    this.#image.style.removeProperty("transform");
    box.addEventListener("pointermove", (event) => this.#follow(box, event));
    box.addEventListener("click", (event) => {
      if (this.#mouse?.hasMoved) return;
      this.#mouse = { x: event.clientX, y: event.clientY };
      this.toggle();
    });
    box.addEventListener("pointerdown", () => { if (this.#mouse) this.#mouse.hasMoved = false; });
    this.#tell();
  }

  detach() { this.#image = null; this.#scale = 1; }

  toggle() {
    if (!this.#image?.naturalWidth) return;
    if (this.isOn) this.leave();
    else {
      this.#scale = Math.max(LEAST, this.#image.naturalWidth / this.#shown()[0]);
      this.#at = this.#toMouse();
      this.#move(0, 0);
    }
  }

  leave() {
    if (!this.#image) return;
    this.#scale = 1;
    this.#at = [0, 0];
    this.#image.style.removeProperty("transform");
    this.#tell();
  }

  // Whether the key was one of ours.
  pan(key) {
    const way = ARROWS[key];
    if (!way || !this.isOn) return false;
    const { clientWidth, clientHeight } = this.#image.parentElement;
    this.#move(way[0] * STEP * clientWidth, way[1] * STEP * clientHeight);
    return true;
  }

  // Width and height of the whole picture on the screen.
  #shown() {
    const { naturalWidth, naturalHeight, clientWidth, clientHeight } = this.#image;
    const fit = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
    return [naturalWidth * fit, naturalHeight * fit];
  }

  #toMouse() {
    if (!this.#mouse) return [0, 0];
    const area = this.#image.parentElement.getBoundingClientRect();
    const away = [this.#mouse.x - area.left - area.width / 2, this.#mouse.y - area.top - area.height / 2];
    if (Math.abs(away[0]) > area.width / 2 || Math.abs(away[1]) > area.height / 2) return [0, 0];
    return away.map((one) => -one * (this.#scale - 1));
  }

  #follow(box, event) {
    const before = this.#mouse;
    this.#mouse = { x: event.clientX, y: event.clientY, hasMoved: before?.hasMoved ?? false };
    if (!this.isOn) return;
    if (event.pointerType === "mouse") {
      this.#at = this.#toMouse();
      this.#move(0, 0);
    } else if (before) {
      this.#mouse.hasMoved = true;
      this.#move(event.clientX - before.x, event.clientY - before.y);
    }
  }

  #move(x, y) {
    const box = this.#image.parentElement;
    const most = this.#shown().map((one, axis) => Math.max(0, (one * this.#scale - [box.clientWidth, box.clientHeight][axis]) / 2));
    this.#at = [this.#at[0] + x, this.#at[1] + y].map((one, axis) => Math.min(most[axis], Math.max(-most[axis], one)));
    this.#image.style.setProperty("transform", `translate(${this.#at[0]}px, ${this.#at[1]}px) scale(${this.#scale})`);
    this.#tell();
  }

  #tell() {
    const box = this.#image.parentElement;
    box.classList.toggle("zoomed", this.isOn);
    const line = box.querySelector(".scale");
    const percent = this.#pixels && this.#image.naturalWidth ? `${Math.round(100 * this.#shown()[0] * this.#scale / this.#pixels)} %` : "";
    line.textContent = this.isOn ? `${percent} · arrows move it, 1 and 2 still answer` : "";
  }
}
