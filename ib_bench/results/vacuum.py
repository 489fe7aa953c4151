"""Delete damaged records and orphaned files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ib_bench.results.integrity import unfinished_files, unowned_weights
from ib_bench.results.kinds import record_kinds
from ib_bench.results.store import Store

_LOG_SUFFIXES = ("-wal", "-shm")


@dataclass(frozen=True)
class Vacuumed:
    """The records and files that were removed, or would be.

    Attributes:
        damaged: keys of damaged records.
        files: weights of no trial, and files that were never finished.
        bytes_before: size of the store and these files.
        bytes_after: size of the store afterwards; None if nothing was done.
    """

    damaged: list[str]
    files: list[Path]
    bytes_before: int
    bytes_after: int | None


def vacuum(path: Path, dry_run: bool) -> Vacuumed:
    """Remove damaged records, weights of trials that are not in the store and unfinished files; then shrink the file.

    Only a record whose checksum does not fit is damaged. Records of newer versions stay.

    Args:
        path: of the store.
        dry_run: only list what there is to remove.

    Raises:
        StoreError: there is no store, its file is malformed, or another process has it open.
    """
    with Store(path, create=False, exclusive=not dry_run) as store:
        files = [*unfinished_files(path), *unowned_weights(store)]
        before = _num_bytes(path) + sum(file.stat().st_size for file in files)
        if dry_run:
            entries = (entry for kind in record_kinds() for entry in store.entries(kind))
            return Vacuumed([entry.key for entry in entries if entry.fault == "damaged"], files, before, None)
        damaged = store.remove_damaged()
        store.database.execute("VACUUM")
    for file in files:  # closing the store has emptied the write-ahead log
        file.unlink(missing_ok=True)
    return Vacuumed(damaged, files, before, _num_bytes(path))


def _num_bytes(path: Path) -> int:
    files = [path, *(path.with_name(f"{path.name}{suffix}") for suffix in _LOG_SUFFIXES)]
    return sum(file.stat().st_size for file in files if file.exists())
