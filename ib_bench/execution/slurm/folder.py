"""The folder that a driver and its array tasks share, and what is said where it cannot be used."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ib_bench.errors import FatalError, InvalidOptionError

_OPTION = "slurm.folder"
_ALLOWED = "a folder that can be written"


class SlurmFolder:
    """A folder, which need not be there yet.

    Args:
        path: of the folder.

    Attributes:
        calls: the folder in it of what is known of calls.
        submissions: the folder in it of what was submitted.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        self.calls = path.absolute() / "calls"
        self.submissions = path.absolute() / "submissions"
        self._made: list[Path] = []

    def check(self) -> None:
        """Find out whether it can be written, or made and then written, without making it.

        Raises:
            InvalidOptionError: it cannot.
        """
        try:
            nearest = next(folder for folder in self.calls.parents if folder.exists())
            with tempfile.TemporaryFile(dir=nearest):  # permissions alone do not say: some file systems take no files
                pass
        except OSError:
            raise InvalidOptionError(_OPTION, str(self._given), _ALLOWED) from None

    def make(self) -> None:
        """Make it, where it is not there.

        Raises:
            FatalError: it cannot be made.
        """
        with self.in_use():
            try:
                for folder in [*reversed(self.calls.parents), self.calls, self.submissions]:
                    if not folder.is_dir():
                        self._made.append(folder)
                        folder.mkdir(exist_ok=True)
            except OSError:
                self.unmake()
                raise

    def unmake(self) -> None:
        """Remove what :meth:`make` has made and nobody has put anything into."""
        for folder in reversed(self._made):
            with suppress(OSError):  # it is not empty, or it is gone
                folder.rmdir()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within it, files of the folder are read and written.

        Raises:
            FatalError: that fails, as on a full disk.
        """
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise FatalError(f"{_OPTION} must be {_ALLOWED}, got {str(self._given)!r}: {reason}") from error
