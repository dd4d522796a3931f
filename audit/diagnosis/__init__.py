"""Diagnosis: why a Keras model does not learn. What is suspected is tried, and only then said."""
