"""What the labelers' page is timed by, in the page itself: scripts for the browser.

`WATCH` gathers in `times` the milliseconds from each key event to the frame in which the next
question stands with its picture; `EMPTY_FRAMES` gives those of two empty frames, sixty times.
"""

WATCH = """
window.times = [];
addEventListener("keydown", (event) => {
  const before = document.querySelector("[data-item]")?.dataset.item;
  const look = () => {
    const image = document.querySelector(".picture img");
    const item = document.querySelector("[data-item]")?.dataset.item;
    if (item === before || !image?.complete || !image.naturalWidth) requestAnimationFrame(look);
    else setTimeout(() => times.push(performance.now() - event.timeStamp));
  };
  requestAnimationFrame(look);
}, true);
"""

EMPTY_FRAMES = """async () => {
  const times = [];
  for (let count = 0; count < 60; count += 1) {
    const begin = performance.now();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
      () => setTimeout(done))));
    times.push(performance.now() - begin);
  }
  return times;
}"""
