"""The verdict, its exit code, and the rules that it follows from."""

from dataclasses import replace

import pytest
from gate.gate_builders import (
    BAD,
    DEFAULT,
    NOBODY,
    broken,
    edit_summary,
    edit_table,
    image,
    judged,
    judgement,
    pictures,
    record_of,
    write_run,
)

from audit.gate.verdict import judge
from audit.gating import gate_run

CASES = {"pass": {}, "warn": {"flags": {"wrong_extension": [0]}}, "fail": {"flags": BAD},
         "uncertified": {"statuses": {"blurry": "error"}},
         "fail and uncertified": {"flags": BAD, "statuses": {"blurry": "error"}},
         "warn and uncertified": {"flags": {"wrong_extension": [0]},
                                  "statuses": {"blurry": "error"}}}


@pytest.mark.parametrize(("case", "fail_on", "status", "code"), [
    ("pass", "error", "pass", 0), ("pass", "warn", "pass", 0),
    ("warn", "error", "warn", 0), ("warn", "warn", "fail", 1),
    ("fail", "error", "fail", 1), ("fail", "warn", "fail", 1),
    ("uncertified", "error", "uncertified", 3), ("uncertified", "warn", "uncertified", 3),
    ("fail and uncertified", "error", "uncertified", 3),
    ("fail and uncertified", "warn", "uncertified", 3),
    ("warn and uncertified", "error", "uncertified", 3),
    ("warn and uncertified", "warn", "uncertified", 3)])
def test_every_verdict_has_its_exit_code(tmp_path, case, fail_on, status, code):
    run = write_run(tmp_path / "run", **CASES[case])
    verdict = gate_run(run, fails_on_warning=fail_on == "warn")
    assert (verdict.status, verdict.exit_code) == (status, code)
    assert bool(verdict.reasons) == (code == 3)




def test_of_the_rules_of_a_check_an_error_comes_before_a_warning(tmp_path):
    rule = '[gate.checks.blurry]\nwarn_if = "count > 0"\nerror_if = ["rate > 0.9", "count > 2"]'
    for count, status, text in ((0, "pass", ""), (1, "warn", "count > 0: it is 1"),
                                (3, "fail", "count > 2: it is 3")):
        run = write_run(tmp_path / "run", flags={"blurry": range(count)})
        found = judgement(judged(run, rule), "blurry")
        assert (found.status, found.broken, found.figures.count) == (status, text, count)


def test_the_worst_is_told_first(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=60, dog=20),
                    flags={"unreadable_file": [0], "wrong_extension": [0]},
                    statuses={"split_leak": "skipped"})
    verdict = judged(run)
    found = [one.status for one in verdict.judgements]
    assert found == sorted(found, key=["fail", "warn", "pass", "skipped"].index)
    assert broken(verdict) == {"unreadable_file": "fail", "wrong_extension": "warn",
                               'class_size of "dog"': "warn"}


def test_a_rule_of_each_class_is_broken_where_it_is(tmp_path):
    rule = ('[gate.checks.blurry]\nwarn_if = []\n[gate.checks.blurry.each_class]\n'
            'error_if = "rate > 0.1"\n[gate.checks.blurry.class.dog]\nerror_if = "rate > 0.5"')
    run = write_run(tmp_path / "run", pictures(cat=60, dog=60, owl=60), flags={
        "blurry": [*range(10), *range(60, 80), *range(120, 126)]})
    verdict = judged(run, rule)
    assert broken(verdict) == {'blurry of "cat"': "fail"}
    found = judgement(verdict, "blurry", "cat")
    assert (found.figures.count, found.figures.total) == (10, 60)
    assert judgement(verdict, "blurry").figures.count == 36, "all images have no rule, and pass"


def test_a_rule_of_a_class_counts_findings_about_it(tmp_path):
    rule = '[gate.checks.class_imbalance]\nwarn_if = []\neach_class.error_if = "count > 0"'
    run = write_run(tmp_path / "run", findings=[("class_imbalance", "dog", 0.1),
                                                ("class_imbalance", "", 0.1)])
    assert broken(judged(run, rule)) == {'class_imbalance of "dog"': "fail"}


@pytest.mark.parametrize(("rule", "status"), [
    ("metric.share_interval_90.low > 0.1", "fail"), ("metric.share_interval_90.low > 0.2", "pass"),
    ("metric.share_interval_90.high >= 0.3", "fail"), ("metric.accuracy < 0.5", "fail"),
    ("metric.accuracy < 0.4", "pass"), ("metric.by.cat <= 2", "fail")])
def test_a_rule_may_be_about_a_figure_of_the_summary(tmp_path, rule, status):
    run = write_run(tmp_path / "run", metrics={"label": {
        "share_interval_90": [0.2, 0.3], "accuracy": 0.4, "by": {"cat": 2}}})
    verdict = judged(run, f'[gate.checks.label]\nerror_if = "{rule}"')
    assert judgement(verdict, "label").status == verdict.status == status


