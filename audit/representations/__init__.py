"""Representations: tensors → embeddings, neighbours, duplicates and out-of-fold probabilities."""

from audit.representations.backbones import AUTO, Backbone, choose_backbone, given_embeddings
from audit.representations.cross_validate import cross_validate
from audit.representations.duplicates import find_pairs, sets_of
from audit.representations.external import read_probabilities
from audit.representations.folds import assign_folds, group_together
from audit.representations.neighbours import nearest

__all__ = [
    "AUTO", "Backbone", "assign_folds", "choose_backbone", "cross_validate", "find_pairs",
    "given_embeddings", "group_together", "nearest", "read_probabilities", "sets_of",
]
