"""Where the shipped suites are: ``configs/`` in a checkout, inside the package once it is installed."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from ib_bench.errors import UnknownNameError

_PACKAGE = Path(__file__).parent.parent


def shipped_suites() -> list[tuple[str, str]]:
    """Name and summary, the first comment line, of each shipped suite."""
    return [(name, opening_comment(path).partition("\n")[0]) for name, path in shipped_files().items()]


def opening_comment(path: Path) -> str:
    """The comment that a file begins with, without its number signs.

    Args:
        path: of a suite, or of a protocol of scores.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line[1:].removeprefix(" ") for line in takewhile(lambda line: line.startswith("#"), lines))


def find_suite(name_or_path: str) -> Path:
    """The file of a suite: a path, or the name of a shipped one.

    Raises:
        UnknownNameError: neither exists.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    shipped = shipped_files()
    if name_or_path not in shipped:
        raise UnknownNameError("suite", name_or_path, shipped)
    return shipped[name_or_path]


def shipped_files() -> dict[str, Path]:
    """The files of the shipped suites, by name."""
    installed, checkout = _PACKAGE / "configs", _PACKAGE.parent / "configs"
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
