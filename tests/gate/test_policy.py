"""A policy is read key by key over the default policy, and what it says has one digest."""

import tomllib

import pytest
from gate.gate_builders import policy_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import UsageError
from audit.gate.policy import Rules, Sizes, default_text, known_checks, read_policy

DEFAULT = read_policy(None)


def said(rules):
    """Rules as they are written; None where nothing is said."""
    return tuple(None if one is None else [str(two) for two in one]
                 for one in (rules.warn_if, rules.error_if))


def test_the_default_policy_names_every_check_and_has_a_rule_for_each():
    assert set(DEFAULT.checks) == set(known_checks())
    assert len(DEFAULT.checks) > 20
    silent = [code for code, one in DEFAULT.checks.items() if not list(one.conditions())]
    assert not silent


def test_the_default_policy_allows_nothing_but_data_without_splits():
    assert (DEFAULT.skipped, DEFAULT.missing, DEFAULT.empty_dataset) == (
        {"split_leak"}, frozenset(), False)
    assert DEFAULT.waivers == ()


def test_what_harms_a_training_is_an_error_by_default():
    for code in ("unreadable_file", "empty_file", "decompression_bomb", "split_leak", "no_signal"):
        assert said(DEFAULT.checks[code].whole)[1] == ["count > 0"]


def test_a_gate_that_says_nothing_is_the_default_policy(tmp_path):
    found = read_policy(policy_of(tmp_path, "[gate]"))
    assert found.digest == DEFAULT.digest
    assert found.source != DEFAULT.source


def test_the_default_policy_as_a_file_is_the_default_policy(tmp_path):
    assert read_policy(policy_of(tmp_path, default_text())).digest == DEFAULT.digest


def test_what_a_check_is_not_told_is_as_in_the_default_policy(tmp_path):
    found = read_policy(policy_of(tmp_path, """
        [gate.checks.label]
        error_if = ["rate_low > 0.1", "count > 500"]
        [gate.checks.blurry]
        warn_if = []"""))
    before, after = DEFAULT.checks["label"], found.checks["label"]
    assert said(after.whole) == (said(before.whole)[0], ["rate_low > 0.1", "count > 500"])
    assert said(after.each_class) == said(before.each_class)
    assert said(found.checks["blurry"].whole) == ([], None)
    others = set(DEFAULT.checks) - {"label", "blurry"}
    assert {code: found.checks[code] for code in others} == {
        code: DEFAULT.checks[code] for code in others}


def test_a_condition_may_stand_without_a_list(tmp_path):
    one = read_policy(policy_of(tmp_path, '[gate.checks.dark]\nwarn_if = "count > 3"'))
    other = read_policy(policy_of(tmp_path, '[gate.checks.dark]\nwarn_if = ["count > 3"]'))
    assert one.digest == other.digest != DEFAULT.digest


def test_rules_of_each_class_and_of_one_are_merged_each(tmp_path):
    found = read_policy(policy_of(tmp_path, """
        [gate.checks.label.each_class]
        warn_if = "count > 9"
        [gate.checks.label.class."trash, mixed"]
        error_if = "rate_low > 0.35"
        [gate.checks.label.class.cat]
        warn_if = []
        error_if = []""")).checks["label"]
    each = said(DEFAULT.checks["label"].each_class)[1]
    assert each, "or nothing is merged here"
    assert said(found.whole) == said(DEFAULT.checks["label"].whole)
    assert said(found.of_class("dog")) == (["count > 9"], each)
    assert said(found.of_class("trash, mixed")) == (["count > 9"], ["rate_low > 0.35"])
    assert said(found.of_class("cat")) == ([], []), "an empty list is no rule, not the default's"


def test_sizes_of_a_class_stand_in_place_of_those_of_all(tmp_path):
    found = read_policy(policy_of(tmp_path, """
        [gate.class_size]
        warn_below = 200
        [gate.class_size.class.cat]
        error_below = 3"""))
    assert found.class_size == Sizes(200, DEFAULT.class_size.error_below)
    assert found.class_sizes == {"cat": Sizes(None, 3)}


