"""Where the shipped suites are: ``configs/`` in a checkout, inside the package once it is installed."""

from __future__ import annotations

from pathlib import Path

from ib_bench.errors import UnknownNameError

_PACKAGE = Path(__file__).parent.parent


def shipped_suites() -> list[tuple[str, str]]:
    """Name and summary, the first comment line, of each shipped suite."""
    return [(path.stem, path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")) for path in _files()]


def find_suite(name_or_path: str) -> Path:
    """The file of a suite: a path, or the name of a shipped one.

    Raises:
        UnknownNameError: neither exists.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    shipped = {path.stem: path for path in _files()}
    if name_or_path not in shipped:
        raise UnknownNameError("suite", name_or_path, shipped)
    return shipped[name_or_path]


def _files() -> list[Path]:
    installed, checkout = _PACKAGE / "configs", _PACKAGE.parent / "configs"
    folder = installed if installed.is_dir() else checkout
    return sorted(folder.glob("*.yaml"))
