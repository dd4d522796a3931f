"""How many of the suspected labels are wrong, from those that people have settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import mannwhitneyu, rankdata

from audit.intervals import DEVIATIONS_90, wilson
from audit.review.agreement import settle
from audit.review.items import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from audit.review.items import Item
    from audit.review.store import Standing

LEAST_TO_CALIBRATE = 30
LEAST_OF_EACH = 5
"""Reviewed labels, and of them right and wrong ones, from which the scores of the others are read;
below, one share holds for all. Of five of the rarer outcome a slope is known to its sign at best,
and the interval says so."""

_UNLIKE = 0.05
"""Significance at which the scores of the reviewed are not those of the open: they were chosen."""

_DRAWS = 100


@dataclass(frozen=True)
class FlagPrecision:
    """Of suspected labels, how many people found wrong, with 90 % intervals.

    Attributes:
        reviewed: suspected labels that are settled.
        wrong: of these, found wrong.
        share: `(estimate, low, high)` of wrong ones among those reviewed.
        open: suspected labels that are not settled.
        still_wrong: `(estimate, low, high)` of wrong ones among the open; None where the reviewed
            are unlike them and too few were right, or wrong, to tell what that makes.
        is_calibrated: whether the scores of the open ones were taken into account.
    """

    reviewed: int
    wrong: int
    share: tuple[float, float, float]
    open: int
    still_wrong: tuple[float, float, float] | None
    is_calibrated: bool


def flag_precision(items: Iterable[Item], standing: Standing) -> FlagPrecision | None:
    """What the settled questions say of all suspected labels; None while none is settled.

    A label is wrong if the answer is another class, or that none fits; excluded images tell
    nothing. Who begins with the worst finds more of them wrong than there are among the rest, so
    the open ones are judged by their scores where enough is known; where it is not, and the
    reviewed were chosen by their scores, they are not judged at all.
    """
    asked = [one for one in items if one.kind == LABEL and one.is_flagged and not one.truth]
    events = [settle(standing.of_item(one.item_id)) for one in asked]
    is_known = np.array([event is not None and event.answer in {"class", "neither", "both", "keep"}
                         for event in events], bool)
    if not is_known.any():
        return None
    is_open = np.array([event is None for event in events], bool)
    is_wrong = np.array([event is not None and (event.answer == "neither" or (
        event.answer == "class" and event.label != one.given))
        for one, event in zip(asked, events, strict=True)], bool)
    wrong = is_wrong[is_known]
    low, high = wilson(float(wrong.sum()), len(wrong), DEVIATIONS_90)
    share = float(wrong.mean()), low, high
    left = int(is_open.sum())
    places = rankdata([one.score for one in asked]) / len(asked)
    rarer = min(int(wrong.sum()), int((~wrong).sum()))
    is_calibrated = left > 0 and len(wrong) >= LEAST_TO_CALIBRATE and rarer >= LEAST_OF_EACH
    still: tuple[float, float, float] | None = share[0] * left, low * left, high * left
    if is_calibrated:
        still = _by_score(places[is_known], wrong, places[is_open])
    elif left and mannwhitneyu(places[is_known], places[is_open]).pvalue < _UNLIKE:
        still = None
    return FlagPrecision(len(wrong), int(wrong.sum()), share, left, still, is_calibrated)


def in_words(found: FlagPrecision) -> str:
    """One sentence or two, of plain text."""
    share, low, high = (100 * one for one in found.share)
    told = (f"Of {found.reviewed:,} suspected labels reviewed, {found.wrong:,} were wrong "
            f"({share:.0f} %, 90 % interval {low:.0f} to {high:.0f})")
    if not found.open:
        return f"{told}."
    if found.still_wrong is None:
        return (f"{told}. How many of the {found.open:,} others are cannot be told from these, "
                "which were chosen by their scores: review some in random order.")
    still, least, most = found.still_wrong
    why = "judged by their scores" if found.is_calibrated else "if they are like these"
    return (f"{told}; of the {found.open:,} others about {still:.0f} are ({least:.0f} to "
            f"{most:.0f}), {why}.")


def _by_score(places: NDArray[np.float64], wrong: NDArray[np.bool_],
              open_places: NDArray[np.float64]) -> tuple[float, float, float]:
    """How many of the open are wrong: estimate, low, high.

    Platt, "Probabilistic outputs for support vector machines", 1999, on the place of a label among
    the suspected, 0 to 1: the probability of being wrong is logistic in it. The interval is from
    the Bayesian bootstrap (Rubin, 1981) with the chance of each open label on top.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second of importing

    def count(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        model = LogisticRegression(C=10).fit(places[:, None], wrong, sample_weight=weights)
        return np.asarray(model.predict_proba(open_places[:, None])[:, 1], float)

    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        chances = count(rng.dirichlet(np.ones(len(wrong))) * len(wrong))
        drawn.append((rng.random(len(chances)) < chances).sum())
    low, high = np.quantile(drawn, [0.05, 0.95])
    return float(count(np.ones(len(wrong))).sum()), float(low), float(high)
