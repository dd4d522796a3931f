"""From the rulings to the plan, one row an image, and what it comes to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from audit import tables
from audit.remedies.rules import Options, Ruling, apply_rules
from audit.remedies.weights import label_weights

if TYPE_CHECKING:
    import pandas as pd

    from audit.remedies.case import Case

NOTHING_FOUND = "no rule asks for a change"


def make_plan(case: Case, options: Options) -> pd.DataFrame:
    """One row an image, schema `tables.PLAN`, sorted by image_id."""
    settled = apply_rules(case, options)
    weights = label_weights(case, settled) if options.weighs else np.ones(len(case.images))
    rows = []
    images = case.images
    for row, (name, sha, split, given) in enumerate(zip(
            images["image_id"], images["file_sha256"], images["split"], images["given_label"],
            strict=True)):
        ruling = settled.get(row) or Ruling("keep", given, "none", NOTHING_FOUND)
        is_used = ruling.action != "drop"
        rows.append({
            "image_id": name, "file_sha256": sha, "split": split, "given_label": given,
            "label": ruling.label, "action": ruling.action, "repeat": int(is_used),
            "weight": float(weights[row]) if is_used else 0.0,
            "decided_by": ruling.decided_by, "rule": ruling.rule,
            "reason": ruling.reason})
    return tables.make(tables.PLAN, rows)


def count_actions(plan: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by action, then by the rule that asked for it, both by name."""
    counts: dict[str, dict[str, int]] = {}
    found = Counter(zip(plan["action"], plan["rule"], strict=True))
    for (action, rule), images in sorted(found.items()):
        counts.setdefault(action, {})[rule] = images
    return counts
