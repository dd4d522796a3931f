"""Learning curves from a quarter of the images against what is measured with all of them.

    python -m benchmarks.back_test_curves RUN [--truth labels.csv --truth-column clean_label]
        [--flip 0.1] [--trials 7]

RUN is a finished run, whose embeddings and labels are used. Each trial takes another sample of
four fifths of its images and other folds; labels are those of the run, or those of a column of a
table (paths as image_id), a share of which is replaced by another class at random with `--flip`.
Labels that a quick cross-validation disbelieves are left out, as in an audit. The curve is fitted
to the accuracies (mean recall of the classes) from samples of up to N/4 images and asked for the
accuracy with N; it is then compared with the accuracy that was measured with N.

Prints a row of a table: trials, how many of the 90 % intervals held the measured accuracy, mean
absolute error, mean error and mean width of the interval, in points.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from audit.learning_curve import fit_curve
from audit.mean_recall import mean_recall
from audit.memory import keep_freed_memory
from audit.noise import fit_label_noise
from audit.representations import Refits, assign_folds, cross_validate_head
from audit.representations.head import Choices

BACK_TEST = 1 / 4
SAMPLE = 0.8
LANDMARKS = 2_000


def labels_of(images, arguments):
    """Numbers of the classes of each image, and the number of classes."""
    if arguments.truth:
        table = pd.read_csv(arguments.truth).set_index("path")[arguments.truth_column]
        names = images["image_id"].map(table)
    else:
        names = images["given_label"]
    known = names.notna().to_numpy()
    classes, codes = np.unique(names[known], return_inverse=True)
    return known, codes, len(classes)


def flipped(labels, classes, share, random):
    wrong = random.random(len(labels)) < share
    return np.where(wrong, (labels + random.integers(1, classes, len(labels))) % classes, labels)


def one_trial(embeddings, labels, classes, choices, seed):
    """Predicted, low, high and measured mean recall."""
    folds = assign_folds(pd.Series(labels.astype(str)), np.arange(len(labels)),
                         np.ones(len(labels), bool), 5, seed).fold
    head, = cross_validate_head(embeddings, labels, [folds], classes, seed, landmarks=LANDMARKS,
                                choices=Choices(**choices))
    believed = fit_label_noise(np.log(head.probabilities + 1e-12), labels).is_wrong < 0.5  # noqa: PLR2004
    refits = Refits(embeddings, labels, folds[None], classes, choices, LANDMARKS, seed)
    curve = refits.learning_curve(believed)
    own = labels[believed]
    hits = curve.hits[:, :, believed]
    accuracies = [[mean_recall(own, one) if (one >= 0).all() else np.nan for one in repeats]
                  for repeats in hits]
    known = curve.shares <= BACK_TEST + 1e-9
    tested = classes**2 / (1 / np.bincount(own)).sum()
    fitted = fit_curve(curve.sizes[known], np.array(accuracies)[known], tested, seed)
    return (*fitted.predict(float(curve.sizes[-1])), accuracies[-1][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--truth", type=Path, help="table with labels to use")
    parser.add_argument("--truth-column", default="label")
    parser.add_argument("--flip", type=float, default=0, metavar="SHARE")
    parser.add_argument("--trials", type=int, default=7)
    arguments = parser.parse_args()
    keep_freed_memory()
    images = pd.read_parquet(arguments.run / "images.parquet")
    embeddings = np.load(arguments.run / "embeddings.npy")
    read = np.isfinite(embeddings).all(axis=1)
    images, embeddings = images[read].reset_index(drop=True), embeddings[read]
    known, labels, classes = labels_of(images, arguments)
    embeddings = embeddings[known]
    head = json.loads((arguments.run / "run.json").read_text())["head"]
    choices = {name: head[name] for name in ("columns", "width", "ridge", "correction_rounds")}
    found = []
    for seed in range(arguments.trials):
        random = np.random.default_rng(seed)
        some = np.sort(random.permutation(len(labels))[:round(SAMPLE * len(labels))])
        own = flipped(labels[some], classes, arguments.flip, random)
        found.append(one_trial(embeddings[some], own, classes, choices, seed))
        print(f"  {seed}: told {found[-1][0]:.3f} ({found[-1][1]:.3f} to {found[-1][2]:.3f}), "
              f"measured {found[-1][3]:.3f}", flush=True)
    told, low, high, measured = np.array(found).T
    error = 100 * (told - measured)
    covered = ((low <= measured) & (measured <= high)).sum()
    print(f"| {arguments.run.name} | {arguments.truth_column if arguments.truth else 'as given'}, "
          f"{arguments.flip:.0%} flipped | {len(found)} | {covered} | {np.abs(error).mean():.1f} | "
          f"{error.mean():+.1f} | {100 * (high - low).mean():.1f} |")


if __name__ == "__main__":
    main()
