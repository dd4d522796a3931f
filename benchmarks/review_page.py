"""From key press to the next picture on the labelers' page, in a real browser.

    make bench-page ARGS="RUN [--answers 200] [--pause 0.0]"

The run is served as `audit review` does it, with an empty store of answers in a temporary folder,
and headless Chromium answers its first questions, each as soon as the picture before is painted
(and after a pause, as a person would). The time runs from the key event until the frame is drawn
in which the next question stands with its picture decoded. Beside it, the time of two empty frames
on the same page: what no page can go below.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import uvicorn
from playwright.sync_api import sync_playwright

from audit.review.items import Catalogue
from audit.review.pictures import Pictures
from audit.review.server import ReviewSettings, make_app
from audit.review.store import ReviewStore
from audit.stored_run import read_run
from benchmarks.page_timing import EMPTY_FRAMES, WATCH
from pipelines.remedy_dataset import find_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Page

TOKEN = "of-the-benchmark"  # noqa: S105 - serves for as long as the benchmark runs


class Served:
    """A run on a free port of this machine."""

    def __init__(self, run_dir: Path, store: ReviewStore) -> None:
        begun = time.perf_counter()
        run = read_run(run_dir)
        paths = find_sources(run).set_index("image_id")["path"].loc[run.images["image_id"]]
        self.catalogue = Catalogue(run)
        self._listener = socket.create_server(("127.0.0.1", 0))
        host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.address = f"http://{host}/?token={TOKEN}"
        app = make_app(self.catalogue, store, Pictures(paths.tolist()), ReviewSettings(
            hosts=(host,), token=TOKEN, run=run.digest, reviewer="benchmark"))
        self.images = len(run.images)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run,
                                        kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()
        self.seconds = time.perf_counter() - begun

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)


def wait_for(page: Page, condition: str, argument: Any = None) -> None:
    """Poll; the page lets nobody run strings, which Playwright's own waiting does."""
    end = time.monotonic() + 60
    while not page.evaluate(condition, argument):
        if time.monotonic() > end:
            raise TimeoutError(condition)
        page.wait_for_timeout(5)


def key_times(page: Page, count: int, pause: float) -> list[float]:
    """Milliseconds from each key press to the next picture."""
    page.evaluate(WATCH)
    for number in range(count):
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        wait_for(page, "count => times.length >= count", number + 1)
        page.wait_for_timeout(pause * 1_000)
    return page.evaluate("times")


def summary(name: str, times: Sequence[float]) -> str:
    parts = quantiles(times, n=20)
    return (f"{name:22} median {parts[9]:6.0f} ms   p95 {parts[-1]:6.0f} ms   "
            f"largest {max(times):6.0f} ms   of {len(times)}")


def lines(served: Served, answers: int, pause: float) -> Iterator[str]:
    """Answer questions about labels in a browser, and tell how long each took to go on."""
    yield (f"{served.images:,} images, {len(served.catalogue.items):,} questions; read and served "
           f"in {served.seconds:.1f} s")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"),
                                             args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        begun = time.perf_counter()
        page.goto(served.address)
        wait_for(page, "() => document.querySelector('.picture img')?.naturalWidth > 0")
        yield f"first picture after {time.perf_counter() - begun:.1f} s"
        wait_for(page, "() => document.documentElement.dataset.ready === 'yes'")
        page.select_option("#queue", page.evaluate(
            "() => [...document.querySelectorAll('#queue option')].map(one => one.value)"
            ".find(one => JSON.parse(one).queue === 'label' && !JSON.parse(one).given)"))
        page.wait_for_timeout(1_000)
        page.mouse.click(5, 700)
        yield summary("two empty frames", page.evaluate(EMPTY_FRAMES))
        yield summary("to the next picture", key_times(page, answers, pause))
        begun = time.perf_counter()
        page.keyboard.press("g")
        wait_for(page, "() => { const all = [...document.querySelectorAll('.thumb img')]; "
                       "return all.length && all.every(one => one.complete); }")
        yield f"grid, all pictures shown after {time.perf_counter() - begun:.1f} s"
        browser.close()


def main() -> None:
    """Serve a run and measure."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each key press")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = ReviewStore(Path(folder) / "review.sqlite")
        served = Served(chosen.run, store)
        try:
            for line in lines(served, chosen.answers, chosen.pause):
                print(line, flush=True)
        finally:
            served.stop()
            store.close()


if __name__ == "__main__":
    main()
