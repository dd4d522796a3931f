"""How a final network is trained, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from audit.errors import UsageError

LossName = Literal["cross_entropy", "generalised_cross_entropy"]
Optimizer = Literal["adamw", "adam", "sgd"]

MOST_EPOCHS = 10_000
"""More is a slip of the hand."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training; all arms of a comparison have the same.

    Attributes:
        epochs: times through the data as they came. The number of updates follows from it, and is
            the same where a remedy leaves fewer images.
        batch_size: images an update.
        learning_rate: the highest; None for what a range test recommends.
        weight_decay: of AdamW.
        patience: epochs without a better validation loss after which a training ends.
        label_smoothing: share of a label that is spread over all classes.
        loss: `generalised_cross_entropy` believes labels less that look wrong.
        dropout: share of the features left out before the last layer.
        side: of the pictures in pixels; None for what suits the network and the pictures.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float | None = None
    optimizer: Optimizer = "adamw"
    weight_decay: float = 1e-2
    patience: int = 4
    label_smoothing: float = 0.1
    loss: LossName = "cross_entropy"
    dropout: float = 0.2
    side: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no training could make sense of.

        Raises:
            UsageError: with the option, what it must be, and what was given.
        """
        for option, value, low, high in (
                ("--epochs", self.epochs, 1, MOST_EPOCHS),
                ("--batch-size", self.batch_size, 1, 65_536),
                ("--patience", self.patience, 1, MOST_EPOCHS),
                ("--label-smoothing", self.label_smoothing, 0, 0.99),
                ("--dropout", self.dropout, 0, 0.99),
                ("--weight-decay", self.weight_decay, 0, 10)):
            if not low <= value <= high:
                raise UsageError(f"{option} must be from {low:,} to {high:,}. "
                                 f"Got {value} instead.")
        if self.learning_rate is not None and not 0 < self.learning_rate <= 100:  # noqa: PLR2004
            raise UsageError("--learning-rate must be above 0 and at most 100. "
                             f"Got {self.learning_rate} instead.")
        if self.side is not None and not 8 <= self.side <= 1_024:  # noqa: PLR2004
            raise UsageError(f"--side must be from 8 to 1,024 pixels. Got {self.side} instead.")
        for option, given, known in (("--loss", self.loss, get_args(LossName)),
                                     ("--optimizer", self.optimizer, get_args(Optimizer))):
            if given not in known:
                raise UsageError(f'{option} must be {", ".join(known)}. Got "{given}" instead.')
