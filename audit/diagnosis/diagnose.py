"""From a model and images to what is wrong with the model, each suspicion tried before it is said.

look → train as it is → train a model of ours → suspect → try → conclude; no step reaches back.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING

from audit.diagnosis import probes
from audit.diagnosis.anatomy import anatomy
from audit.diagnosis.case import CAUSES, Case, Suspicion
from audit.diagnosis.experiment import Limits, Training, planned, train
from audit.diagnosis.initial import Initial, look
from audit.diagnosis.rates import TRIED, RateTest, find_rates
from audit.diagnosis.reference import reference
from audit.diagnosis.subject import combined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from audit.diagnosis.dataset import Images
    from audit.diagnosis.subject import Subject

    Doing = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]

POOR_SHARE = 0.12
"""Of what lies between chance and the reference, that a model must fall short by to be poor."""

DEVIATIONS = 2.0
"""Standard errors that a difference of mean recalls must have to count."""

RECOVERED = 0.4
"""Of the shortfall, that a fix must make good to be a cause."""

PRIOR_WEIGHT = 0.5
"""How much what was seen beforehand counts beside what a fix made good, when causes are ranked."""


MEASURE_TIMES = 2.0
"""Of the time of another training, that the reference gets: cut short, it would be no measure, and
whatever falls short would be called healthy."""

ALL_BUT = 0.05
"""Of the shortfall, that may be left when a fix ends the search: no weaker suspicion could then be
ranked above it."""


STRONG = 0.35
"""Prior from which fixes are tried together where none is enough alone."""


@dataclass(frozen=True)
class Budget:
    """How much time experiments may take.

    Attributes:
        updates: most of one training.
        seconds: most of one training.
        total: most of all suspicions together, in seconds; what is left then is not tried.
    """

    updates: int = 2_000
    seconds: float = 40.0
    total: float = 200.0


QUICK = Budget(updates=400, seconds=8.0, total=30.0)


@dataclass(frozen=True)
class Trial:
    """A suspicion, and what came of its fix.

    Attributes:
        suspicion: that was tried.
        training: with the fix; None where it could not be made or there was no time.
        recovered: share of the shortfall that it made good; may be above 1 or below 0.
        is_verified: whether that is enough, and beyond chance.
        untried: why there is no training.
        is_together: whether fixes of other suspicions were made with it.
    """

    suspicion: Suspicion
    training: Training | None
    recovered: float = 0.0
    is_verified: bool = False
    untried: str = ""
    is_together: bool = False

    @property
    def rank(self) -> float:
        """What causes are ranked by, the higher the more likely."""
        return min(1.0, self.recovered) + PRIOR_WEIGHT * self.suspicion.prior


@dataclass(frozen=True)
class Diagnosis:
    """What was found about a model.

    Attributes:
        initial: the model before its first update.
        as_it_is: its training.
        reference: of a model of ours on the same images.
        rates: loss by learning rate; None where it could not be measured.
        is_poor: whether the model falls short of the reference beyond chance.
        shortfall: by which share of what lies between chance and the reference.
        trials: the most likely cause first; all that was suspected.
        seconds: that it took.
    """

    initial: Initial
    as_it_is: Training
    reference: Training
    rates: RateTest | None
    is_poor: bool
    shortfall: float
    trials: tuple[Trial, ...] = field(default=())
    seconds: float = 0.0

    @property
    def causes(self) -> tuple[Trial, ...]:
        """Verified causes, each once, the most likely first."""
        found: dict[str, Trial] = {}
        for one in self.trials:
            if one.is_verified:
                found.setdefault(one.suspicion.cause, one)
        return tuple(found.values())


@cache
def all_probes() -> tuple[Callable[[Case], Iterator[Suspicion]], ...]:
    """Every probe, in the order of their names."""
    return tuple(importlib.import_module(f"{probes.__name__}.{one.name}").suspect
                 for one in sorted(pkgutil.iter_modules(probes.__path__), key=lambda one: one.name))


def diagnose(subject: Subject, images: Images, seed: int = 0, budget: Budget | None = None,
             doing: Doing = lambda *_: nullcontext(_nothing)) -> Diagnosis:
    """Diagnose a model on images.

    Nothing is suspected of a model that gets as far as the reference on the same images.

    Args:
        subject: the model.
        images: to learn from and to judge by.
        seed: of all that is random.
        budget: of time.
        doing: entered with what is done and its updates (0 if unknown) while it is done; gives a
            function that is told of the updates.
    """
    begun = time.perf_counter()
    budget = budget or Budget()
    limits = Limits(budget.updates, budget.seconds)
    about = anatomy(subject.build(seed))
    with doing("looking at the model", 0):
        initial = look(subject, about, images, seed)
    with doing("training it as it is", planned(subject, images, limits)) as advance:
        as_it_is = train(subject, images, seed, limits, advance)
    own = planned(subject, images, limits)
    measure = reference(len(images.classes), len(images.learned), own)
    patient = Limits(limits.updates, MEASURE_TIMES * limits.seconds)
    with doing("a model of ours", planned(measure, images, patient)) as advance:
        best = train(measure, images, seed, patient, advance)
    is_poor = falls_short(as_it_is, best, images)
    with doing("learning rates", TRIED) as advance:
        rates = find_rates(subject, images, seed, advance)
    trials: list[Trial] = []
    if is_poor:
        case = Case(subject, about, images, initial, as_it_is, best, rates)
        trials = sorted(_tried(case, suspicions(case), seed, budget, doing),
                        key=lambda one: (-one.is_verified, -one.rank))
    return Diagnosis(initial, as_it_is, best, rates, is_poor,
                     shortfall(as_it_is, best, images), tuple(trials),
                     time.perf_counter() - begun)


def _nothing(_updates: int) -> None:
    pass


def shortfall(one: Training, best: Training, images: Images) -> float:
    """Share of what lies between chance and the best that a training lacks, 0 at least."""
    return max(0.0, best.recall - one.recall) / max(1e-9, best.recall - images.chance)


def falls_short(one: Training, best: Training, images: Images) -> bool:
    """Whether a training ends below another by more than chance, and by more than a little."""
    gap = best.recall - one.recall
    room = best.recall - images.chance
    return bool(one.failure) or (gap > POOR_SHARE * room and gap > DEVIATIONS * standard_error(
        one.recall, best.recall, images))


def standard_error(one: float, other: float, images: Images) -> float:
    """Standard error of the difference of two mean recalls on the images judged by."""
    count = max(1, len(images.judged))
    return sqrt(sum(max(share * (1 - share), 0.01) for share in (one, other)) / count)


def suspicions(case: Case) -> list[Suspicion]:
    """What all probes suspect, the strongest first."""
    found = [one for probe in all_probes() for one in probe(case)]
    return sorted(found, key=lambda one: -one.prior)


def _tried(case: Case, suspected: Sequence[Suspicion], seed: int, budget: Budget,
           doing: Doing) -> list[Trial]:
    """Each fix alone; where none is enough, the strong ones together."""
    ends = time.perf_counter() + budget.total
    found: list[Trial] = []
    best = 0.0
    for one in suspected:
        if best >= 1 + PRIOR_WEIGHT * one.prior:
            found.append(Trial(one, None, untried="another fix made good all that was short"))
        elif time.perf_counter() > ends:
            found.append(Trial(one, None, untried="no time was left"))
        else:
            found.append(_trial(case, one, one.remedy, seed, budget, doing))
            best = max(best, found[-1].rank + ALL_BUT if found[-1].is_verified else 0)
    strong = list({one.cause: one for one in reversed(suspected) if one.prior >= STRONG}.values())
    if best or len(strong) < 2 or time.perf_counter() > ends:  # noqa: PLR2004 - two are together
        return found
    remedy = combined(case.subject, [one.remedy for one in strong])
    together = replace(_trial(case, strong[0], remedy, seed, budget, doing), is_together=True)
    if not together.is_verified:
        return found
    weak = [one for one in found if one.suspicion not in strong]
    return [*(replace(together, suspicion=one) for one in strong), *weak]


def _trial(case: Case, one: Suspicion, remedy: Subject, seed: int, budget: Budget, doing: Doing,
           ) -> Trial:
    limits = Limits(budget.updates, budget.seconds)
    with doing(f"trying: {CAUSES[one.cause].lower()}",
               planned(remedy, case.images, limits)) as advance:
        trained = train(remedy, case.images, seed, limits, advance)
    if trained.failure:
        return Trial(one, None, untried=trained.failure)
    gained = trained.recall - case.as_it_is.recall
    recovered = gained / max(1e-9, case.reference.recall - case.as_it_is.recall)
    by_chance = DEVIATIONS * standard_error(trained.recall, case.as_it_is.recall, case.images)
    return Trial(one, trained, recovered, recovered >= RECOVERED and gained > by_chance)
