"""The list for ``pip download`` is what pyproject.toml needs, and what is lacking is named."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_FILE = Path(__file__).with_name("wheels.py")
_SPEC = importlib.util.spec_from_file_location("wheels", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
wheels = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(wheels)

PRESENT = ("torch", "lightning", "rich", "pandas")
"""On the machine that ``make gpu`` is for."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names: tuple[str, ...]) -> set[str]:
    """The names of packages and of all that they need, without extras."""
    found: set[str] = set()
    todo = [*names]
    while todo:
        name = canonical(todo.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = map(Requirement, distribution(name).requires or ())
        except PackageNotFoundError:
            continue
        todo += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def test_the_list_is_what_the_machine_lacks() -> None:
    present = with_dependencies(PRESENT)
    needed = {str(one) for one in wheels.requirements() if canonical(one.name) not in present}
    lines = _FILE.with_name("wheels.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == sorted(needed)


def test_nothing_is_lacking_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert wheels.main() == 0
    assert capsys.readouterr().out == ""


def test_what_is_lacking_is_named_with_the_commands_that_bring_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [Requirement(text) for text in ("torch>=2.4", "rich>=1000", "no-such-package>=1", "jsonargparse[all]")]
    monkeypatch.setattr(wheels, "requirements", lambda: wanted)
    assert wheels.main() == 1
    printed = capsys.readouterr().out
    assert "torch" not in printed
    assert re.search(r"rich>=1000: version [\d.]+ is installed", printed)
    assert "no-such-package>=1: not installed" in printed
    assert "not installed" in "".join(wheels.lacking(wanted[3:]))  # some of what an extra brings
    assert "pip download -r tests/gpu/wheels.txt -c constraints.txt -d wheels" in printed
    assert "pip install --no-index --find-links wheels -r tests/gpu/wheels.txt" in printed
