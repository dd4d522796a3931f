"""Labels that carry no signal: out-of-fold accuracy is not above that of permuted labels.

The labels are permuted 1,000 times against the out-of-fold predictions. If more than 5 % of the
permutations are as accurate as the labels as given, nothing was learned: the labels were mixed up
(a sorted list joined to an unsorted one), the images do not show the classes, or the network and
its training are at fault. The score is the accuracy above chance, as a share of what is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.checks._findings import finding, findings_table
from audit.checks._signal import measure_signal, scored_labels
from audit.types import CheckMeta, Outcome, Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.types import Evidence

META = CheckMeta(
    code="no_signal", title="Labels without signal", about="dataset", cause="no_signal",
    needs=("cross_validation", "given_label"),
    fix="See whether labels and images were joined in the same order, then look at ten of them.",
    thresholds={"p_value": Threshold(0.05, "flag if permuted labels are as accurate this often",
                                     "the usual 5 %", 0, 1)},
)


def check(evidence: Evidence, thresholds: Mapping[str, float]) -> Outcome:
    """Flag the dataset if predictions do not beat permuted labels."""
    _, labels, probabilities, _ = scored_labels(evidence)
    signal = measure_signal(labels, probabilities, evidence.seed)
    is_flagged = signal.p_value >= thresholds["p_value"]
    above = (signal.accuracy - signal.baseline) / max(1 - signal.baseline, 1e-12)
    text = (f"out-of-fold accuracy {signal.accuracy:.3f}, with permuted labels "
            f"{signal.baseline:.3f} (p = {signal.p_value:.3f})")
    row = finding(META, "", above, text, is_flagged=bool(is_flagged))
    summary = f"the labels carry no signal: {text}"
    return Outcome(findings_table([row]), None, summary if is_flagged else "none found",
                   {"count": int(is_flagged), "share": float(is_flagged),
                    "out_of_fold_accuracy": signal.accuracy,
                    "permuted_accuracy": signal.baseline, "p_value": signal.p_value})
