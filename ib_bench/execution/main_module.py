"""The running script or notebook (``__main__``), as worker processes see it.

A worker process imports the script again, under another name, up to ``if __name__ == "__main__":``. It knows nothing of
a notebook, of standard input, or of an interactive session. A worker on another machine does not know the script
either.
"""

from __future__ import annotations

import os
import sys

from ib_bench.child_process import main_file
from ib_bench.errors import BenchError

_AGAIN = "__mp_main__"  # multiprocessing's name for a script that a worker imports
EXIT_UNGUARDED = 86
"""Exit code of a worker process that was about to measure while it imported the script."""


def has_file() -> bool:
    """Whether the main module is a script, which worker processes of this machine import again."""
    return main_file() is not None or getattr(sys.modules["__main__"], "__spec__", None) is not None


def leave_if_imported_again() -> None:
    """End this process if it is a worker that imports a script which measures as it is imported."""
    if _AGAIN in sys.modules and sys.modules["__main__"] is not sys.modules[_AGAIN]:
        os._exit(EXIT_UNGUARDED)


def start_failure(exit_code: int | None) -> BenchError | None:
    """Why a worker process could not start; None if it was lost in another way, and may be started again.

    Args:
        exit_code: of a process that has made no call.
    """
    script = main_file() or "the main module"
    if exit_code == EXIT_UNGUARDED:
        return BenchError(
            f"{script} measures as soon as it is imported, which each worker process does: put the call below "
            f'`if __name__ == "__main__":`'
        )
    if exit_code == 1 and has_file():
        return BenchError(
            f"worker processes cannot start: importing {script} again, as each of them does, raises what is printed "
            f"above"
        )
    return None


def require_classes_reachable(class_paths: list[str], finds_script: bool) -> None:
    """Make sure that worker processes can import classes.

    Args:
        class_paths: of all classes from outside this package that jobs need.
        finds_script: whether workers import the script.

    Raises:
        BenchError: a class is part of a main module that they do not know.
    """
    own = [path for path in class_paths if path.startswith("__main__.")]
    if own and not (finds_script and has_file()):
        where = "a script" if has_file() else "a notebook, standard input or an interactive session"
        raise BenchError(
            f"{own[0]} is defined in {where}, where worker processes cannot import it from: put it into a .py file and "
            f"import it, or run everything in this process (executor inline)"
        )
