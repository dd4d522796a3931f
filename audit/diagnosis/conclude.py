"""Is it the data or is it the model? From experiments to a verdict, with a probability in words."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from audit.diagnosis.case import CAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.diagnosis.data import DataCause
    from audit.diagnosis.diagnose import Diagnosis

DATA, MODEL, SETTINGS, SEVERAL, NOTHING = "data", "model", "settings", "several", "nothing"

_SETTINGS = {"learning_rate_high", "learning_rate_low", "optimizer", "epochs", "batch_size"}
_WORDS = ((0.85, "almost certainly"), (0.65, "probably"), (0.4, "perhaps"))
FAR = 0.5
"""Of what lies between chance and the reference, that a model must lack before its architecture is
blamed: no fix was seen to help there, and a model may be smaller than ours on purpose."""

SURE_OF_DATA = 0.9
"""From which a cause in the data comes before those in the model."""

LEAST_SAID = 0.4
"""Below it a cause in the data is not said where the model is at fault."""


@dataclass(frozen=True)
class Cause:
    """One cause, as it is told.

    Attributes:
        key: of `case.CAUSES`.
        title: in words.
        probability: in words.
        evidence: what was seen.
        fix: what to do.
        before: mean recall as it is; None of causes in the data.
        after: mean recall with the fix; None where it was not tried.
        refuted_by: the experiment that would refute it.
    """

    key: str
    title: str
    probability: str
    evidence: str
    fix: str
    before: float | None
    after: float | None
    refuted_by: str


@dataclass(frozen=True)
class Conclusion:
    """The answer.

    Attributes:
        blame: `data`, `model`, `settings`, `several` or `nothing`.
        sentence: the verdict.
        causes: the most likely first.
    """

    blame: str
    sentence: str
    causes: tuple[Cause, ...]


def conclude(found: Diagnosis, data: Sequence[DataCause]) -> Conclusion:
    """Draw the conclusion.

    A model is blamed only if it falls short of the reference on the same data, and then for what
    a fix was seen to make good. Data are blamed for what an audit or the reference shows.
    """
    model = [Cause(
        one.suspicion.cause, CAUSES[one.suspicion.cause],
        _in_words(0.5 * min(1.0, one.recovered) + 0.5 * max(one.suspicion.prior, 0.5)),
        one.suspicion.evidence, one.suspicion.fix, found.as_it_is.recall,
        one.training.recall if one.training else None,
        "The same training with " + ("all these fixes" if one.is_together else "this fix")
        + " gets no further.") for one in found.causes]
    if found.is_poor and not model and (found.shortfall > FAR or found.as_it_is.failure):
        model = [_unmended(found)]
    said = [one for one in data if one.strength >= LEAST_SAID]
    own = [Cause(one.cause, CAUSES[one.cause], _in_words(one.strength), one.evidence, one.fix, None,
                 None, one.refuted_by) for one in said]
    sure = sum(one.strength >= SURE_OF_DATA for one in said)
    return Conclusion(*_blame(model, own, sure), (*own[:sure], *model, *own[sure:]))


def _unmended(found: Diagnosis) -> Cause:
    """What is said of a model that no change was seen to help."""
    own, ours = found.as_it_is, found.reference
    if own.failure:
        key, sure = "raises", "almost certainly"
        evidence = f"Keras raised {own.failure}."
        fix, refuted = "Mend that first; what else is wrong shows after.", "model.fit in Python."
    elif isnan(found.initial.loss):
        key, sure = "no_number", "almost certainly"
        first = found.initial.first_without_number
        evidence = "The loss is no number before the first update" + (
            f'; layer "{first}" is the first that gives none.' if first else ".")
        fix = ("Look there for a division by 0, a root or logarithm of 0 or less, a weight that is "
               "NaN.")
        refuted = "The outputs of that layer for a few pictures, which are finite."
    else:
        key, sure = "architecture", "perhaps"
        evidence = (
            f"Mean recall {100 * own.recall:.0f} %; a small convolutional network of ours gets to "
            f"{100 * ours.recall:.0f} % on the same images, and no change that was tried brings "
            "the model there.")
        fix = "Begin with convolutions, batch normalisation and Adam, and go on from there."
        refuted = "A model of this architecture that gets as far with other settings."
    return Cause(key, CAUSES[key], sure, evidence, fix, own.recall, None, refuted)


def _blame(model: Sequence[Cause], data: Sequence[Cause], sure: int) -> tuple[str, str]:
    if model and data:
        parts = [f"in the model: {_lower(model[0].title)} ({model[0].probability})",
                 f"in the data: {_lower(data[0].title)} ({data[0].probability})"]
        return SEVERAL, f"Both, {', and '.join(reversed(parts) if sure else parts)}."
    if data:
        rest = f"; and {_lower(data[1].title)}" if len(data) > 1 else ""
        return DATA, (f"It is the data: {_lower(data[0].title)} ({data[0].probability}){rest}. The "
                      "model gets as far as a model of ours on the same images.")
    if model:
        blame = SETTINGS if model[0].key in _SETTINGS else MODEL
        where = "the training settings" if blame == SETTINGS else "the model"
        return blame, f"It is {where}: {_lower(model[0].title)} ({model[0].probability})."
    return NOTHING, ("Nothing is wrong that was looked for: the model gets as far as a model of "
                     "ours on the same images.")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _in_words(probability: float) -> str:
    return next((words for least, words in _WORDS if probability >= least), "possibly")
