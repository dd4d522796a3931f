"""Small finished runs, written as `audit run` writes them, with what is planted."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from audit import tables
from audit.digest import digest_of_rows
from audit.errors import AuditError
from audit.gate.policy import known_checks, read_policy
from audit.gate.record import NOT_ABOUT_IMAGES, CheckState, Finding, GateRecord, read_record
from audit.gate.reviewed import Reviewed
from audit.gate.verdict import judge
from audit.gating import gate_run, read_reviewed
from audit.review.items import LABEL, QUALITY, kind_of_set, question_name
from audit.review.store import REVIEW_FILE, Event, ReviewStore
from audit.rundir import RunDir


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def image(name, label, content=None, split="", status="ok"):
    """One image; its content is that of its name unless told, and none where it was not read."""
    return {"image_id": name, "given_label": label, "split": split, "status": status,
            "file_sha256": sha(name if content is None else content) if content != "" else ""}


def pictures(**counts):
    """So many images of each class, `cat/000.jpg` and so on."""
    return [image(f"{label}/{number:03d}.jpg", label)
            for label, count in counts.items() for number in range(count)]


PLENTY = pictures(cat=60, dog=60)
"""Enough of each class for the default policy; `PLENTY[:60]` are cats."""


def write_run(folder, images=PLENTY, *, flags=None, findings=(), sets=None, statuses=None,
              metrics=None, settings=None, source=None, without=(), held_out=()):
    """Write a run in which all checks ran and found nothing, but for what is told.

    Args:
        folder: of the run.
        images: of `image`.
        flags: check → rows that it flags, or row → score.
        findings: `(check, subject, score)` of checks that are not about images; about the dataset
            where the subject is empty, else about a class.
        sets: check → tuples of rows; its members are flagged too.
        statuses: check → its status, where it is not ok.
        metrics: check → its figures.
        settings: options of the run.
        source: where the images were.
        without: checks that the run does not know.
        held_out: names of images that were held out.
    """
    flags = {check: rows if isinstance(rows, dict) else dict.fromkeys(rows, 0.1)
             for check, rows in (flags or {}).items()}
    sets, statuses = sets or {}, statuses or {}
    codes = [code for code in known_checks() if code not in without]
    names = [one["image_id"] for one in images]
    rows = [_finding(check, "image", names[row], score)
            for check, found in flags.items() for row, score in found.items()]
    rows += [_finding(check, "class" if subject else "dataset", subject, score)
             for check, subject, score in findings]
    for check, found in sets.items():
        rows += [_finding(check, "set", names[one[0]], 0.1, [names[row] for row in one[1:]])
                 for one in found]
        for one in found:
            flags[check] = flags.get(check, {}) | dict.fromkeys(one, 0.1)
    table = tables.make(tables.FINDINGS, rows)
    counts = table["check"].value_counts()
    given = {name: pd.Series([one[name] for one in images], dtype=object)
             for name in ("image_id", "split", "given_label", "status", "file_sha256")}
    digest = digest_of_rows(given["file_sha256"], given["given_label"], given["split"])
    run = RunDir(folder)
    run.write_table("images", _images(given, codes, flags, statuses), csv=False)
    run.write_table("measures", pd.DataFrame(given), csv=False)
    run.write_table("findings", table, csv=False)
    if held_out:
        run.write_table("held_out", pd.DataFrame({"image_id": list(held_out)}), csv=False)
    run.write_json("summary.json", {
        "dataset": {"digest": digest, "images": len(images),
                    "classes": sorted(set(given["given_label"]))},
        "checks": [_check(code, statuses.get(code, "ok"), int(counts.get(code, 0)),
                          (metrics or {}).get(code, {})) for code in codes]})
    run.write_json("run.json", {
        "version": "1.0", "digest": digest,
        "settings": {"data": "photos", "labels": None, "label_column": "label", "thresholds": {},
                     **(settings or {})},
        "source": {"data": "/data/photos", "labels": None, "label_column": "label",
                   **(source or {})}})
    return folder


def _finding(check, about, subject, score, related=()):
    return {"check": check, "about": about, "subject": subject, "score": score,
            "is_flagged": True, "evidence": f"{check} saw {subject}", "suggestion": "look",
            "related": json.dumps(list(related))}


def _check(code, status, flagged, metrics):
    ran = status == "ok"
    return {"code": code, "title": code.replace("_", " ").capitalize(), "status": status,
            "reason": "" if ran else f"why {code} is {status}", "summary": "seen" if ran else None,
            "flagged": flagged if ran else None, "metrics": metrics if ran else None}


def _images(given, codes, flags, statuses):
    columns = {name: given[name] for name in ("image_id", "split", "given_label")}
    count = len(given["image_id"])
    for code in codes:
        if code in NOT_ABOUT_IMAGES:
            continue
        ran, found = statuses.get(code, "ok") == "ok", flags.get(code, {})
        columns[f"is_{code}_issue"] = pd.Series(
            [row in found for row in range(count)] if ran else [pd.NA] * count, dtype="boolean")
        columns[f"{code}_score"] = np.array(
            [found.get(row, 0.9) if ran else np.nan for row in range(count)], float)
    return pd.DataFrame(columns)


def record_of(images=PLENTY, *, flags=None, findings=(), statuses=None, metrics=None, without=()):
    """What would be read of such a run, without its files: for many runs at once."""
    flags = {check: rows if isinstance(rows, dict) else dict.fromkeys(rows, 0.1)
             for check, rows in (flags or {}).items()}
    states = {code: CheckState(
        code, code.replace("_", " ").capitalize(), (statuses or {}).get(code, "ok"), "",
        (metrics or {}).get(code, {}), code not in NOT_ABOUT_IMAGES)
        for code in known_checks() if code not in without}
    ran = {code: flags.get(code, {}) for code, one in states.items()
           if one.is_about_images and one.status == "ok"}
    names, labels, splits = (np.array([one[name] for one in images], object)
                             for name in ("image_id", "given_label", "split"))
    hashes = [one["file_sha256"] for one in images]
    return GateRecord(
        Path("run"), digest_of_rows(hashes, labels, splits), tuple(sorted(set(labels))), names,
        np.array([one or name for one, name in zip(hashes, names, strict=True)], object), labels,
        splits, np.array([one["status"] != "unreadable" for one in images], bool), states,
        {code: np.array(sorted(found), np.int64) for code, found in ran.items()},
        {code: np.array([found[row] for row in sorted(found)], float)
         for code, found in ran.items()},
        tuple(Finding(check, "class" if subject else "dataset", subject, score, "seen", "look")
              for check, subject, score in findings), (), {}, {}, "1.0")


def edit_json(path, change):
    """Change the content of a JSON file with a function."""
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def edit_summary(run, code, **fields):
    """Change what summary.json says of a check."""
    edit_json(run / "summary.json", lambda content: next(
        one for one in content["checks"] if one["code"] == code).update(fields))


def edit_table(path, change):
    """Replace a Parquet file by what a function makes of it; its types stay as they were."""
    table = pd.read_parquet(path)
    texts = table.select_dtypes(["object", "string"]).columns
    change(table.astype(dict.fromkeys(texts, object))).to_parquet(path, index=False)


def policy_of(folder, text):
    """A policy file of this text."""
    path = folder / "audit.toml"
    path.write_text(text, "utf-8")
    return path


def judged(run, policy=None, *, baseline=None, **more):
    """The verdict of a run; the policy is a file or its text."""
    if isinstance(policy, str):
        policy = policy_of(run, policy)
    record = read_record(run)
    return judge(record, read_policy(policy), read_reviewed(record),
                 baseline=None if baseline is None else read_record(baseline), **more)


def judgement(verdict, check, label=""):
    """What a verdict says of a check, or of a class in it."""
    found, = (one for one in verdict.judgements if (one.check, one.label) == (check, label))
    return found


def broken(verdict):
    """Status of each rule that is broken, by check and class."""
    return {one.name: one.status for one in verdict.judgements if one.status in {"fail", "warn"}}


def answer(check, images, said, label="", reviewer="Ada", given=None, mode="one"):
    """An answer to the question about one image, or about a set where several are given."""
    contents = [one["file_sha256"] for one in images]
    kind = LABEL if check == "label" else QUALITY if len(images) == 1 else kind_of_set(check)
    item_id = question_name(kind, check, contents)
    return Event(sha(f"{item_id} {said} {label} {reviewer} {mode}"), reviewer, item_id, check,
                 contents[0], said, label, "", 900, mode,
                 images[0]["given_label"] if given is None else given, at=1.0)


def write_answers(run, *events):
    """Store answers in a run."""
    store = ReviewStore(run / REVIEW_FILE)
    store.append(events)
    store.close()


NOBODY = Reviewed({}, frozenset(), "")
DEFAULT = read_policy(None)
BAD = {"unreadable_file": [0]}
"""Flags that break an error rule of the default policy."""


def outcome(run, **options):
    """Exit code of a run, and why; whether it is told by a verdict or by an error."""
    try:
        verdict = gate_run(run, **options)
    except AuditError as error:
        return error.exit_code, str(error)
    return verdict.exit_code, "; ".join(verdict.reasons)
