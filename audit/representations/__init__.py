"""Representations: tensors → embeddings, neighbours, duplicates and out-of-fold probabilities."""

from audit.representations.backbones import (
    AUTO,
    DEFAULT_PRETRAINED,
    PATCHES,
    Backbone,
    choose_backbone,
    given_embeddings,
)
from audit.representations.cross_validate import Task, cross_validate
from audit.representations.duplicates import find_pairs, sets_of
from audit.representations.effort import DEFAULT_EFFORT, EFFORTS, Effort, find_effort
from audit.representations.embed import laid_out, rows_of
from audit.representations.external import read_probabilities
from audit.representations.folds import Folds, assign_folds, group_together
from audit.representations.head import Choices, HeadAnswer, cross_validate_head
from audit.representations.inference import RUNTIMES, choose_runtime, runtime_kind
from audit.representations.neighbours import nearest
from audit.representations.networks import SMALL_PICTURE, Extractor
from audit.representations.pretrained import load_pretrained, weights_on_disk
from audit.representations.progress import STEPS
from audit.representations.refit import Refits

__all__ = [
    "AUTO", "DEFAULT_EFFORT", "DEFAULT_PRETRAINED", "EFFORTS", "PATCHES", "RUNTIMES",
    "SMALL_PICTURE", "STEPS", "Backbone", "Choices", "Effort", "Extractor", "Folds",
    "HeadAnswer", "Refits", "Task", "assign_folds", "choose_backbone", "choose_runtime",
    "cross_validate", "cross_validate_head", "find_effort", "find_pairs", "given_embeddings",
    "group_together", "laid_out", "load_pretrained", "nearest", "read_probabilities", "rows_of",
    "runtime_kind", "sets_of", "weights_on_disk",
]
