"""A waiver silences what it names, for a while, and never that a check did not run."""

from datetime import timedelta

import pytest
from gate.gate_builders import (
    PLENTY,
    broken,
    image,
    judged,
    judgement,
    pictures,
    policy_of,
    sha,
    write_run,
)

from audit.errors import UsageError
from audit.gate.policy import read_policy
from audit.gate.waivers import today_in_utc

TODAY = today_in_utc()
SOON = TODAY + timedelta(30)
RULE = '[gate.checks.blurry]\nwarn_if = []\nerror_if = "count > 0"\n'


def waiver(**fields):
    """A waiver as a policy writes it; a field that is None is left out."""
    given = {"id": '"W-1"', "check": '"blurry"', "reason": '"fog is blurry"', "owner": '"Ada"',
             "expires": SOON, **fields}
    return "[[gate.waivers]]\n" + "".join(
        f"{key} = {value}\n" for key, value in given.items() if value is not None)


@pytest.fixture(scope="module")
def blurred(tmp_path_factory):
    """Two cats and a dog are blurry."""
    return write_run(tmp_path_factory.mktemp("waivers") / "run", flags={"blurry": [0, 1, 60]})


def excused_names(verdict, check="blurry"):
    return {one.subject for one in verdict.flags.flags if one.check == check and one.excused}


def test_without_a_waiver_the_flags_count(blurred):
    verdict = judged(blurred, RULE)
    assert (verdict.status, excused_names(verdict)) == ("fail", set())


def test_what_is_waived_does_not_count_and_is_told(blurred):
    verdict = judged(blurred, RULE + waiver())
    assert verdict.status == "pass"
    found = judgement(verdict, "blurry")
    assert (found.figures.count, found.excused) == (0, {"waived": 3})
    assert "3 flags are waived" in verdict.notes
    assert {(one.excused, one.by) for one in verdict.flags.flags} == {("waived", "W-1")}
    assert verdict.flags.unused == ()


def test_a_waiver_is_about_its_check_alone(tmp_path):
    run = write_run(tmp_path / "run", flags={"blurry": [0], "unreadable_file": [0]})
    assert broken(judged(run, RULE + waiver())) == {"unreadable_file": "fail"}


@pytest.mark.parametrize(("scope", "names"), [
    ({"class": '"cat"'}, {"cat/000.jpg", "cat/001.jpg"}),
    ({"class": '"dog"'}, {"dog/000.jpg"}),
    ({"images": '["cat/000.jpg"]'}, {"cat/000.jpg"}),
    ({"images": '["*/000.jpg"]'}, {"cat/000.jpg", "dog/000.jpg"}),
    ({"images": '["dog/*", "cat/001.*"]'}, {"cat/001.jpg", "dog/000.jpg"}),
    ({"images": '["cat/00[1-9].jpg"]'}, {"cat/001.jpg"}),
    ({"class": '"cat"', "images": '["*/000.jpg"]'}, {"cat/000.jpg"}),
    ({"images": f'["sha256:{sha("cat/001.jpg")}"]'}, {"cat/001.jpg"}),
    ({"images": f'["sha256:{sha("cat/001.jpg")[:12].upper()}"]'}, {"cat/001.jpg"}),
    ({"class": '"dog"', "images": f'["sha256:{sha("cat/001.jpg")}"]'}, set()),
    ({"images": f'["sha256:{"0" * 64}"]'}, set()),
    ({"class": '"ca"'}, set()), ({"class": '"c*"'}, set()), ({"images": '["CAT/*"]'}, set()),
    ({"images": '["000.jpg"]'}, set())])
def test_a_waiver_covers_the_class_and_the_images_that_it_names(blurred, scope, names):
    verdict = judged(blurred, RULE + waiver(**scope))
    assert excused_names(verdict) == names
    assert judgement(verdict, "blurry").figures.count == 3 - len(names)
    assert [one.name for one in verdict.flags.unused] == ([] if names else ["W-1"])


