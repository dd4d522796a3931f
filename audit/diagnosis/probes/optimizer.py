"""The optimizer: plain descent and those whose steps shrink are slow on small budgets.

SGD without momentum, Adagrad, Adadelta (at Keras' 0.001, a thousandth of its paper's) and Ftrl need
many more updates than Adam or momentum (Schmidt et al., "Descending through a crowded valley",
2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.case import Case, Suspicion
from audit.diagnosis.edits import with_adam

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "optimizer"
_SLOW = {"Adadelta": 0.75, "Adagrad": 0.6, "Ftrl": 0.7}


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect an optimizer that is known to be slow; try Adam wherever it is not used."""
    name = case.anatomy.optimizer
    if name in {"Adam", "AdamW", "Nadam"}:
        return
    prior = _SLOW.get(name, 0.1)
    model = case.subject.build(0)
    if name == "SGD" and not float(getattr(model.optimizer, "momentum", 0.0)):
        prior = 0.35
    yield Suspicion(
        CAUSE, prior, f"{name} is slower here than Adam at its default rate.",
        "Use keras.optimizers.Adam(1e-3).", case.subject.edited(with_adam()))