def test_findings_about_classes_of_a_check_about_images_are_not_counted_as_images(tmp_path):
    run = write_run(tmp_path / "run", flags={"label": [0, 1]}, findings=[("label", "cat", 0.1)])
    assert judgement(judged(run), "label").figures.count == 2


def test_a_set_counts_its_images(tmp_path):
    run = write_run(tmp_path / "run", sets={"exact_duplicates": [(0, 1, 2), (5, 6)]})
    figures = judgement(judged(run), "exact_duplicates").figures
    assert (figures.count, figures.total) == (5, 120)


def test_a_finding_that_is_not_flagged_is_none(tmp_path):
    run = write_run(tmp_path / "run", findings=[("no_signal", "", 0.9)])
    assert judged(run).status == "fail"
    edit_table(run / "findings.parquet", lambda table: table.assign(is_flagged=False))
    edit_summary(run, "no_signal", flagged=0)
    assert judged(run).status == "pass"


def test_the_reader_is_told_how_the_run_was_made(tmp_path):
    run = write_run(tmp_path / "run", settings={
        "thresholds": {"blurry": {"threshold": 0.1}, "dark": {}}, "hold_out": 0.2})
    notes = judged(run).notes
    assert "thresholds of the run were not the checks' own: blurry" in notes
    assert "images that were held out (--hold-out) were not audited" in notes


def test_a_check_that_the_policy_does_not_know_is_told():
    record = record_of()
    title = replace(record.states["blurry"], code="brand_new")
    verdict = judge(replace(record, states={**record.states, "brand_new": title}),
                    DEFAULT, NOBODY)
    assert verdict.status == "pass"
    assert "the policy says nothing of brand_new" in verdict.notes




SIZES = "[gate.class_size]\nwarn_below = 20\nerror_below = 10\n"


@pytest.mark.parametrize(("count", "status"), [
    (1, "fail"), (9, "fail"), (10, "warn"), (19, "warn"), (20, "pass"), (21, "pass")])
def test_a_class_must_have_so_many_images(tmp_path, count, status):
    run = write_run(tmp_path / "run", pictures(cat=30, dog=count))
    verdict = judged(run, SIZES)
    assert verdict.status == status
    if status == "pass":
        assert judgement(verdict, "class_size").figures.count == count
    else:
        assert broken(verdict) == {'class_size of "dog"': status}
        assert judgement(verdict, "class_size", "dog").figures.count == count


def test_a_class_may_have_sizes_of_its_own(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=5, dog=15, owl=30))
    assert broken(judged(run, SIZES + "class.cat.error_below = 3\nclass.owl.error_below = 31")) == {
        'class_size of "dog"': "warn", 'class_size of "owl"': "fail"}


def test_no_size_is_asked_for_where_it_is_zero(tmp_path):
    run = write_run(tmp_path / "run", pictures(cat=1, dog=30))
    assert judged(run, "[gate.class_size]\nwarn_below = 0\nerror_below = 0").status == "pass"


def test_a_class_that_fails_is_not_told_as_well_too(tmp_path):
    """With an error alone, and no warning: the sizes are not both broken and well."""
    run = write_run(tmp_path / "run", pictures(cat=30, dog=5))
    verdict = judged(run, "[gate.class_size]\nwarn_below = 0\nerror_below = 10")
    assert verdict.status == "fail"
    assert [one.status for one in verdict.judgements if one.check == "class_size"] == ["fail"]


@pytest.mark.parametrize(("split", "counts"), [
    ("train", True), ("", True), ("extra", True), ("val", False), ("test", False)])
def test_images_that_nothing_is_trained_on_do_not_count_for_its_size(tmp_path, split, counts):
    images = [*pictures(cat=30, dog=15),
              *(image(f"dog/{number}.png", "dog", split=split) for number in range(10))]
    verdict = judged(write_run(tmp_path / "run", images), SIZES)
    assert broken(verdict) == ({} if counts else {'class_size of "dog"': "warn"})


def test_files_that_cannot_be_read_do_not_count_for_its_size(tmp_path):
    images = [*pictures(cat=30, dog=9), *(image(f"dog/{number}.png", "dog", "", status="unreadable")
                                          for number in range(20)),
              image("dog/damaged.jpg", "dog", status="damaged")]
    verdict = judged(write_run(tmp_path / "run", images), SIZES)
    assert judgement(verdict, "class_size", "dog").figures.count == 10
    assert broken(verdict) == {'class_size of "dog"': "warn"}


def test_a_class_that_the_policy_names_and_the_data_have_not_is_told(run):
    verdict = judged(run, '[gate.class_size.class."c@t"]\nerror_below = 3\n'
                          "[gate.checks.label.class.Dog]\nerror_if = []")
    assert [one for one in verdict.notes if "that the data have not" in one] == [
        'the policy names a class "Dog" that the data have not',
        'the policy names a class "c@t" that the data have not']
