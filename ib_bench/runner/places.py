"""Files and folders that a user names: checked before anything runs."""

from __future__ import annotations

import os
from pathlib import Path

from ib_bench.errors import require
from ib_bench.results.whole_file import is_store

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


def require_writable_file(option: str, path: str, store: str | Path | None = None) -> None:
    """Make sure that a file is there, or can be made, that it can be written, and that it is no store.

    Args:
        option: that names the file.
        path: of the file.
        store: path of the command's store, or None.

    Raises:
        InvalidOptionError: it is not so.
    """
    require(not is_store(path, store), option, path, f"another file than {'a' if store is None else 'the'} store")
    file = Path(path).absolute()
    can_be_written = os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()
    require(can_be_written, option, path, "a file that can be written")


def with_home(option: str, path: str) -> str:
    """A path in which ``~`` at the beginning is the home folder; a shell does this only where a word begins with it.

    Raises:
        InvalidOptionError: it begins with the name of a user that does not exist.
    """
    found = os.path.expanduser(path)
    allowed = "a path; ~ is the home folder of a user, and ./~ a name that begins with this sign"
    require(not found.startswith("~"), option, path, allowed)
    return found
