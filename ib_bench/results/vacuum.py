"""Room: what is of no use any more is removed from a store and from beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ib_bench.results.integrity import unfinished_files, unowned_weights
from ib_bench.results.store import READERS, Store

_LOG_SUFFIXES = ("-wal", "-shm")


@dataclass(frozen=True)
class Vacuumed:
    """What was removed, or would be.

    Attributes:
        damaged: keys of damaged records.
        files: weights of no trial, and files that were never finished.
        bytes_before: size of the store and these files.
        bytes_after: size of the store afterwards; None where nothing was done.
    """

    damaged: list[str]
    files: list[Path]
    bytes_before: int
    bytes_after: int | None


def vacuum(path: Path, dry_run: bool) -> Vacuumed:
    """Remove damaged records, weights of trials that are not in the store and unfinished files; then make it small.

    Args:
        path: of the store.
        dry_run: only say what there is to remove.

    Raises:
        StoreError: there is no store, its file is malformed, or another process has it open.
    """
    with Store(path, create=False, exclusive=not dry_run) as store:
        files = [*unfinished_files(path), *unowned_weights(store)]
        before = _num_bytes(path) + sum(file.stat().st_size for file in files)
        if dry_run:
            damaged = [key for table in READERS for key, record in store.entries(table) if record is None]
            return Vacuumed(damaged, files, before, None)
        damaged = store.remove_damaged()
        store.database.execute("VACUUM")
    for file in files:  # closing the store has emptied the write-ahead log
        file.unlink(missing_ok=True)
    return Vacuumed(damaged, files, before, _num_bytes(path))


def _num_bytes(path: Path) -> int:
    files = [path, *(path.with_name(f"{path.name}{suffix}") for suffix in _LOG_SUFFIXES)]
    return sum(file.stat().st_size for file in files if file.exists())
