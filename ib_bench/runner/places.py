"""Files and folders that a user names: checked before anything runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ib_bench.errors import BenchError, require, shown
from ib_bench.results.whole_file import is_store

if TYPE_CHECKING:
    from jsonargparse import Namespace

DEFAULT_STORE = "ib_bench.sqlite"

_FILES = ("store", "file", "log_file", "suite", "ckpt_path")
"""Options that are files, for all commands."""

_PATHS = ("store", "out", "file", "figures", "log_file", "suite", "sources", "protocol", "submission", "slurm.folder")
"""Options that are paths, or may be, for all commands."""

_MAX_NAME = 255
"""Bytes in the name of a file, on nearly all file systems."""

_JOURNAL = "-journal"
"""What SQLite appends to a store's name, for a file beside it."""


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
        BenchError: it is empty, begins with the name of a user that does not exist, or nothing can have this path.
    """
    require(path != "", option, path, "a path, and not empty")
    try:
        found = os.path.expanduser(path)
    except (KeyError, RuntimeError, ValueError):  # no home folder is known; a NUL in the name
        found = path
    allowed = "a path; ~ is the home folder of a user, and ./~ a name that begins with this sign"
    require(not found.startswith("~"), option, path, allowed)
    require(option not in _FILES or not path.endswith(os.sep), option, path, "a file, and no folder")
    try:
        os.stat(found)
    except (FileNotFoundError, NotADirectoryError):
        pass  # what is wrong with that depends on the option
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be entered
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BenchError(f"{option} {shown(path)} is no path that can be used: {reason}") from error
    most = _MAX_NAME - len(_JOURNAL) * (option == "store")
    too_long = max((len(os.fsencode(name)) for name in Path(found).parts), default=0) > most
    require(not too_long, option, path, f"a path whose names have at most {most} bytes")
    return found


def with_homes(options: Namespace) -> Namespace:
    """Parsed options, each path of which went through :func:`with_home`.

    Raises:
        BenchError: as :func:`with_home`.
    """
    for name in _PATHS:
        given = options.get(name)
        if isinstance(given, list):
            options[name] = [with_home(name, path) for path in given]
        elif given is not None:
            options[name] = type(given)(with_home(name, str(given)))
    return options
