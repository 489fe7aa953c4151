"""Files and folders that a user names: checked before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

from ib_bench.errors import require

DEFAULT_STORE = "ib_bench.sqlite"


def require_writable_folder(option: str, folder: str) -> None:
    """Make sure that a folder is there, or can be made, and that files can be put into it.

    Raises:
        InvalidOptionError: it is not so.
    """
    wanted = Path(folder).absolute()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    can_be_written = existing.is_dir() and os.access(existing, os.W_OK)
    require(can_be_written, option, folder, "a folder that can be written")


def require_writable_file(option: str, path: str) -> None:
    """Make sure that a file is there, or can be made, and that it can be written.

    Raises:
        InvalidOptionError: it is not so.
    """
    file = Path(path).absolute()
    can_be_written = os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()
    require(can_be_written, option, path, "a file that can be written")
