"""`audit diagnose` from a folder of images to a page, and its refusals in one line."""

import json
import signal
from pathlib import Path

import pytest
from conftest import write_digits
from refused_models import REFUSED
from typer.testing import CliRunner

import pipelines.diagnose_model
from audit.diagnosis.diagnose import Budget
from audit.errors import UsageError
from pipelines.cli import app
from pipelines.diagnose_model import DiagnoseSettings

TINY = Budget(updates=40, seconds=5.0, total=0.0)
"""Too little to conclude anything; enough for all that a diagnosis does."""

MODELS = REFUSED + """
def model(initializer="glorot_uniform"):
    keras.utils.set_random_seed(0)
    one = keras.Sequential([
        keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Flatten(),
        layers.Dense(32, "relu", kernel_initializer=initializer),
        layers.Dense(3, "softmax", kernel_initializer=initializer)])
    one.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    return one

def of_zeros():
    return model("zeros"), {"epochs": 30}


def not_compiled():
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)])

def raises_when_trained():
    one = model()
    one.layers[-1].call = None
    return one

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten, self.dense = layers.Flatten(), layers.Dense(3, "softmax")

    def call(self, pictures):
        return self.dense(self.flatten(pictures / 255))

def not_built():
    one = Own()
    one.compile("adam", "sparse_categorical_crossentropy")
    return one
"""


