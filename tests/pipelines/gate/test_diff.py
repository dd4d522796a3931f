"""`audit diff` as a user runs it."""

import base64
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from gate_runs import (
    EVIL,
    edited,
    one_line,
)
from PIL import Image

from audit.gate.policy import known_checks


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_diff_says_what_appeared_and_where(audit_command, digits, worse, tmp_path):
    ended = audit_command("diff", digits / "run", worse, "--json", tmp_path / "told.json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["before"]["images"], told["after"]["images"]) == (91, 92)
    assert {name: told["images"][name] for name in (
        "added", "removed", "relabelled", "renamed")} == {
        "added": 1, "removed": 0, "relabelled": 27, "renamed": 0}
    assert told["images"]["added_names"] == [f"{EVIL}/broken.png"]
    assert {(one["before"], one["after"]) for one in told["images"]["relabelled_names"]} == {
        ("two", EVIL), ("one", EVIL)}
    checks = {one["check"]: one for one in told["checks"]}
    assert set(checks) == set(known_checks())
    assert checks["label"]["flagged"] == {"before": 4, "after": 5}
    (flag,) = checks["label"]["appeared_flags"]
    assert (flag["subject"], flag["class"]) == (f"{EVIL}/wrong4.png", EVIL)
    assert checks["unreadable_file"]["classes"] == {EVIL: {"appeared": 1, "gone": 0}}
    assert checks["split_leak"]["status"] == {"before": "skipped", "after": "skipped"}
    assert "91 → 92 images: 1 added, 0 removed, 27 relabelled, 0 renamed" in ended.stdout
    assert f"+ Unreadable files: {EVIL}/broken.png" in ended.stdout
    assert f"+ Label issues: {EVIL}/wrong4.png" in ended.stdout


def test_diff_of_renamed_files_finds_nothing(audit_command, digits, renamed):
    ended = audit_command("diff", digits / "run", renamed)
    assert ended.returncode == 0, ended.stderr
    assert "0 added, 0 removed, 0 relabelled, 46 renamed" in ended.stdout
    assert "Nothing that a check finds has changed." in ended.stdout


@pytest.mark.parametrize("is_back", [False, True])
def test_the_page_of_a_diff_shows_pictures_and_runs_nothing(audit_command, digits, worse, tmp_path,
                                                           is_back):
    runs = [worse, digits / "run"] if is_back else [digits / "run", worse]
    ended = audit_command("diff", *runs, "--html", tmp_path / "page" / "told.html")
    assert ended.returncode == 0, ended.stderr
    page = Page(tmp_path / "page" / "told.html")
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "link"} == set()
    assert not [name for _, facts in page.tags for name in facts if name.startswith("on")]
    assert EVIL in page.text, "it is there, as text"
    assert f"{EVIL}/wrong4.png" in page.text
    pictures = {facts["alt"]: facts["src"] for tag, facts in page.tags if tag == "img"}
    source = pictures[f"{EVIL}/wrong4.png"]
    assert source.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (32, 32))
    addresses = [facts.get("src") or facts.get("href") for _, facts in page.tags]
    assert {one.partition(":")[0] for one in addresses if one and not one.startswith("#")} == {
        "data"}, "it opens offline"


def test_a_diff_whose_pictures_are_gone_is_a_page_without_them(audit_command, digits, worse,
                                                              tmp_path):
    run = Path(shutil.copytree(worse, tmp_path / "run"))
    edited(run / "run.json", lambda content: content["source"].update(data=str(tmp_path / "gone")))
    ended = audit_command("diff", digits / "run", run, "--html", tmp_path / "told.html")
    assert ended.returncode == 0, ended.stderr
    page = Page(tmp_path / "told.html")
    assert f"{EVIL}/wrong4.png" in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_diff_refuses_folders_that_are_no_runs(audit_command, digits, tmp_path):
    run, html = digits / "run", tmp_path / "told.html"
    assert "is no folder" in one_line(audit_command("diff", run, tmp_path / "nowhere"), 2)
    assert "is no folder" in one_line(audit_command("diff", run / "run.json", run), 2)
    for runs in ((run, tmp_path), (tmp_path, run)):
        assert "no finished run" in one_line(audit_command("diff", *runs, "--html", html), 3)
    assert not html.exists()