def test_a_hash_covers_every_copy_and_no_name(tmp_path):
    images = [*pictures(cat=60, dog=58), image("dog/a.jpg", "dog", "same"),
              image("dog/b.jpg", "dog", "same"), image(sha("same"), "dog", "other")]
    run = write_run(tmp_path / "run", images, flags={"blurry": [118, 119, 120]})
    verdict = judged(run, RULE + waiver(images=f'["sha256:{sha("same")}"]'))
    assert excused_names(verdict) == {"dog/a.jpg", "dog/b.jpg"}


def test_a_waiver_of_images_is_not_about_classes(tmp_path):
    run = write_run(tmp_path / "run", findings=[("class_imbalance", "cat", 0.1),
                                                ("class_imbalance", "", 0.1)])
    for scope, count in (({"images": '["*"]'}, 2), ({"class": '"cat"'}, 1),
                         ({"class": '"dog"'}, 2), ({}, 0)):
        verdict = judged(run, waiver(check='"class_imbalance"', **scope))
        assert judgement(verdict, "class_imbalance").figures.count == count


def test_a_waiver_holds_to_the_end_of_its_last_day(blurred):
    text = RULE + waiver()
    assert judged(blurred, text, today=SOON).status == "pass"
    assert judged(blurred, text, today=SOON + timedelta(1)).status == "fail"


def test_what_an_ended_waiver_excused_counts_again_and_is_told(blurred):
    verdict = judged(blurred, RULE + waiver(expires=TODAY - timedelta(1), **{"class": '"cat"'}))
    assert verdict.status == "fail"
    assert judgement(verdict, "blurry").figures.count == 3
    note, = (one for one in verdict.notes if "W-1" in one)
    assert note == (f'waiver "W-1" (Ada) ended on {TODAY - timedelta(1)}: what it excused counts '
                    "again")
    assert ([one.name for one in verdict.flags.over], verdict.flags.unused) == (["W-1"], ())


def test_where_another_waiver_holds_an_ended_one_does_not_count_again(blurred):
    both = waiver(id='"old"', expires=TODAY - timedelta(1)) + waiver(id='"new"')
    verdict = judged(blurred, RULE + both)
    assert verdict.status == "pass"
    assert not [one for one in verdict.notes if "counts again" in one]


def test_a_waiver_that_excuses_nothing_is_told(run):
    verdict = judged(run, waiver())
    assert verdict.status == "pass"
    assert 'waiver "W-1" (Ada) excuses nothing: it can go' in verdict.notes
    ended = judged(run, waiver(expires=TODAY - timedelta(1)))
    assert 'waiver "W-1" (Ada) excuses nothing and has ended: it can go' in ended.notes


def test_whether_an_unused_waiver_has_ended_is_by_the_day_that_is_judged(run):
    verdict = judged(run, waiver(), today=SOON + timedelta(1))
    assert 'waiver "W-1" (Ada) excuses nothing and has ended: it can go' in verdict.notes


def test_a_waiver_of_a_class_that_the_data_have_not_is_told(run):
    verdict = judged(run, waiver(**{"class": '"unicorn"'}))
    assert 'the policy names a class "unicorn" that the data have not' in verdict.notes


def test_of_two_waivers_that_cover_a_flag_the_first_is_used(blurred):
    verdict = judged(blurred, RULE + waiver(id='"one"', **{"class": '"cat"'})
                     + waiver(id='"two"'))
    assert {(one.label, one.by) for one in verdict.flags.flags} == {("cat", "one"), ("dog", "two")}
    assert verdict.flags.unused == ()


def test_a_verdict_holds_until_the_first_of_its_waivers_ends(blurred):
    text = (waiver(id='"one"', **{"class": '"cat"'})
            + waiver(id='"two"', expires=SOON - timedelta(7), **{"class": '"dog"'})
            + waiver(id='"unused"', expires=SOON - timedelta(20), check='"dark"'))
    assert judged(blurred, RULE + text).flags.until == SOON - timedelta(7)
    assert judged(blurred, RULE).flags.until is None