def test_what_may_be_is_replaced_as_a_whole(tmp_path):
    found = read_policy(policy_of(tmp_path, """
        [gate]
        confidence = 0.95
        longest_waiver_days = 30
        [gate.allow]
        skipped = ["label", "outlier"]
        missing = ["weak_slices"]
        empty_dataset = true"""))
    assert (found.confidence, found.longest_waiver_days) == (0.95, 30)
    assert (found.skipped, found.missing, found.empty_dataset) == (
        {"label", "outlier"}, {"weak_slices"}, True)
    assert found.checks == DEFAULT.checks


def test_one_file_may_hold_the_thresholds_of_audit_run_too(tmp_path):
    text = '[checks.blurry]\nthreshold = 0.4\n[gate.checks.dark]\nwarn_if = "count > 3"'
    found = read_policy(policy_of(tmp_path, text))
    assert said(found.checks["dark"].whole)[0] == ["count > 3"]
    assert found.checks["blurry"] == DEFAULT.checks["blurry"]


@pytest.mark.parametrize(("text", "parts"), [
    ("[checks.blurry]\nthreshold = 1", ["holds no table [gate]", "audit gate --init"]),
    ("", ["holds no table [gate]"]),
    ("[gate", ["cannot be read", "TOML", "audit gate --init"]),
    ("[gate]\n[gates]", ['no key "gates"', 'Did you mean "gate"?']),
    ("[gate]\n[tools]", ['no key "tools"', "There is gate, checks."]),
    ("gate = 3", ["[gate] must be a table. Got 3"]),
    ("[gate]\nconfidense = 0.9", ["[gate]", 'no key "confidense"', 'Did you mean "confidence"?']),
    ("[gate]\nversion = 2", ["version must be 1. Got 2"]),
    ("[gate]\nconfidence = 0.4", ["confidence must be a number from 0.5 to 0.999. Got 0.4"]),
    ("[gate]\nconfidence = 90", ["confidence must be a number from 0.5 to 0.999. Got 90"]),
    ("[gate]\nconfidence = nan", ["confidence must be a number", "Got nan"]),
    ("[gate]\nconfidence = '0.9'", ["confidence must be a number", "Got '0.9'"]),
    ("[gate]\nlongest_waiver_days = 0", ["longest_waiver_days must be a number from 1 to"]),
    ("[gate]\nlongest_waiver_days = true", ["longest_waiver_days must be a number", "Got True"]),
    ("[gate]\nallow = true", ["[gate.allow] must be a table. Got True"]),
    ("[gate.allow]\nskiped = []", ["[gate.allow]", 'no key "skiped"', 'Did you mean "skipped"?']),
    ("[gate.allow]\nskipped = 'label'", ["skipped of [gate.allow] must be a list", "Got 'label'"]),
    ("[gate.allow]\nskipped = ['lable']", ["skipped of [gate.allow]", 'no check "lable"',
                                           'Did you mean "label"?']),
    ("[gate.allow]\nmissing = ['everything']", ['no check "everything"', "There is animated, "]),
    ("[gate.allow]\nmissing = [['label']]", ["missing of [gate.allow]", "no check"]),
    ("[gate.allow]\nempty_dataset = 1", ["empty_dataset of [gate.allow] must be true or false"]),
    ("[gate.allow]\nerror = ['label']", ["[gate.allow]", 'no key "error"']),
    ("[gate.class_size]\nwarn = 3", ["[gate.class_size]", 'no key "warn"',
                                     'Did you mean "warn_below"?']),
    ("[gate.class_size]\nwarn_below = -1", ["warn_below must be a number from 0 to"]),
    ("[gate.class_size]\nwarn_below = 'ten'", ["warn_below must be a number", "Got 'ten'"]),
    ("[gate.class_size]\nclass = ['cat']", ["[gate.class_size.class] must be a table"]),
    ("[gate.class_size.class.cat]\nerror = 3", ['[gate.class_size.class."cat"]', 'no key "error"']),
    ("[gate.class_size.class.cat.class.dog]\nerror_below = 3", ['no key "class"']),
    ("[gate]\nchecks = ['label']", ["[gate.checks] must be a table"]),
    ("[gate.checks.blury]\nwarn_if = []", ["[gate.checks]", 'no check "blury"',
                                           'Did you mean "blurry"?']),
    ("[gate.checks]\nblurry = 'count > 0'", ["[gate.checks.blurry] must be a table"]),
    ("[gate.checks.blurry]\nwarning_if = []", ["[gate.checks.blurry]", 'no key "warning_if"',
                                               'Did you mean "warn_if"?']),
    ("[gate.checks.blurry]\nthreshold = 0.4", ["[gate.checks.blurry]", 'no key "threshold"',
                                               "There is warn_if, error_if, each_class, class."]),
    ("[gate.checks.blurry]\nwarn_if = 0.1", ["[gate.checks.blurry] warn_if", "Got 0.1"]),
    ("[gate.checks.blurry]\nwarn_if = ['count > 0', 'share > 0']", [
        "[gate.checks.blurry] warn_if", "Got 'share > 0'"]),
    ("[gate.checks.blurry]\nerror_if = {count = 0}", ["[gate.checks.blurry] error_if",
                                                      "Got {'count': 0}"]),
    ("[gate.checks.blurry]\neach_class = []", ["[gate.checks.blurry.each_class] must be a table"]),
    ("[gate.checks.blurry.each_class]\nerror = []", ["[gate.checks.blurry.each_class]",
                                                     'Did you mean "error_if"?']),
    ("[gate.checks.blurry]\nclass = 'cat'", ["[gate.checks.blurry.class] must be a table"]),
    ('[gate.checks.blurry.class."a b"]\nwarn = []', ['[gate.checks.blurry.class."a b"]',
                                                     'Did you mean "warn_if"?']),
    ("[gate]\nwaivers = 'all'", ["waivers are written as [[gate.waivers]]"])])
