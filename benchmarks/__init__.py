"""Measurements against peers, run by `make bench`; figures are kept in RESULTS.md."""