@pytest.mark.parametrize(("fields", "parts"), [
    *(({key: None}, [f"must have {key}"]) for key in ("id", "check", "reason", "owner", "expires")),
    *(({key: '"  "'}, [f"must have {key}, a text that is not empty"])
      for key in ("id", "check", "reason", "owner")),
    ({"reason": "3"}, ["must have reason"]), ({"owner": '["Ada"]'}, ["must have owner"]),
    ({"check": '"blury"'}, ['no check "blury"', 'Did you mean "blurry"?']),
    ({"check": '"class_size"'}, ['no check "class_size"']),
    ({"expires": f'"{SOON}"'}, ["must have expires, a day as in 2027-01-31", f"Got '{SOON}'"]),
    ({"expires": f"{SOON}T00:00:00Z"}, ["must have expires, a day"]),
    ({"expires": TODAY + timedelta(91)}, ["holds for 91 days more, and 90 are allowed",
                                          "longest_waiver_days"]),
    ({"images": '"cat/*"'}, ["images must be a list of patterns"]),
    ({"images": "[]"}, ["images must be a list of patterns", "Leave it out for all images"]),
    ({"images": '[""]'}, ["images must be a list of patterns"]),
    ({"images": "[3]"}, ["images must be a list of patterns"]),
    ({"images": '["sha256:0f3a"]'}, ["sha256:0f3a is too short to be one file", "Give 12 digits"]),
    ({"images": f'["cat/*", "sha256:{"a" * 11}"]'}, ["is too short to be one file"]),
    ({"class": '""'}, ["class must be the name of one. Leave it out for all."]),
    ({"class": '["cat"]'}, ["class must be the name of one"]),
    ({"expire": TODAY}, ['no key "expire"', 'Did you mean "expires"?']),
    ({"label": '"cat"'}, ['no key "label"'])])
def test_a_waiver_that_is_incomplete_or_makes_no_sense_is_refused(tmp_path, fields, parts):
    path = policy_of(tmp_path, waiver(id='"W-0"') + waiver(**fields))
    with pytest.raises(UsageError) as refused:
        read_policy(path)
    for part in [f"{path}: waiver 2", *parts]:
        assert part in str(refused.value)


def test_a_waiver_may_hold_as_long_as_the_policy_allows(tmp_path):
    latest = waiver(expires=TODAY + timedelta(90))
    assert len(read_policy(policy_of(tmp_path, latest)).waivers) == 1
    with pytest.raises(UsageError, match="holds for 90 days more, and 89 are allowed"):
        read_policy(policy_of(tmp_path, "[gate]\nlongest_waiver_days = 89\n" + latest))
    longer = waiver(expires=TODAY + timedelta(300))
    assert len(read_policy(policy_of(
        tmp_path, "[gate]\nlongest_waiver_days = 300\n" + longer)).waivers) == 1


def test_a_waiver_that_has_ended_can_be_read(tmp_path):
    path = policy_of(tmp_path, waiver(expires=TODAY - timedelta(4_000)))
    assert read_policy(path).waivers[0].is_over(TODAY)


@pytest.mark.parametrize("same", ['"W-1"', '" W-1 "'])
def test_two_waivers_of_one_id_are_refused(tmp_path, same):
    path = policy_of(tmp_path, waiver() + waiver(id=same, check='"dark"'))
    with pytest.raises(UsageError, match='two waivers have the id "W-1"'):
        read_policy(path)


def test_waivers_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"waiver 1 must be a table\. Got 'blurry'"):
        read_policy(policy_of(tmp_path, '[gate]\nwaivers = ["blurry"]'))


@pytest.mark.parametrize("status", ["error", "skipped"])
def test_a_waiver_is_no_pass_for_a_check_that_did_not_run(tmp_path, status):
    run = write_run(tmp_path / "run", statuses={"blurry": status})
    verdict = judged(run, RULE + waiver())
    assert (verdict.status, verdict.exit_code) == ("uncertified", 3)


def test_a_waiver_is_no_pass_for_a_class_that_is_too_small(tmp_path):
    run = write_run(tmp_path / "run", PLENTY[:65])
    everything = "".join(waiver(id=f'"{code}"', check=f'"{code}"')
                         for code in read_policy(None).checks)
    assert broken(judged(run, everything)) == {'class_size of "dog"': "fail"}
