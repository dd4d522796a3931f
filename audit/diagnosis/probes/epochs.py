"""Too few epochs: it still got better when it was ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.diagnosis.case import Case, Suspicion

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "epochs"
FEW_UPDATES = 200
MOST_TIMES = 12


def suspect(case: Case) -> Iterator[Suspicion]:
    """Suspect a training that was still improving, or had next to no updates."""
    seen, regime = case.as_it_is, case.subject.regime
    if seen.failure or seen.has_diverged or not seen.epochs or seen.was_cut:
        return
    few = seen.updates < FEW_UPDATES
    if not seen.is_improving and not few:
        return
    times = min(MOST_TIMES, max(3, round(1.5 * case.reference.updates / max(1, seen.updates))))
    prior = 0.65 if few and seen.is_improving else 0.4
    count = seen.epochs[-1].number
    trained = f"{count} epoch{'s' if count > 1 else ''} ({seen.updates:,} updates)"
    yield Suspicion(
        CAUSE, prior, f"After {trained} it still got better." if seen.is_improving else
        f"It was trained for {trained} only.",
        f"Train for about {times * regime.epochs} epochs, with early stopping.",
        case.subject.edited(epochs=times * regime.epochs))
