"""The learning rate: too high, so that the loss jumps; too low, so that it stands still.

Judged by the usual rates of the optimizer, by how the loss went, and by a range test (Smith,
"Cyclical learning rates for training neural networks", 2017). The low side is the one other tools
miss: nothing breaks there, it only takes too long.
"""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_rate
from audit.diagnosis.rates import ANY, DEFAULT, USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGH, LOW = "learning_rate_high", "learning_rate_low"


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect a rate outside of the usual, or one whose loss jumps or stands still."""
    about, seen = case.anatomy, case.as_it_is
    low, high = USUAL.get(about.optimizer, ANY)
    rate = about.rate
    advised = _advised(case)
    losses = [one.loss for one in seen.epochs]
    stands = bool(losses) and not seen.has_diverged and losses[-1] > 0.9 * losses[0]
    above = max(0.0, log10(rate / high)) if rate > 0 else 0.0
    below = max(0.0, log10(low / rate)) if rate > 0 else 3.0
    if above > 0 or seen.has_diverged:
        prior = min(0.95, 0.25 + 0.35 * above + (0.3 if seen.has_diverged else 0))
        evidence = (f"{about.optimizer} learns at {rate:g}; usual are {low:g} to {high:g}"
                    + (", and the loss runs away." if seen.has_diverged else "."))
        for other in dict.fromkeys((advised, min(advised, rate / 10))):
            if other < rate:
                yield Suspicion(HIGH, prior, evidence, f"Set learning_rate={other:.2g}.",
                                case.subject.edited(with_rate(other)))
    if below > 0 or (stands and not above):
        prior = min(0.95, 0.2 + 0.35 * below + (0.15 if stands else 0))
        evidence = (f"{about.optimizer} learns at {rate:g}; usual are {low:g} to {high:g}"
                    + (", and the loss hardly moves." if stands else "."))
        for other in dict.fromkeys((advised, rate * 10 if rate > 0 else advised)):
            if other > rate:
                yield Suspicion(LOW, prior, evidence, f"Set learning_rate={other:.2g}.",
                                case.subject.edited(with_rate(other)))
    elif not above and not seen.has_diverged:
        for other, cause in ((rate / 10, HIGH), (rate * 5, LOW)):
            yield Suspicion(
                cause, 0.1, f"{about.optimizer} learns at {rate:g}, and a rate of {other:.2g} does "
                "better here.", f"Set learning_rate={other:.2g}.",
                case.subject.edited(with_rate(other)))


def _advised(case: Case) -> float:
    """By the range test where it has one, else the usual."""
    return DEFAULT.get(case.anatomy.optimizer, 1e-3) if case.rates is None else (
        case.rates.recommended)