def strict(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def one_line(result, words, code=2):
    """The refusal that a command ended with."""
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("audit: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    return True


@pytest.fixture(scope="module")
def command():
    """Runs the command line in this process: another takes seconds to load TensorFlow."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda *arguments: CliRunner().invoke(app, ["diagnose", *map(str, arguments)])
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Digits in `photos`, models in `models.py`, and a finished run of the digits in `run`."""
    folder = tmp_path_factory.mktemp("diagnose")
    write_digits(folder / "photos", per_class=30)
    (folder / "models.py").write_text(MODELS)
    (folder / "history.json").write_text(json.dumps({
        "loss": [1.1, 0.6, 0.4], "val_loss": [1.1, 0.7, 0.6]}))
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text(json.dumps({"source": {
        "data": str(folder / "photos"), "labels": None, "label_column": "label"}}))
    (folder / "run" / "summary.json").write_text(json.dumps({"causes": [], "checks": [
        {"code": "label", "metrics": {"estimated_share": 0.3,
                                      "estimated_share_interval_90": [0.2, 0.4]}}]}))
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """Experiments of `--quick` made shorter still."""
    monkeypatch.setattr(pipelines.diagnose_model, "QUICK", TINY)


@pytest.fixture(scope="module")
def ended(command, base):
    """A diagnosis of a folder that ended well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipelines.diagnose_model, "QUICK", TINY)
        return command(base / "photos", "--model", f"{base}/models.py:model", "--quick", "--out",
                       base / "out", "--history", base / "history.json")


def test_the_page_and_the_figures_are_written_and_the_verdict_printed(ended, base):
    assert ended.exit_code == 0, ended.output
    assert {path.name for path in (base / "out").iterdir()} == {"diagnosis.html", "diagnosis.json"}
    told = strict(base / "out" / "diagnosis.json")
    html = (base / "out" / "diagnosis.html").read_text(encoding="utf-8")
    read = " ".join(ended.stdout.split())
    assert told["verdict"] in read
    assert told["verdict"] in html
    assert str(base / "out" / "diagnosis.html") in read
    images = told["images"]
    assert (images["used"], images["of"], images["classes"]) == (90, 90, ["one", "two", "zero"])
    assert images["learned"] + images["judged"] == 90
    assert told["as_it_is"]["failure"] == told["reference"]["failure"] == ""
    assert told["one_batch"]["is_learned"]


def test_with_quick_less_is_explored(ended, base):
    assert ended.exit_code == 0, ended.output
    told = strict(base / "out" / "diagnosis.json")
    assert told["optimizers"] == told["sizes"] == []
    assert told["on_digits"] is None
    assert told["as_it_is"]["updates"] <= TINY.updates


def test_the_epochs_are_those_of_the_history(ended, base):
    told = strict(base / "out" / "diagnosis.json")
    assert told["regime"].startswith("3 epochs")
    assert len(told["as_it_is"]["epochs"]) == 3
    assert told["history"]["loss"] == [1.1, 0.6, 0.4]
    assert "Your history:" in ended.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_a_finished_run_keeps_its_diagnosis_and_gives_what_its_audit_found(command, base):
    """Epochs that are told are taken before those of a history."""
    ended = command(base / "run", "--model", f"{base}/models.py:model", "--quick", "--epochs", 2,
                    "--history", base / "history.json", "--batch-size", 20)
    assert ended.exit_code == 0, ended.output
    told = strict(base / "run" / "diagnosis" / "diagnosis.json")
    assert (base / "run" / "diagnosis" / "diagnosis.html").is_file()
    assert told["regime"] == "2 epochs, batches of 20"
    assert "label_noise" in [one["key"] for one in told["causes"]]


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_a_model_that_cannot_be_trained_is_told_and_ends_nothing(command, base, tmp_path):
    ended = command(base / "photos", "--model", f"{base}/models.py:raises_when_trained", "--quick",
                    "--out", tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    told = strict(tmp_path / "out" / "diagnosis.json")
    assert told["as_it_is"]["failure"]
    assert "TypeError" in told["causes"][0]["evidence"]
    assert "TypeError" in ended.stdout
    assert told["optimizers"] == told["sizes"] == []


@pytest.mark.slow
def test_a_model_of_zeros_is_named_with_quick(command, base, tmp_path):
    ended = command(base / "photos", "--model", f"{base}/models.py:of_zeros", "--quick", "--out",
                    tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    told = strict(tmp_path / "out" / "diagnosis.json")
    assert told["blame"] == "model"
    assert told["causes"][0]["key"] == "initialisation"
    assert told["causes"][0]["after"] > told["causes"][0]["before"] + 0.3
    assert not told["one_batch"]["is_learned"]


@pytest.mark.slow
def test_without_quick_all_is_explored(command, base, tmp_path, monkeypatch):
    monkeypatch.setattr(pipelines.diagnose_model, "Budget", lambda: TINY)
    ended = command(base / "photos", "--model", f"{base}/models.py:of_zeros", "--out",
                    tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    told = strict(tmp_path / "out" / "diagnosis.json")
    assert len(told["optimizers"]) == 3
    assert len(told["sizes"]) == 2
    if told["is_poor"]:
        assert told["on_digits"] is not None
        assert told["reference_on_digits"]["recall"] > told["on_digits"]["recall"]


def test_where_it_goes_without_out(base, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for data, folder in ((base / "photos", Path("reports/photos/diagnosis")),
                         (base / "labels.csv", Path("reports/labels/diagnosis")),
                         (base / "run", base / "run" / "diagnosis")):
        assert DiagnoseSettings(data, "a:b").folder == folder
        assert DiagnoseSettings(data, "a:b", out=tmp_path / "mine").folder == tmp_path / "mine"


@pytest.mark.parametrize("out", ["photos", "photos/zero/new", "photos/../photos/report"])
def test_no_report_goes_into_the_data(command, base, out):
    result = command(base / "photos", "--model", "models.py:model", "--out", base / out)
    assert one_line(result, "lies in the data")
    assert not list((base / "photos").rglob("diagnosis.*"))


@pytest.mark.parametrize(("data", "out"), [
    ("run", "run/elsewhere"), ("photos", "photos/../beside"), ("photos", "photos-report")])
def test_reports_beside_the_data_are_allowed(base, data, out):
    assert DiagnoseSettings(base / data, "a:b", out=base / out).folder == base / out


def test_a_link_into_the_data_is_no_way_around(base, tmp_path):
    (tmp_path / "link").symlink_to(base / "photos", target_is_directory=True)
    with pytest.raises(UsageError, match="lies in the data"):
        DiagnoseSettings(base / "photos", "a:b", out=tmp_path / "link" / "report")


@pytest.mark.parametrize(("name", "words"), [
    ("raises", "RuntimeError: no weights here"), ("two_inputs", "has 2 inputs"),
    ("maps", "(None, classes), is wanted"), ("not_compiled", "model.compile"),
    ("gone", "has no function gone")])
def test_what_is_no_classifier_is_one_line(command, base, tmp_path, name, words):
    out = tmp_path / "out"
    result = command(base / "photos", "--model", f"{base}/models.py:{name}", "--out", out)
    assert one_line(result, words)
    assert not out.exists()


@pytest.mark.usefixtures("tiny")
def test_a_model_that_is_built_by_its_first_images_is_diagnosed(command, base, tmp_path):
    result = command(base / "photos", "--model", f"{base}/models.py:not_built", "--quick",
                     "--epochs", 1, "--out", tmp_path / "out")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in {0, 2}


@pytest.mark.parametrize(("content", "words"), [
    (None, "cannot be read"), ("{", "CSVLogger"), ('{"acc": [1]}', 'no "loss"')])
def test_a_history_that_is_none_is_one_line(command, base, tmp_path, content, words):
    if content is not None:
        (tmp_path / "history").write_text(content)
    assert one_line(command(base / "photos", "--model", f"{base}/models.py:model", "--history",
                            tmp_path / "history"), words)


def test_no_epochs_are_one_line(command, base, monkeypatch):
    monkeypatch.setattr(pipelines.diagnose_model, "read_images", None)  # ends what is not refused
    assert one_line(command(base / "photos", "--model", f"{base}/models.py:model", "--epochs", 0),
                    "--epochs must be a whole number of 1 or more")


@pytest.mark.parametrize(("options", "words"), [
    (("--epochs", -1), "--epochs must be a whole number of 1 or more"),
    (("--batch-size", 0), "--batch-size must be a whole number of 1 or more"),
    (("--seed", -1), "--seed")])
def test_settings_that_make_no_sense_are_one_line(command, base, tmp_path, options, words):
    assert one_line(command(base / "photos", "--model", f"{base}/models.py:model", "--out",
                            tmp_path / "out", *options), words)


@pytest.mark.parametrize(("make", "code", "words"), [
    (lambda _: None, 2, "does not exist"), (lambda folder: folder.mkdir(), 3, "no images"),
    (lambda folder: write_digits(folder, per_class=9, names=("zero", "one")) and [
        path.unlink() for path in (folder / "one").iterdir()], 3, "1 class")],
    ids=["missing", "empty", "one class"])
def test_data_that_nothing_can_be_learned_from_are_one_line(
        command, base, tmp_path, make, code, words):
    make(tmp_path / "data")
    assert one_line(command(tmp_path / "data", "--model", f"{base}/models.py:model", "--out",
                            tmp_path / "out", "--quick"), words, code)
    assert not (tmp_path / "out").exists()


def test_a_run_that_cannot_be_read_is_one_line(command, base, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert one_line(command(tmp_path, "--model", f"{base}/models.py:model"), "audit them again")
