"""Representations: tensors → embeddings, neighbours, duplicates and out-of-fold probabilities."""
