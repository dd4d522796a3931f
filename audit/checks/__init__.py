"""Checks: pure functions from the evidence to findings, one file each.

A file defines `META`, a `types.CheckMeta`, and `check(evidence, thresholds)`, which returns a
`types.Outcome`; its docstring is the check's documentation. Files whose name begins with an
underscore hold what several checks share.
"""
