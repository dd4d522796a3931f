"""What `audit train` found: training.json, and the last lines on the console."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from audit.training import Score, differences, score

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from audit.types import Difference
    from pipelines.train_network import Trained

MOST_CLASSES = 8
"""Whose recalls are shown on the console: those that changed most."""


@dataclass(frozen=True)
class Verdict:
    """Scores of the arms and the gains between them.

    Attributes:
        scores: one an arm.
        gains: accuracy and balanced accuracy, from the data as they came to each later arm.
        steps: the same, from each arm to the next.
    """

    scores: tuple[Score, ...]
    gains: tuple[tuple[Difference, Difference], ...]
    steps: tuple[tuple[Difference, Difference], ...]

    @property
    def is_worse(self) -> bool:
        """Whether the mean recall of the classes is measurably lower with all remedies.

        That alone: balancing costs some accuracy where it finds more of rare classes.
        """
        return bool(self.gains) and self.gains[-1][1].high < 0

    @property
    def has_helped(self) -> bool:
        """Whether it is measurably higher."""
        return bool(self.gains) and self.gains[-1][1].low > 0

    @property
    def saved_arm(self) -> int:
        """Of which a network is saved: the last, unless the data as they came are better."""
        return 0 if self.is_worse else len(self.scores) - 1

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        if not self.gains:
            return "The plan changes nothing that is trained on: there is nothing to compare."
        accuracy, balanced = self.gains[-1]
        figures = (f"mean recall of the classes {_points(balanced)}, accuracy "
                   f"{_points(accuracy)}")
        if self.is_worse:
            return f"The remedies made it worse: {figures}. The network as the data came was saved."
        if self.has_helped:
            return f"The remedies helped: {figures}."
        return f"The remedies had no measurable effect: {figures}."


def judge(trained: Trained) -> Verdict:
    """Score the arms and compare them."""
    logits = trained.logits
    return Verdict(
        tuple(score(one, trained.truth) for one in logits),
        tuple(differences(logits[0], one, trained.truth) for one in logits[1:]),
        tuple(differences(before, after, trained.truth)
              for before, after in pairwise(logits)))


def as_json(trained: Trained, verdict: Verdict) -> dict[str, object]:
    """What training.json holds."""
    arms = []
    for number, (arm, one) in enumerate(zip(trained.arms, verdict.scores, strict=True)):
        told: dict[str, object] = {
            "name": arm.name, "what": arm.what, "images": len(set(arm.rows.tolist())),
            "examples": len(arm.rows), "accuracy": one.accuracy,
            "balanced_accuracy": one.balanced_accuracy,
            "calibration_error": one.calibration_error, "log_loss": one.log_loss,
            "by_seed": [{"accuracy": accuracy, "balanced_accuracy": balanced}
                        for accuracy, balanced in one.by_seed],
            "recalls": {trained.classes[label]: {"recall": recall, "low": low, "high": high}
                        for label, (recall, low, high) in one.recalls.items()},
            "epochs": [len(history) for history in trained.histories[number]]}
        if number:
            told["gain"] = _gains(verdict.gains[number - 1])
            told["gain_of_step"] = _gains(verdict.steps[number - 1])
        arms.append(told)
    return {
        "network": trained.network, "test_images": len(trained.truth),
        "classes": list(trained.classes), "learning_rate": trained.learning_rate,
        "range_test": None if trained.range_test is None else asdict(trained.range_test),
        "seeds": trained.logits.shape[1], "arms": arms, "verdict": verdict.sentence,
        "has_helped": verdict.has_helped, "saved": trained.arms[verdict.saved_arm].name,
        "notes": list(trained.notes)}


def print_training(console: Console, trained: Trained, verdict: Verdict, network: Path) -> None:
    """Print before and after, what each remedy brought, and what to do next."""
    seeds = trained.logits.shape[1]
    console.print()
    console.print(Text(verdict.sentence, style="bold"), soft_wrap=True)
    console.print()
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("trained on", no_wrap=True)
    for heading in ("images", "accuracy", "mean recall"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("change ¹", no_wrap=True)
    for number, (arm, one) in enumerate(zip(trained.arms, verdict.scores, strict=True)):
        change = verdict.steps[number - 1][1] if number else None
        table.add_row(
            arm.what, f"{len(set(arm.rows.tolist())):,}", _percent(one.accuracy),
            _percent(one.balanced_accuracy),
            "" if change is None else _points(change).replace(" points", ""))
    console.print(table)
    console.print(Text(_footnote(seeds, len(trained.truth))), soft_wrap=True)
    first, last = verdict.scores[0], verdict.scores[-1]
    if verdict.gains:
        console.print(Text(f"Calibration error {first.calibration_error:.3f} before, "
                           f"{last.calibration_error:.3f} after."))
    console.print()
    if verdict.gains:
        _print_recalls(console, trained, verdict)
    for note in trained.notes:
        console.print(Text(note), soft_wrap=True)
    rate = ("as asked for" if trained.range_test is None else "by a range test")
    console.print(Text(f"Network   {trained.network}; learning rate {trained.learning_rate:.2g} "
                       f"({rate})"), soft_wrap=True)
    console.print(Text(f"Saved     {network} (load_network.py beside it loads it)"), soft_wrap=True)
    console.print(Text(f"Report    {network.with_name('training.html')}"), soft_wrap=True)


def _footnote(seeds: int, tested: int) -> str:
    text = (f"¹ Of the mean recall of the classes against the row above, in points, with its 90 % "
            f"interval. Means of {seeds} training{'s' if seeds > 1 else ''} each, with the same "
            f"network, updates and seeds, on {tested:,} test images.")
    if seeds == 1:
        text += (" Of one training it is not known what another seed would change: the intervals "
                 "are too narrow. --seeds 3 tells.")
    return text


def _print_recalls(console: Console, trained: Trained, verdict: Verdict) -> None:
    before, after = verdict.scores[0].recalls, verdict.scores[-1].recalls
    order = sorted(before, key=lambda label: -abs(after[label][0] - before[label][0]))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("class")
    for heading in ("recall before", "after"):
        table.add_column(heading, no_wrap=True)
    for label in order[:MOST_CLASSES]:
        table.add_row(trained.classes[label], _recall(before[label]), _recall(after[label]))
    console.print(table)
    if len(order) > MOST_CLASSES:
        console.print(Text(f"and {len(order) - MOST_CLASSES} more classes, which changed less "
                           "(training.json)"))
    console.print()


def _recall(told: tuple[float, float, float]) -> str:
    value, low, high = told
    return f"{100 * value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(one: Difference) -> str:
    return (f"{100 * one.change:+.1f} points ({100 * one.low:.1f} to {100 * one.high:.1f})"
            ).replace("-", "−")


def _gains(pair: tuple[Difference, Difference]) -> dict[str, object]:
    return {name: {"points": 100 * one.change, "low": 100 * one.low, "high": 100 * one.high}
            for name, one in zip(("accuracy", "balanced_accuracy"), pair, strict=True)}