def test_what_a_policy_cannot_hold_is_refused_with_its_place_and_a_hint(tmp_path, text, parts):
    path = policy_of(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        read_policy(path)
    told = str(refused.value)
    for part in [str(path), *parts]:
        assert part in told


@pytest.mark.parametrize("content", [None, b"\xff\xfe[gate]"], ids=["not there", "not UTF-8"])
def test_a_policy_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "audit.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read") as refused:
        read_policy(path)
    assert str(path) in str(refused.value)


BASE = """
[gate]
confidence = 0.9
longest_waiver_days = 90
[gate.allow]
skipped = ["split_leak", "label"]
missing = []
empty_dataset = false
[gate.class_size]
warn_below = 50
error_below = 10
[gate.class_size.class.cat]
warn_below = 20
[gate.checks.blurry]
warn_if = ["count > 7", "rate > 0.5"]
error_if = []
[gate.checks.blurry.each_class]
warn_if = "count > 5"
[gate.checks.blurry.class.cat]
error_if = "count > 3"
[[gate.waivers]]
id = "A-1"
check = "dark"
class = "cat"
images = ["cat/*.jpg"]
reason = "night"
owner = "Ada"
expires = 2001-01-31
"""
MEANINGFUL = [
    ("confidence = 0.9", "confidence = 0.95"),
    ("longest_waiver_days = 90", "longest_waiver_days = 91"),
    ('skipped = ["split_leak", "label"]', 'skipped = ["split_leak"]'),
    ("missing = []", 'missing = ["label"]'),
    ("empty_dataset = false", "empty_dataset = true"),
    ("warn_below = 50", "warn_below = 51"), ("error_below = 10", "error_below = 0"),
    ("warn_below = 20", "error_below = 20"), ("class_size.class.cat", "class_size.class.dog"),
    ("count > 7", "count >= 7"), ("count > 7", "count > 8"), ("count > 7", "rate > 7"),
    ('"count > 7", ', ""), ("error_if = []", 'error_if = "count > 9"'),
    ("checks.blurry]", "checks.light]"), ("checks.blurry.each_class", "checks.light.each_class"),
    ("blurry.class.cat", "blurry.class.dog"), ('error_if = "count > 3"', "error_if = []"),
    ('check = "dark"', 'check = "light"'), ('class = "cat"\n', ""), ("cat/*.jpg", "cat/*.png"),
    ('images = ["cat/*.jpg"]\n', ""), ("night", "day"), ("Ada", "Bob"),
    ("2001-01-31", "2001-02-01"), ("A-1", "A-2")]


