"""Whether a store is sound: what SQLite says, checksums, keys, and what lies beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ib_bench.errors import DamagedStoreError, StoreError
from ib_bench.plain_text import number_of
from ib_bench.results.database import is_database, recovery
from ib_bench.results.kinds import record_kinds
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

State = Literal["ok", "warning", "damaged", "failure"]
OnProgress = Callable[[int, int], None]
"""Receives the number of records checked so far, and of all."""

MIN_AGE_S = 3600.0
"""Younger files beside the store may belong to a training run in progress."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was looked at.
        state: a ``warning`` affects no result; a store is ``damaged``, anything else is a ``failure``.
        text: the finding in a sentence.
        names: keys of records, or names of files, that it is about.
    """

    check: str
    state: State
    text: str
    names: list[str] = field(default_factory=list)


def check_store(path: Path, on_progress: OnProgress = lambda done, total: None) -> list[Finding]:
    """Look at everything.

    Args:
        path: of the store.
        on_progress: receives the progress.

    Raises:
        StoreError: there is no store, it is another program's or another version's, or the file was never one.
    """
    try:
        with Store(path, create=False) as store:
            return [
                quick_check(store),
                *_record_findings(store, on_progress),
                _files_finding("unfinished files", unfinished_files(path), "left behind by killed processes"),
                _files_finding("weights", unowned_weights(store), "of trials that are not in the store"),
            ]
    except DamagedStoreError as error:
        return [_malformed(path, error)]


def quick_check(store: Store) -> Finding:
    """Whether SQLite finds its file in order; the contents of records are not looked at."""
    try:
        problems = [str(row[0], errors="replace") for row in store.database.rows("PRAGMA integrity_check(20)")]
    except StoreError as error:
        problems = [str(error)]
    if problems == ["ok"]:
        return Finding("file", "ok", "SQLite finds no damage")
    text = f"SQLite finds {' '.join(problems[0].split())}; {recovery(store.path)}"
    return Finding("file", "damaged", text, problems)


def _malformed(path: Path, error: DamagedStoreError) -> Finding:
    """The finding for a file that SQLite cannot read; raises the error if the file was never SQLite's."""
    if path.stat().st_size and not is_database(path):
        raise error
    return Finding("file", "damaged", str(error))


def _record_findings(store: Store, on_progress: OnProgress) -> Iterator[Finding]:
    faults: dict[str | None, list[str]] = {"damaged": [], "newer": [], "unreadable": []}
    reasons: list[str] = []
    trials: set[str] = set()
    resting: dict[str, Sequence[str]] = {}
    kinds = record_kinds()
    total = sum(map(store.count, kinds))
    done = 0
    for kind in kinds:
        for entry in store.entries(kind):
            done += 1
            on_progress(done, total)
            if entry.record is None:
                faults[entry.fault].append(entry.key)
                reasons += [entry.reason] if entry.fault == "unreadable" else []
            elif kind is TrialRecord:
                trials.add(entry.key)
            elif entry.record.finished:
                resting[entry.key] = entry.record.trials
    text = "records are damaged; they are measured again when needed, or removed by `ib-bench store vacuum`"
    yield _finding("checksums", faults["damaged"], total, text, "records are as they were written")
    if faults["newer"]:
        text = f"{len(faults['newer']):,} of {total:,} records were written by a newer version of ib-bench"
        yield Finding("versions", "warning", f"{text}, and are left out by this one", faults["newer"])
    because = f" (the first: {reasons[0]})" if reasons else ""
    text = f"records are not what ib-bench writes{because}; they count as missing, and are measured again when needed"
    yield _finding("contents", faults["unreadable"], total, text, "records have fields, keys and configs that fit")
    incomplete = [key for key, needed in resting.items() if not trials.issuperset(needed)]
    text = "finished results lack trials; the command that made them trains those again"
    yield _finding("trials of results", incomplete, len(resting), text, "finished results have all their trials")


def _finding(check: str, names: list[str], total: int, wrong: str, right: str) -> Finding:
    if names:
        return Finding(check, "damaged", f"{len(names):,} of {total:,} {wrong}", names)
    return Finding(check, "ok", f"all {total:,} {right}")


def _files_finding(check: str, files: list[Path], what: str) -> Finding:
    if not files:
        return Finding(check, "ok", f"no files {what}")
    text = f"{number_of(len(files), 'files')} {what}; `ib-bench store vacuum` removes them"
    return Finding(check, "warning", text, [str(file) for file in files])


def weights_folder(store: Path) -> Path:
    """The folder of the weights of a store's trials."""
    return store.with_name(f"{store.name}.weights")


def unfinished_files(store: Path) -> list[Path]:
    """Weights that were being written when their process was killed."""
    return [path for path in _old_files(store) if path.suffix.removeprefix(".").isdigit()]


def unowned_weights(store: Store) -> list[Path]:
    """Weights of trials that the store lacks, or holds damaged."""
    files = [path for path in _old_files(store.path) if path.suffix == ".pt"]
    kept = {entry.key for entry in store.entries(TrialRecord) if entry.fault != "damaged"} if files else set()
    return [path for path in files if path.stem not in kept]


def _old_files(store: Path) -> list[Path]:
    folder, newest = weights_folder(store), time.time() - MIN_AGE_S
    return sorted(path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < newest)
