"""Progress of a run: a bar with a rate for each stage, and the seconds each took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from audit.memory import give_back_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Task


class _Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        """The rate of a task, once it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed and task.total else "", style="dim")


class Stages:
    """Runs the stages of an audit one after the other, shows and times them."""

    def __init__(self, console: Console) -> None:
        """Show progress on `console`, which is silent where it is no terminal."""
        self.console = console
        self.timings: list[dict[str, object]] = []

    @contextmanager
    def stage(self, name: str, images: int = 0, steps: int = 0,
              ) -> Iterator[Callable[[float], None]]:
        """Time a stage and show it while it runs.

        Args:
            name: in words, as "measuring".
            images: that it goes through, for the rate in run.json.
            steps: of the bar; the number of images if not given; a spinner if both are 0.

        Yields:
            A function that is told how many steps were done since it was last called.
        """
        begun = time.perf_counter()
        total = steps or images or None
        with Progress(
            SpinnerColumn(), TextColumn("{task.description:<22}"), BarColumn(),
            MofNCompleteColumn(), _Rate(), TimeElapsedColumn(), TimeRemainingColumn(),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(name, total=total)
            yield lambda done: progress.advance(task, done)
        give_back_freed_memory()
        seconds = time.perf_counter() - begun
        self.timings.append({
            "name": name, "seconds": round(seconds, 3),
            "images_per_second": round(images / seconds, 1) if images and seconds else None})

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.console.print(Text(f"audit: {text}"), soft_wrap=True)
