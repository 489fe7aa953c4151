"""``CITATION.cff`` and the changelog agree with the package, and with what the README says of the paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ib_bench import __version__

ROOT = Path(__file__).parents[1]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_fields_that_the_format_asks_for_are_there() -> None:
    required = {"cff-version", "message", "title", "authors"}
    assert required <= set(CITATION) and CITATION["cff-version"] == "1.2.0" and CITATION["authors"]


def test_the_version_is_that_of_the_package_and_its_date_that_of_the_changelog() -> None:
    assert CITATION["version"] == __version__
    assert f"## {__version__} - {CITATION['date-released']}\n" in CHANGELOG


def test_the_changelog_starts_with_what_is_unreleased_and_names_every_kind_of_change_once() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = CHANGELOG.partition(f"## {__version__}")[2]
    kinds = re.findall(r"^### (.+)$", released, re.MULTILINE)
    assert kinds == [kind for kind in ("New", "Changed", "Fixed", "Removed") if kind in kinds]


def test_the_paper_is_the_one_of_the_readme() -> None:
    (paper,) = CITATION["references"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper["title"] in readme and paper["url"] in readme and "CITATION.cff" in readme
