"""Audit → plan → train before and after → compare: the whole way, as one call.

python -m pipelines.remediate_and_train DATA --out DIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audit.rundir import RunDir
from pipelines.explained import explained
from pipelines.tell_training import Verdict, as_json, judge, print_training
from pipelines.train_network import Trained, TrainSettings, save_network, train

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.progress import Stages
    from pipelines.settings import Settings

HELD_OUT = "0.2"
"""Share of the images that are held out where the data have no test split."""

EXAMPLE = '''"""How to load the network that `audit train` saved, and use it on pictures."""

import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageOps

network = keras.models.load_model(Path(__file__).with_name("network.keras"))
classes = network.get_layer("class_names").get_vocabulary()
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    told = network.predict(np.asarray(picture)[None].astype("float32"), verbose=0)
    best = int(told["probabilities"][0].argmax())
    print(f"{name}: {classes[best]} ({told['probabilities'][0][best]:.2f})")
'''


def train_and_compare(settings: TrainSettings, stages: Stages, console: Console,
                      ) -> tuple[Trained, Verdict]:
    """Train before and after, save the network, training.json and training.html, and print it.

    Raises:
        UsageError: an option or a path is wrong, or the data are not what was audited.
        UnauditableError: there is nothing to train on or to test on.
    """
    from audit.render import render_training  # noqa: PLC0415 - slow

    trained = train(settings, stages)
    verdict = judge(trained)
    network = save_network(trained, verdict.saved_arm, settings.out)
    out = RunDir(settings.out)
    out.write("load_network.py", EXAMPLE.encode())
    told = as_json(trained, verdict)
    out.write_json("training.json", told)
    out.write("training.html", render_training(told, trained.histories, EXAMPLE).encode(
        "utf-8", "backslashreplace"))
    print_training(console, trained, verdict, network)
    return trained, verdict


def audit_and_train(audited: Settings, settings: TrainSettings, stages: Stages, console: Console,
                    ) -> Verdict:
    """Audit a dataset, of which the test images are held out, then train and compare.

    Args:
        audited: with `out` and `hold_out` given; `settings` has the same folder as its run.
        settings: of the training.
        stages: told of the progress.
        console: for the two summaries.
    """
    from audit.render import print_summary  # noqa: PLC0415 - slow
    from pipelines.audit_dataset import audit_dataset  # noqa: PLC0415 - slow

    finished = audit_dataset(audited, stages)
    print_summary(console, finished.report, str(finished.path / "report.html"))
    return train_and_compare(settings, stages, console)[1]


def main() -> int:
    """Run from the command line."""
    from rich.console import Console  # noqa: PLC0415

    from audit.ingest import TEST, open_dataset  # noqa: PLC0415
    from pipelines.progress import Stages  # noqa: PLC0415
    from pipelines.remedy_dataset import RemedySettings  # noqa: PLC0415
    from pipelines.settings import Settings  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder or table, as for `audit run`")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each arm")
    parser.add_argument("--network", default="auto", help="as for `audit train`")
    given = parser.parse_args()
    with explained(unfinished="the same command begins again; `audit train` goes on with a run "
                              "that is finished."):
        splits = set(open_dataset(given.data).manifest["split"])
        audited = Settings(data=given.data, out=given.out,
                           hold_out=TEST if TEST in splits else HELD_OUT)
        settings = TrainSettings(
            RemedySettings(run=given.out, out=given.out / "training", balance="auto"),
            given.out / "training", given.network, given.seeds)
        audit_and_train(audited, settings, Stages(Console(stderr=True)), Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
