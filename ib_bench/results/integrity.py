"""Whether a store is sound: what SQLite says, checksums, keys, and what lies beside it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ib_bench.errors import DamagedStoreError, StoreError
from ib_bench.results.keys import is_hash_of_config
from ib_bench.results.records import SearchRecord
from ib_bench.results.salvage import Salvaged, salvaged_records
from ib_bench.results.store import READERS, Store

State = Literal["ok", "warning", "damaged", "failure"]
OnProgress = Callable[[int, int], None]
"""Is told how many records have been looked at, of how many."""

_MAGIC = b"SQLite format 3\0"

MIN_AGE_S = 3600.0
"""Younger files beside the store may belong to a training that goes on."""


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        check: what was looked at.
        state: ``warning`` is nothing that harms results; a store is ``damaged``, anything else is a ``failure``.
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
        on_progress: is told how far it is.

    Raises:
        StoreError: there is no store, it is another program's or another version's, or the file was never one.
    """
    try:
        with Store(path, create=False) as store:
            return [
                quick_check(store),
                *_record_findings(store, on_progress),
                _files_finding("unfinished files", unfinished_files(path), "left behind by what was killed"),
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
        return Finding("file", "ok", "SQLite finds it in order")
    advice = "`ib-bench store merge` salvages what can be read into a new store"
    return Finding("file", "damaged", f"SQLite finds {' '.join(problems[0].split())}; {advice}", problems)


def _malformed(path: Path, error: DamagedStoreError) -> Finding:
    """How much is left of a file that SQLite cannot read; raises the error if nothing shows that it was a store."""
    counts = Salvaged()
    for _ in salvaged_records(path, counts):
        pass  # it counts
    with open(path, "rb") as file:
        if not counts.traces and file.read(len(_MAGIC)) != _MAGIC:
            raise error
    kept = f"{len(counts.keys):,} records can be salvaged by `ib-bench store merge new.sqlite {shlex.quote(str(path))}`"
    lost = sorted(counts.lost)
    return Finding("file", "damaged", f"it is malformed; {kept}, {len(lost):,} are known to be lost", lost)


def _record_findings(store: Store, on_progress: OnProgress) -> Iterator[Finding]:
    damaged: list[str] = []
    misplaced: list[str] = []
    trials: set[str] = set()
    finished: list[SearchRecord] = []
    total = sum(int(store.database.row(f"SELECT count(*) FROM {table}")[0]) for table in READERS)
    done = 0
    for table in READERS:
        for key, record in store.entries(table):
            done += 1
            on_progress(done, total)
            if record is None:
                damaged.append(key)
                continue
            if not is_hash_of_config(record):
                misplaced.append(key)
            if isinstance(record, SearchRecord) and record.status == "finished":
                finished.append(record)
            elif table == "trials":
                trials.add(key)
    text = "records are damaged; they are measured again, or removed by `ib-bench store vacuum`"
    yield _finding("checksums", damaged, total, text, "records are as they were written")
    yield _finding("keys", misplaced, total, "records are not under the hash of their config", "keys fit their configs")
    incomplete = [search.key for search in finished if not trials.issuperset(search.trials)]
    text = "finished searches lack trials; the command that made them measures those again"
    yield _finding("trials of searches", incomplete, len(finished), text, "finished searches have all their trials")


def _finding(check: str, names: list[str], total: int, wrong: str, right: str) -> Finding:
    if names:
        return Finding(check, "damaged", f"{len(names):,} of {total:,} {wrong}", names)
    return Finding(check, "ok", f"all {total:,} {right}")


def _files_finding(check: str, files: list[Path], what: str) -> Finding:
    if not files:
        return Finding(check, "ok", f"no files {what}")
    text = f"{len(files):,} files {what}; `ib-bench store vacuum` removes them"
    return Finding(check, "warning", text, [str(file) for file in files])


def weights_folder(store: Path) -> Path:
    """Where the weights of a store's trials are."""
    return store.with_name(f"{store.name}.weights")


def unfinished_files(store: Path) -> list[Path]:
    """Weights that were being written when their process was killed."""
    return [path for path in _old_files(store) if path.suffix.removeprefix(".").isdigit()]


def unowned_weights(store: Store) -> list[Path]:
    """Weights of trials that the store does not hold, or only damaged."""
    files = [path for path in _old_files(store.path) if path.suffix == ".pt"]
    kept = {key for key, trial in store.entries("trials") if trial is not None} if files else set()
    return [path for path in files if path.stem not in kept]


def _old_files(store: Path) -> list[Path]:
    folder, newest = weights_folder(store), time.time() - MIN_AGE_S
    return sorted(path for path in folder.glob("*") if path.is_file() and path.stat().st_mtime < newest)
