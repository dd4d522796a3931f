"""The command line as a user meets it: answers at once, one clear line for each mistake."""

import subprocess
import sys
import time

import pytest

from audit.registry import all_checks


def test_help_answers_at_once(audit_command):
    audit_command("--help")  # the first call writes byte code
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        result = audit_command("--help")
        seconds.append(time.perf_counter() - begun)
    assert result.returncode == 0
    assert "not learning" in result.stdout
    assert min(seconds) < 0.5


def test_help_imports_nothing_heavy():
    script = ("import sys; sys.argv = ['audit', '--help']\n"
              "from pipelines.cli import main\n"
              "try: main()\nexcept SystemExit: pass\n"
              "print(sorted({'tensorflow', 'pandas', 'numpy', 'cleanlab'} & set(sys.modules)))")
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                            check=True).stdout
    assert output.strip().endswith("[]")


def make_empty(folder):
    (folder / "data").mkdir()
    return folder / "data"


def make_missing(folder):
    return folder / "data"


def make_text_file(folder):
    (folder / "notes.txt").write_text("not a dataset")
    return folder / "notes.txt"


def make_only_text(folder):
    (folder / "data" / "cat").mkdir(parents=True)
    (folder / "data" / "cat" / "a.txt").write_text("x")
    return folder / "data"


def make_wrong_table(folder):
    (folder / "t.csv").write_text("file,class\na.jpg,cat\n")
    return folder / "t.csv"


@pytest.mark.parametrize(("make", "code", "words"), [
    (make_empty, 3, ["no images", "sub-folder a class"]),
    (make_missing, 2, ["does not exist"]),
    (make_text_file, 2, ["neither a folder nor a table"]),
    (make_only_text, 3, ["no images", "1 .txt"]),
    (make_wrong_table, 2, ["path,label", "file,class"]),
])
def test_what_cannot_be_audited_is_one_clear_line(audit_command, tmp_path, make, code, words):
    result = audit_command("run", make(tmp_path), cwd=tmp_path)
    assert result.returncode == code
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("audit: ")
    assert all(word in result.stderr for word in words)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(("options", "words"), [
    (["--folds", "1"], "--folds must be from 2"),
    (["--workers", "0"], "--workers must be 1 or more"),
    (["--engine", "spark"], "--engine must be local or ray"),
    (["--ray-address", "127.0.0.1:1"], "--ray-address goes with --engine ray"),
    (["--engine", "ray", "--effort", "high"], "Take --effort normal, or --engine local"),
    (["--effort", "medium"], "--effort must be low, normal, high"),
    (["--backbone", "resnet9000"], "not known"),
    (["--pred-probs", "nowhere.csv"], "does not exist"),
    (["--config", "nowhere.toml"], "cannot be read"),
])
def test_wrong_options_are_refused(audit_command, digits_folder, tmp_path, options, words):
    result = audit_command("run", digits_folder / "photos", *options, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [] or not list(tmp_path.rglob("*.json"))


def test_checks_lists_and_explains(audit_command):
    listed = audit_command("checks")
    assert listed.returncode == 0
    assert all(one.meta.code in listed.stdout for one in all_checks())
    explained = audit_command("checks", "dark")
    assert "0.32" in explained.stdout
    assert "CleanVision" in explained.stdout
    unknown = audit_command("checks", "drak")
    assert unknown.returncode == 2
    assert 'no check "drak"' in unknown.stderr


def test_demo_refuses_a_folder_with_something_in_it(audit_command, photos):
    result = audit_command("demo", photos)
    assert result.returncode == 2
    assert "not an empty folder" in result.stderr
