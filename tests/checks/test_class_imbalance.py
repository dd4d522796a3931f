"""What imbalance costs, what adjusting predictions brings, and splits of other class shares."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from audit.checks._imbalance import compare_recalls, shifts_of
from audit.mean_recall import adjust_for_shares
from audit.registry import find_check

LONG_TAIL = {"cat": 600, "dog": 300, "owl": 40}
BALANCED = {"cat": 300, "dog": 300, "owl": 300}


def labels_of(counts):
    return np.repeat(list(counts), list(counts.values()))


def posterior(counts, seed, separation=1.5):
    """True posteriors of classes that are normal around points: biased to what is frequent."""
    codes = np.repeat(np.arange(len(counts)), list(counts.values()))
    points = np.eye(len(counts)) * separation
    seen = points[codes] + np.random.default_rng(seed).standard_normal((len(codes), len(counts)))
    shares = np.array(list(counts.values())) / len(codes)
    return codes, softmax(seen @ points.T + np.log(shares), axis=1)


@pytest.fixture
def outcome_of(make_evidence, run):
    def check(counts, seed=0, **evidence):
        _, probabilities = posterior(counts, seed)
        result = run("class_imbalance", make_evidence(labels_of(counts),
                                                      probabilities=probabilities, **evidence))
        assert result.status == "ok", result.reason
        return result.outcome

    return check


def test_a_rare_class_that_is_missed_is_won_back_without_training(outcome_of):
    outcome = outcome_of(LONG_TAIL)
    metrics = outcome.metrics
    assert metrics["recall_rare"] < metrics["recall_frequent"] - 0.1
    assert metrics["recall_difference_interval_90"][1] < 0
    assert metrics["best_adjustment_strength"] in {0.5, 1}
    assert metrics["balanced_accuracy"] < metrics["out_of_fold_accuracy"] - 0.05
    assert metrics["adjustment_interval_90"][0] > 0
    assert metrics["balanced_accuracy_adjusted"] > metrics["balanced_accuracy"] + 0.05
    assert outcome.details[1].startswith("Recall is 0.")
    assert "(40 images)" in outcome.details[1]
    assert outcome.details[2].startswith("Expected remedy: balanced accuracy 0.")
    assert outcome.details[2].endswith("(logit adjustment): no image and no training needed.")


def test_balanced_data_has_nothing_to_win(outcome_of):
    outcome = outcome_of(BALANCED)
    assert outcome.summary == "none found"
    assert outcome.metrics["normalised_entropy"] == pytest.approx(1)
    assert "recall_rare" not in outcome.metrics
    low, high = outcome.metrics["adjustment_interval_90"]
    assert low <= 0 <= high
    assert outcome.details[-1].endswith("no measurable effect.")


def test_a_model_without_that_bias_is_made_worse(make_evidence, run):
    codes, probabilities = posterior(LONG_TAIL, 0, separation=1.0)
    shares = np.bincount(codes) / len(codes)
    even = probabilities / shares**1.5
    evidence = make_evidence(labels_of(LONG_TAIL),
                             probabilities=even / even.sum(axis=1, keepdims=True))
    outcome = run("class_imbalance", evidence).outcome
    assert outcome.metrics["adjustment_interval_90"][1] < 0
    assert outcome.details[-1].endswith("it makes things worse.")


def test_without_predictions_the_shares_are_told(make_evidence, run):
    result = run("class_imbalance", make_evidence(labels_of(LONG_TAIL), cross_validation=None))
    assert result.status == "ok"
    assert result.outcome.details == ()
    assert result.outcome.metrics["ratio"] == 15
    assert result.outcome.metrics["normalised_entropy"] == pytest.approx(0.715, abs=0.001)
    assert "balanced_accuracy" not in result.outcome.metrics


def test_the_metrics_do_not_depend_on_the_order_of_rows(make_evidence, run):
    _, probabilities = posterior(LONG_TAIL, 1)
    labels = labels_of(LONG_TAIL)
    evidence = make_evidence(labels, probabilities=probabilities)
    order = np.random.default_rng(2).permutation(len(labels))
    mixed = make_evidence(labels, probabilities=probabilities[order])
    mixed.images[:] = evidence.images.iloc[order].to_numpy()
    straight = run("class_imbalance", evidence).outcome
    assert run("class_imbalance", mixed).outcome.metrics == straight.metrics
    assert run("class_imbalance", mixed).outcome.details == straight.details


def test_the_interval_of_the_remedy_covers():
    truth = np.mean([adjust_for_shares(*posterior(LONG_TAIL, seed))[0].change
                     for seed in range(1_000, 1_200)])
    found = [adjust_for_shares(*posterior(LONG_TAIL, seed))[0] for seed in range(200)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.85


def test_one_image_a_class_is_no_certainty():
    remedy, _ = adjust_for_shares(np.array([0, 1]), np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert remedy.low < 0 < remedy.high


def test_the_interval_of_two_recalls_is_newcombes():
    # 56/70 and 48/80, the first example of Newcombe (1998): 0.0524 to 0.3339 at 95 %.
    first, second = np.arange(80) < 48, np.arange(70) < 56
    gap = compare_recalls(np.concatenate([first, second]), np.arange(150) >= 80)
    assert (gap.before, gap.after) == pytest.approx((0.6, 0.8))
    assert 0.0524 < gap.low < gap.change < gap.high < 0.3339


def splits_of(counts, share_of_test, random):
    """Test with this share of each class, the rest train."""
    return np.concatenate([np.where(random.random(count) < share_of_test[name], "test", "train")
                           for name, count in counts.items()])


@pytest.mark.parametrize("seed", range(5))
def test_a_split_of_other_class_shares_is_found(seed, outcome_of):
    splits = splits_of(BALANCED, {"cat": 0.2, "dog": 0.2, "owl": 0.5},
                       np.random.default_rng(seed))
    outcome = outcome_of(BALANCED, splits=splits)
    flagged = outcome.findings[outcome.findings["is_flagged"]]
    assert flagged["about"].tolist() == ["dataset"]
    assert "most in owl" in flagged["evidence"].item()
    assert outcome.summary == flagged["evidence"].item()
    shift = outcome.metrics["shifts"]["test"]
    assert shift["distance"] >= 0.1
    assert shift["p_value"] < 0.001
    assert outcome.metrics["count"] == 1
    assert outcome.metrics["share"] == shift["distance"]


def test_class_shares_that_differ_by_chance_are_not_flagged(outcome_of):
    small = {"cat": 60, "dog": 60, "owl": 60}
    distances = []
    for seed in range(40):
        splits = splits_of(small, dict.fromkeys(small, 0.15), np.random.default_rng(seed))
        outcome = outcome_of(small, splits=splits)
        assert outcome.summary == "none found"
        assert outcome.details[-1].endswith("no measurable effect.")
        distances.append(outcome.metrics["shifts"]["test"]["distance"])
    assert max(distances) > 0.15, "far, and yet by chance"


def test_a_sure_but_small_shift_is_not_flagged(outcome_of):
    thresholds = find_check("class_imbalance").meta.thresholds
    assert (thresholds["shift"].value, thresholds["shift_p_value"].value) == (0.1, 0.01)
    large = {"cat": 3_000, "dog": 3_000, "owl": 3_000}
    splits = splits_of(large, {"cat": 0.2, "dog": 0.2, "owl": 0.25}, np.random.default_rng(0))
    outcome = outcome_of(large, splits=splits)
    assert outcome.metrics["shifts"]["test"]["p_value"] < 0.01
    assert outcome.summary == "none found"


def test_only_a_split_called_train_is_compared_with(outcome_of):
    splits = np.where(np.arange(900) < 450, "fold_a", "fold_b")
    assert outcome_of(BALANCED, splits=splits).metrics["shifts"] == {}


def test_the_distance_is_that_of_total_variation():
    shift, = shifts_of(pd.DataFrame({"cat": [50, 20], "dog": [50, 70], "owl": [0, 10]},
                                    index=["train", "val"]))
    assert (shift.split, shift.distance) == ("val", pytest.approx(0.3))
    assert (shift.label, shift.share, shift.trained_share) == ("cat", 0.2, 0.5)
