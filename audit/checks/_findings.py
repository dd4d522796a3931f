"""Building the findings of a check: rows for images, sets, classes and the dataset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit import tables
from audit.types import NotApplicableError, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from audit.types import CheckMeta, Evidence


def share_of(count: int, total: int) -> str:
    """A count with its share, as in `12 images (1.2 %)`."""
    if not total:
        return images_word(count)
    percent = 100 * count / total
    digits = 2 if 0 < percent < 0.1 else 1  # noqa: PLR2004 - 0.04 % should not read as 0.0 %
    return f"{images_word(count)} ({percent:.{digits}f} %)"


def images_word(count: int) -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def score_table(score: NDArray[np.float64], is_issue: NDArray[np.bool_]) -> pd.DataFrame:
    """A table of `tables.SCORES`; scores are cut to [0, 1] and rounded, so that runs compare."""
    return pd.DataFrame({"score": np.clip(score, 0, 1).round(6),
                         "is_issue": np.asarray(is_issue, np.bool_)})


def finding(meta: CheckMeta, subject: str, score: float, evidence: str, *, about: str = "",
            is_flagged: bool = True, suggestion: str = "", related: Sequence[str] = (),
            ) -> dict[str, object]:
    """One row of `tables.FINDINGS`."""
    return {
        "check": meta.code, "about": about or meta.about, "subject": subject,
        "score": round(float(np.clip(score, 0, 1)), 6), "is_flagged": is_flagged,
        "evidence": evidence, "suggestion": suggestion or meta.fix,
        "related": json.dumps(list(related), ensure_ascii=False),
    }


def findings_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A table of `tables.FINDINGS`: flagged first, worst first, then by name."""
    return tables.make(tables.FINDINGS, rows).sort_values(
        ["is_flagged", "score", "subject", "related"], ascending=[False, True, True, True],
        kind="stable", ignore_index=True)


def flag_images(meta: CheckMeta, evidence: Evidence, score: NDArray[np.float64],
                threshold: float, describe: Callable[[int], str], what: str,
                metrics: Mapping[str, object] | None = None) -> Outcome:
    """Flag each image whose score is below a threshold; NaN is never flagged.

    Args:
        meta: of the check.
        evidence: what the check was given.
        score: `(n,)`, low is bad.
        threshold: scores strictly below it are flagged.
        describe: row → what was seen in that image.
        what: completes "12 images (1.2 %) are ...".
        metrics: more figures for summary.json.

    Raises:
        NotApplicableError: no image has a score.
    """
    if np.isnan(score).all():
        message = "no image could be measured"
        raise NotApplicableError(message)
    flagged = np.nan_to_num(score, nan=1.0) < threshold
    names = evidence.images["image_id"]
    rows = [finding(meta, names.iloc[row], score[row], describe(row))
            for row in np.flatnonzero(flagged).tolist()]
    count, total = int(flagged.sum()), len(score)
    summary = f"{share_of(count, total)} {'is' if count == 1 else 'are'} {what}"
    return Outcome(findings_table(rows), score_table(score, flagged),
                   summary if count else "none found",
                   {"count": count, "share": count / total, **(metrics or {})})


def flag_kind(meta: CheckMeta, evidence: Evidence, flagged: NDArray[np.bool_],
              describe: Callable[[int], str], what: str,
              known: NDArray[np.bool_] | None = None) -> Outcome:
    """Flag images that are or are not of a kind: the score is 0 or 1, NaN where it is not known."""
    score = np.where(flagged, 0.0, 1.0)
    if known is not None:
        score[~known] = np.nan
    return flag_images(meta, evidence, score, 0.5, describe, what)
