"""Cases for the rules: clean images, and what is planted."""

import numpy as np
import pandas as pd

from audit.remedies import Options, make_plan
from audit.remedies.case import EVALUATION_SPLITS, SETS, Case
from audit.remedies.decisions import Decision

CLASSES = ("cat", "dog", "owl")
CLEAN = {"split": "", "given_label": "cat", "status": "ok", "problem": "", "is_label_issue": False,
         "label_score": 0.99, "likely_label": "", "likely_probability": np.nan,
         "own_probability": 0.8}


def name_of(row):
    return f"image_{row:03d}.png"


def build_case(images, include_eval=False, **sets):
    """`images`: what is not clean of each; `sets`: check → tuples of rows."""
    table = pd.DataFrame([
        {"image_id": name_of(row), "file_sha256": f"{row:064x}", **CLEAN, **one}
        for row, one in enumerate(images)])
    spared = np.array([EVALUATION_SPLITS.get(one, 0) for one in table["split"]], np.int64)
    return Case(table, {check: sets.get(check, []) for check in SETS}, CLASSES,
                (spared == 0) | include_eval, spared)


def decided(decision, label="", reviewer="Ada", **fields):
    return Decision(decision, label, reviewer, "", **fields)


def plan_of(case, decisions=None, **options):
    return make_plan(case, Options(decisions or {}, **options))


def suspect(score, given="cat", likely="dog", sure=0.9, **fields):
    return {"is_label_issue": True, "label_score": score, "given_label": given,
            "likely_label": likely, "likely_probability": sure, **fields}
