"""Is this dataset good enough to train on? For the command line and for pipelines in Python.

    from audit import assert_dataset
    assert_dataset("reports/photos/latest", data="photos")   # raises where it is not

It stands above the stages, as the registry of checks does: what people answered comes from
`audit.review`, the data as they are now from `audit.ingest`, and the rules from `audit.gate`.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from audit.digest import digest_of_rows
from audit.errors import AuditError, UsageError
from audit.gate.blessing import BLESSING_FILE, Blessing, NotBlessedError, read_blessing
from audit.gate.policy import read_policy
from audit.gate.record import digest_of_files, read_record
from audit.gate.reviewed import LABEL, Reviewed
from audit.gate.verdict import EXIT_CODES, FAIL, PASS, WARN, Verdict, judge
from audit.gate.waivers import today_in_utc
from audit.gate.words import headline, judgement_in_words
from audit.places import place_of
from audit.review.agreement import settle
from audit.review.items import kind_of_set, question_name
from audit.review.store import REVIEW_FILE, ReviewStore

if TYPE_CHECKING:
    from audit.gate.record import GateRecord
    from audit.places import Place
    from audit.review.store import Event

_THREADS = 8
_NO_OPINION = {"split_leak"}
"""Checks that no answer can silence: that a picture is in two splits is no opinion."""


class DatasetRefusedError(AuditError):
    """The dataset is not good enough by the policy, or nothing can be certified.

    Attributes:
        verdict: the whole of it.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Say what is broken in one line."""
        broken = [judgement_in_words(one) for one in verdict.judgements if one.status == FAIL or (
            one.status == WARN and verdict.fails_on_warning)]
        names = [one.name for one in verdict.judgements][:len(broken)]
        told = [*verdict.reasons, *(f"{name}: {text}" for name, text in
                                    zip(names, broken, strict=True))]
        super().__init__(f"{headline(verdict)} {'; '.join(told[:5])}")
        self.verdict = verdict
        self.exit_code = EXIT_CODES[verdict.status]


def gate_run(run: Path, *, policy: Path | None = None, baseline: Path | None = None,
             data: Place | None = None, fails_on_warning: bool = False) -> Verdict:
    """Judge a run by a policy.

    Args:
        run: folder that `audit run` has written.
        policy: TOML file; the default policy if not given.
        baseline: another run, whose findings do not count again.
        data: folder or table of the data as they are now, to be compared with what was audited.
        fails_on_warning: whether a warning is a violation.

    Raises:
        UsageError: a path, the policy or a waiver is wrong.
        UnreadableRunError: the run is not finished or damaged: nothing can be certified.
    """
    rules = read_policy(policy)
    record = read_record(run)
    before = read_record(baseline) if baseline is not None else None
    digest = digest_now(record, data) if data is not None else None
    return judge(record, rules, read_reviewed(record), baseline=before, digest=digest,
                 fails_on_warning=fails_on_warning)


def assert_dataset(run: Path | str, *, policy: Path | str | None = None,
                   baseline: Path | str | None = None, data: Path | str | None = None,
                   fail_on: str = "error") -> Verdict:
    """Go on only if a dataset is good enough to train on; see `gate_run`.

    Args:
        run: folder that `audit run` has written.
        policy: TOML file; the default policy if not given.
        baseline: another run, whose findings do not count again.
        data: the data as they are now; compared with what was audited if given.
        fail_on: `error`, or `warn` to refuse on warnings too.

    Raises:
        DatasetRefusedError: it is not, or nothing can be certified.
        AuditError: an argument is wrong, or the run cannot be read.
    """
    if fail_on not in {"error", "warn"}:
        raise UsageError(f'fail_on must be "error" or "warn". Got {fail_on!r} instead.')
    verdict = gate_run(Path(run), policy=_path(policy), baseline=_path(baseline),
                       data=None if data is None else place_of(data),
                       fails_on_warning=fail_on == "warn")
    if verdict.exit_code:
        raise DatasetRefusedError(verdict)
    return verdict


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def read_reviewed(record: GateRecord) -> Reviewed:
    """What people answered about the flags of a run; nothing where nobody was asked.

    An answer about a set of copies is one about each of them.

    Raises:
        UsageError: the answers cannot be read.
    """
    if not (record.path / REVIEW_FILE).is_file():
        return Reviewed({}, frozenset(), "")
    store = ReviewStore(record.path / REVIEW_FILE)
    try:
        standing = store.standing()
    finally:
        store.close()
    by_item: dict[str, list[Event]] = {}
    for one in standing.answers():
        by_item.setdefault(one.item_id, []).append(one)
    members = {question_name(kind_of_set(check), check, contents): contents
               for check, contents in record.members()}
    kept: dict[tuple[str, str, str], str] = {}
    real: set[tuple[str, str, str]] = set()
    told: dict[str, tuple[str, str]] = {}
    total = hashlib.sha256()
    for item_id in sorted(by_item):
        event = settle(by_item[item_id])
        if event is None or event.check in _NO_OPINION:
            continue
        answer = json.dumps([item_id, event.check, event.answer, event.label, event.given])
        total.update(answer.encode())
        if event.check == LABEL and event.answer == "class":
            told[event.sha256] = event.label, event.reviewer
            continue
        contents = members.get(item_id, (event.sha256,))
        if not _is_fine(event):
            real.update((event.check, one, "") for one in contents)
        elif event.check == LABEL:
            kept[event.check, event.sha256, event.given] = event.reviewer
        else:
            kept |= {(event.check, one, label): event.reviewer for one in contents
                     for label in record.labels_of(one)}
    is_any = kept or real or told
    return Reviewed(kept, frozenset(real), total.hexdigest() if is_any else "", told)


def _is_fine(event: Event) -> bool:
    """Whether the answer says that the flag was wrong, and the image may stay as it is."""
    # Of copies, "keep" with a name keeps that one and no other.
    return event.answer == "both" or (event.answer == "keep" and not event.label)


def digest_now(record: GateRecord, data: Place) -> str:
    """The digest of the data as they are now, of the images that a run did not hold out.

    Raises:
        UsageError: the data cannot be listed.
        UnauditableError: there is no image.
    """
    from audit.ingest import open_dataset  # noqa: PLC0415 - imports pandas, which takes long
    from audit.measures import hash_of_file  # noqa: PLC0415 - imports what decodes pictures

    source = record.settings
    labels = source.get("labels")
    manifest = open_dataset(data, None if labels is None else place_of(labels),
                            source.get("label_column", "label")).manifest
    held_out = record.path / "held_out.parquet"
    if held_out.is_file():
        names = set(pq.ParquetFile(held_out).read(["image_id"])["image_id"].to_pylist())
        manifest = manifest[~manifest["image_id"].isin(names)]
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes = list(pool.map(hash_of_file, manifest["path"]))
    return digest_of_rows(hashes, manifest["given_label"], manifest["split"])


def verify_blessing(run: Path | str, *, blessing: Path | str | None = None,
                    policy: Path | str | None = None, data: Path | str | None = None) -> Blessing:
    """Verify that a run, its policy, its decisions and the data are those that were certified.

    Args:
        run: folder of the run.
        blessing: the file; `blessing.json` in the run if not given.
        policy: the policy file; the one that the blessing names if not given.
        data: the data as they are now; compared with what was audited if given.

    Raises:
        NotBlessedError: anything is another, or there is no blessing that holds.
        AuditError: the run or the data cannot be read.
    """
    run = Path(run)
    path = Path(blessing) if blessing is not None else run / BLESSING_FILE
    found = read_blessing(path)
    if found.verdict not in {PASS, WARN}:
        raise NotBlessedError(f"{path} holds the verdict {found.verdict}: nothing is blessed.")
    today = today_in_utc()
    if found.until and str(today) > found.until:  # days as ISO 8601 are in the order of texts
        raise NotBlessedError(f"{path} held until {found.until}, when a waiver ended. Run "
                              "`audit gate` again.")
    record = read_record(run)
    if record.damage:
        raise NotBlessedError(f"the run in {run} does not fit together: {record.damage[0]}.")
    policy = policy or found.policy_file or None
    try:
        rules = read_policy(_path(policy))
    except UsageError as error:
        raise NotBlessedError(f"{path}: its policy cannot be read ({error})") from error
    try:
        before = read_record(Path(found.baseline)) if found.baseline else None
    except AuditError as error:
        raise NotBlessedError(f"{path}: its baseline cannot be read ({error})") from error
    reviewed = read_reviewed(record)
    now = {"policy": rules.digest, "decisions": reviewed.digest,
           "findings": digest_of_files(run),
           "data": record.digest if data is None else digest_now(record, place_of(data))}
    for what, one in now.items():
        if one != getattr(found, what):
            raise NotBlessedError(f"the {what} are not those that {path} certified. Audit the data "
                                  "and run `audit gate` again.")
    verdict = judge(record, rules, reviewed, baseline=before, today=today)
    if (verdict.status, str(verdict.flags.until or "")) != (found.verdict, found.until):
        ended = "; ".join(verdict.notes[:2])
        raise NotBlessedError(f"{path} holds the verdict {found.verdict}, and today it is "
                              f"{verdict.status}{f' ({ended})' if ended else ''}. Run `audit gate` "
                              "again.")
    return found
