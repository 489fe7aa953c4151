"""Which packages this Python lacks for ``make gpu``, and how to bring them to a machine without network.

What is needed is read from ``pyproject.toml``. This file itself needs nothing but Python and pip.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OF_TESTS = ("pytest", "pytest-timeout")
"""Of the development tools, those that the tests marked ``gpu`` need."""


def requirements() -> list[Requirement]:
    """What the package and the tests marked ``gpu`` need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = [Requirement(line) for line in project["optional-dependencies"]["dev"]]
    return [*map(Requirement, project["dependencies"]), *(tool for tool in tools if tool.name in OF_TESTS)]


def lacking(wanted: Iterable[Requirement]) -> Iterator[str]:
    """Each requirement that is not met here, and why.

    Args:
        wanted: what is required. Extras are followed, as nothing else shows whether they are installed.
    """
    for requirement in wanted:
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement}: not installed"
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            yield f"{requirement}: version {found.version} is installed"
        for extra in requirement.extras:
            yield from lacking(one for one in map(Requirement, found.requires or ()) if _is_of(one, extra))


def _is_of(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and "extra" in str(marker) and marker.evaluate({"extra": extra})


def main() -> int:
    """Print what is lacking; exit code 1 if anything is."""
    missing = list(lacking(requirements()))
    if not missing:
        return 0
    major, minor, _ = platform.python_version_tuple()
    print(f"make gpu: {sys.executable} lacks", *missing, sep="\n  ")
    print(
        f"On a machine with network, with Python {major}.{minor} and this operating system ({platform.platform()}):",
        f"  python{major}.{minor} -m pip download -r tests/gpu/wheels.txt -c constraints.txt -d wheels",
        "Then here, with the folder wheels beside the Makefile:",
        f"  {sys.executable} -m pip install --no-index --find-links wheels -r tests/gpu/wheels.txt",
        "Another Python is chosen by make gpu GPU_PYTHON=...",
        sep="\n",
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
