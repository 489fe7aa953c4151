"""Files that are complete or missing, even if writing them fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ib_bench.errors import StoreError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, and give it its own when it is finished.

    Args:
        path: of the file; one that is there is replaced.
        write: writes to the path that it is given.

    Raises:
        StoreError: the file cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        write(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"file {str(path)!r} cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished.exists():
            unfinished.unlink()
