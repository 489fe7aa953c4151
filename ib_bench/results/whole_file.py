"""How files are written: complete or not at all, even if writing fails, and never over a store.

Every file of this package but stores, logs and what Lightning and W&B write themselves is written by these functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ib_bench.errors import StoreError
from ib_bench.results.database import is_database

_BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, and give it its own when it is finished.

    A link stays a link: the file that it leads to is written.

    Args:
        path: of the file; one that is there is replaced.
        write: writes to the path that it is given.

    Raises:
        StoreError: the file cannot be written, or it is a store or no file.
    """
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    if is_store(path):
        raise StoreError(f"file {str(path)!r} cannot be written: it is a store, or belongs to one")
    if target.exists() and not target.is_file():
        raise StoreError(f"file {str(path)!r} cannot be written: it is no regular file")
    try:
        write(unfinished)
        unfinished.replace(target)
    except OSError as error:
        raise StoreError(f"file {str(path)!r} cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished.exists():
            unfinished.unlink()


def write_text_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8; see :func:`write_whole`. A file that holds it already is left alone."""
    content = text.encode()
    if not _holds(path, content):
        write_whole(path, lambda unfinished: unfinished.write_bytes(content))


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file holds just this; replacing thousands takes much longer than reading them."""
    try:
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def is_store(path: Path | str, store: Path | str | None = None) -> bool:
    """Whether a path leads to a store, any other SQLite database, or one of the files that SQLite keeps beside it.

    Args:
        path: of a file that is to be written; links in it are followed.
        store: path of the command's store, which need not exist yet, or None.
    """
    target = os.path.realpath(path)
    bases = [target, *(target.removesuffix(ending) for ending in _BESIDE if target.endswith(ending))]
    return (store is not None and os.path.realpath(store) in bases) or any(map(is_database, bases))
