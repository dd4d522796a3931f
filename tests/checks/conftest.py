"""Evidence for the checks, and ways to run one and read what it flagged."""

import numpy as np
import pytest
from builders import build_evidence, build_faulty, curve_of, probabilities_of

from audit.registry import find_check, run_check


@pytest.fixture
def make_evidence():
    return build_evidence


@pytest.fixture
def make_curve():
    return curve_of


@pytest.fixture
def make_probabilities():
    return probabilities_of


@pytest.fixture(scope="session")
def faulty():
    return build_faulty()


@pytest.fixture
def run():
    """Runs one check by its code: `run("dark", evidence, score=0.5)`."""

    def run_by_code(code, evidence, **thresholds):
        return run_check(find_check(code), evidence, thresholds)

    return run_by_code


@pytest.fixture
def flagged_rows():
    """Rows that an image check flagged; it must have run."""

    def rows(result):
        assert result.status == "ok", result.reason
        return np.flatnonzero(result.outcome.scores["is_issue"]).tolist()

    return rows


@pytest.fixture
def flagged_subjects():
    """Subjects of flagged findings; the check must have run."""

    def subjects(result):
        assert result.status == "ok", result.reason
        findings = result.outcome.findings
        return set(findings.loc[findings["is_flagged"], "subject"])

    return subjects
