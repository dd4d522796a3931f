"""`audit review` as a user runs it: it serves, ends cleanly, and carries answers over."""

import http.client
import json
import shutil
import signal
from pathlib import Path

import pytest
from conftest import write_digits
from review.browserless import command_serving

from audit.review.items import Catalogue
from audit.review.store import REVIEW_FILE, Event, ReviewStore
from audit.stored_run import read_run
from pipelines.review_findings import open_review

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reports(audit_command, tmp_path_factory):
    """A folder with a run on digits of which four labels are wrong."""
    base = tmp_path_factory.mktemp("review")
    probabilities, _ = write_digits(base / "photos", per_class=30)
    names = probabilities["image_id"].tolist()
    for number, path in enumerate(sorted((base / "photos" / "two").iterdir())[:4]):
        path.rename(base / "photos" / "zero" / f"wrong{number}.png")
        names[names.index(f"two/{path.name}")] = f"zero/wrong{number}.png"
    probabilities.assign(image_id=names).to_csv(base / "probs.csv", index=False)
    ended = audit_command("run", base / "photos", "--out", base / "reports" / "first",
                          "--pred-probs", base / "probs.csv")
    assert ended.returncode == 0, ended.stderr
    return base / "reports"


@pytest.fixture
def run(reports, tmp_path):
    """A copy that a test may answer."""
    return Path(shutil.copytree(reports / "first", tmp_path / "reports" / "first"))


def asked(run):
    return [one for one in Catalogue(read_run(run)).items if one.kind == "label" and not one.truth]


def answer_all(run, reviewer="Ada"):
    items = asked(run)
    store = ReviewStore(run / REVIEW_FILE)
    store.append([Event(f"{reviewer} {one.item_id}", reviewer, one.item_id, one.check,
                        one.sha256[0], "class", one.suggested, "", 900, "one", one.given)
                  for one in items])
    store.close()
    return items


@pytest.fixture
def serve(run):
    """Starts `audit review` in a process of its own; gives the process and its address."""
    with command_serving(run) as start:
        yield lambda *arguments: start("--port", "0", *arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_on_this_machine_until_it_is_ended(serve, number):
    process, address = serve()
    host = address.split("/")[2]
    assert host.startswith("127.0.0.1:")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("GET", "/" + address.split("/", 3)[3])
    answered = connection.getresponse()
    assert answered.status == 303
    cookie = answered.headers["set-cookie"].split(";")[0]
    answered.read()
    connection.request("GET", "/api/session", headers={"cookie": cookie})
    told = json.loads(connection.getresponse().read())
    assert {one["code"] for one in told["checks"]} >= {"label"}
    connection.close()
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode in {0, 130}
    assert "Traceback" not in errors
    assert "questions are answered" in out


def test_a_port_that_is_taken_is_told_in_one_line(serve, run, audit_command):
    _, address = serve()
    port = address.split(":")[2].split("/")[0]
    ended = audit_command("review", run, "--port", port)
    assert ended.returncode == 2
    assert f"port {port}" in ended.stderr
    assert "--port 0" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("--overlap", "0"), "--overlap must be from 1 to 20"),
    (("--port", "70000"), "--port must be from 0 to 65535"),
    (("--answers", "nowhere"), "holds no review.sqlite"),
    (("--export", "a", "--format", "pdf"), "--format must be csv"),
    (("--import", "nothing.csv"), "cannot be read")])
def test_wrong_options_are_told_in_one_line(run, audit_command, arguments, message):
    ended = audit_command("review", run, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_folder_without_a_run_is_refused(audit_command, tmp_path):
    ended = audit_command("review", tmp_path)
    assert ended.returncode == 2
    assert "no finished run" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_answers_of_a_run_beside_it_are_not_asked_for_again(run, reports):
    items = answer_all(run)
    later = Path(shutil.copytree(reports / "first", run.parent / "second"))
    review = open_review(later)
    standing = review.store.standing()
    assert all(standing.answer_of("Ada", one.item_id) for one in items)
    review.store.close()
    again = open_review(later)
    assert len(again.store.events()) == len(items), "they are taken over once"
    again.store.close()


def test_what_was_taken_back_stays_so_in_a_later_audit(run, reports):
    """The undo of a batch names one of its questions, which may not be asked again."""
    item = asked(run)[0]
    store = ReviewStore(run / REVIEW_FILE)
    gone = Event("gone", "Ada", "0" * 16, "label", "ff", "class", "one", "", 900, "grid", "zero",
                 "batch")
    store.append([gone, Event("here", "Ada", item.item_id, item.check, item.sha256[0], "class",
                              item.suggested, "", 900, "grid", item.given, "batch"),
                  Event("undo", "Ada", "0" * 16, "label", "ff", "undo", "", "", 0, "one", "zero",
                        undoes="batch")])
    store.close()
    review = open_review(Path(shutil.copytree(reports / "first", run.parent / "second")))
    assert review.store.standing().answers() == []
    review.store.close()


def test_answers_of_a_run_elsewhere_count_where_it_is_named(run, reports, tmp_path):
    items = answer_all(run)
    later = Path(shutil.copytree(reports / "first", tmp_path / "elsewhere" / "second"))
    alone = open_review(later)
    assert alone.store.events() == []
    alone.store.close()
    named = open_review(later, [run])
    assert len(named.store.events()) == len(items)
    named.store.close()


def test_answers_are_written_for_other_tools_and_taken_from_them(run, reports, audit_command,
                                                                 tmp_path):
    items = answer_all(run)
    written = audit_command("review", run, "--export", tmp_path / "answers.csv")
    assert written.returncode == 0, written.stderr
    assert f"{len(items)} answered images" in written.stdout
    other = Path(shutil.copytree(reports / "first", tmp_path / "other" / "run"))
    for _ in range(2):
        taken = audit_command("review", other, "--import", tmp_path / "answers.csv")
        assert taken.returncode == 0, taken.stderr
        assert "were wrong (100 %" in taken.stdout
        report = (other / "report.html").read_text(encoding="utf-8")
        assert report.count("Reviewed by people: Of 4 suspected labels reviewed, 4 were wrong") == 1
    store = ReviewStore(other / REVIEW_FILE)
    assert {(one.item_id, one.label) for one in store.events()} == {
        (one.item_id, one.suggested) for one in items}
    assert len(store.events()) == len(items)
    store.close()


def test_what_was_answered_is_what_fix_does(run, audit_command, tmp_path):
    items = answer_all(run)
    ended = audit_command("fix", run, "--out", tmp_path / "fixed")
    assert ended.returncode == 0, ended.stderr
    plan = (tmp_path / "fixed" / "plan.csv").read_text(encoding="utf-8")
    assert plan.count(",Ada,review,") == len(items)
    for number in range(4):
        line = next(line for line in plan.splitlines() if f"wrong{number}.png" in line)
        assert ",zero,two,relabel," in line