@pytest.mark.parametrize(("old", "new"), MEANINGFUL)
def test_another_digest_for_another_policy(tmp_path, old, new):
    assert BASE.count(old) == 1, "or another thing is changed"
    before = read_policy(policy_of(tmp_path, BASE)).digest
    assert read_policy(policy_of(tmp_path, BASE.replace(old, new))).digest != before


@pytest.mark.parametrize(("old", "new"), [
    ("[gate.allow]", "# why\n[gate.allow]  # so"), ("count > 7", "count>7.0"),
    ('"split_leak", "label"', '"label", "split_leak", "label"'),
    ("longest_waiver_days = 90\n", ""), ("warn_below = 50\nerror_below = 10\n", ""),
    ("warn_below = 50\nerror_below = 10", "error_below = 10\nwarn_below = 50"),
    ('warn_if = "count > 5"', 'warn_if = ["count > 5"]'),
    ('id = "A-1"\ncheck = "dark"', 'check = "dark"\nid = "A-1"')])
def test_the_same_digest_for_the_same_policy(tmp_path, old, new):
    assert BASE.count(old) == 1, "or nothing is changed"
    before = read_policy(policy_of(tmp_path, BASE)).digest
    assert read_policy(policy_of(tmp_path, BASE.replace(old, new))).digest == before


@given(st.permutations([part for part in BASE.replace("\n[", "\n\0[").split("\0") if part.strip()]))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_tables_does_not_matter(tmp_path, parts):
    first = read_policy(policy_of(tmp_path, BASE)).digest
    assert read_policy(policy_of(tmp_path, "".join(parts))).digest == first


def test_the_place_of_the_file_does_not_matter(tmp_path):
    (tmp_path / "there").mkdir()
    assert read_policy(policy_of(tmp_path, BASE)).digest == read_policy(
        policy_of(tmp_path / "there", BASE)).digest


_LISTS = st.none() | st.lists(st.sampled_from(["count > 1", "rate > 0.2", "rate_low >= 0.3"]),
                              max_size=2)


@given(_LISTS, _LISTS, _LISTS, _LISTS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_told_of_a_check_stands_and_the_rest_is_the_defaults(
        tmp_path, warn, error, each_warn, each_error):
    told = {("blurry", "warn_if"): warn, ("blurry", "error_if"): error,
            ("blurry.each_class", "warn_if"): each_warn,
            ("blurry.each_class", "error_if"): each_error}
    text = "[gate]\n"
    for table in ("blurry", "blurry.each_class"):
        text += f"[gate.checks.{table}]\n" + "".join(
            f"{key} = {value}\n" for (where, key), value in told.items()
            if where == table and value is not None)
    found = read_policy(policy_of(tmp_path, text)).checks["blurry"]
    default = DEFAULT.checks["blurry"]
    for rules, old, given_ in ((found.whole, default.whole, (warn, error)),
                               (found.each_class, default.each_class, (each_warn, each_error))):
        expected = tuple(before if new is None else new
                         for before, new in zip(said(old), given_, strict=True))
        assert said(rules) == expected


def test_rules_that_say_nothing_are_those_below():
    full = DEFAULT.checks["label"].whole
    assert Rules().over(full) == full == full.over(Rules())
    assert Rules((), ()).over(full) == Rules((), ()), "none at all is something that is said"


def test_the_example_in_the_default_policy_can_be_taken_as_it_stands(tmp_path):
    """The commented lines at the end, without their signs; the day may be over or too far."""
    text = default_text()
    example = text[text.index("# A class of its own rule"):].splitlines()[1:]
    lines = [line.removeprefix("#").strip() for line in example]
    content = tomllib.loads("\n".join(line for line in lines if not line.startswith("expires")))
    assert set(content["gate"]) == {"checks", "waivers"}
    rest = "\n".join(line.replace("2027", "2001") for line in lines)
    found = read_policy(policy_of(tmp_path, rest))
    assert said(found.checks["label"].of_class("trash"))[1] == ["rate_low > 0.35"]
    assert [one.name for one in found.waivers] == ["DATA-17"]
