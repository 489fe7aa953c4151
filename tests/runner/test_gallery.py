"""The notebooks of ``configs/`` about a task and about figures run, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import notebook_runs
import pytest
from made_up_records import ACOT, Point, curve
from notebook_runs import CONFIGS

from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records, write_archive
from ib_bench.results.reference import reference_records
from ib_bench.results.store import Store

Shown = Callable[[str], Any]
"""Returns the last output of the cell that contains a text."""


def executed(name: str, folder: Path) -> Shown:
    """Run a notebook in a folder, which takes what it writes."""
    notebook = notebook_runs.execute(notebook_runs.read(name), folder)

    def shown(containing: str) -> Any:
        return next(cell for cell in notebook.cells if containing in cell.source).outputs[-1]

    return shown


def test_every_notebook_is_without_outputs_and_has_a_test() -> None:
    names = {path.stem for path in CONFIGS.glob("*.ipynb")}
    assert names == {"own_model", "own_task", "study_figures"}  # own_model: test_notebook.py
    for name in names:
        assert not [cell for cell in notebook_runs.read(name).cells if cell.get("outputs")]


@pytest.mark.slow
@pytest.mark.system
def test_a_task_of_ones_own(tmp_path: Path) -> None:
    shown = executed("own_task", tmp_path)
    assert "'states': '8', 'symbols': '3'" in shown("properties()").data["text/plain"]
    curve = shown("ib_bench.curve(").data
    assert "ToggleData" in curve["text/plain"] and curve["text/html"].count("<img ") == 1
    assert (tmp_path / "notebook.sqlite").exists()


@pytest.mark.system
@pytest.mark.slow
def test_the_studys_figures(tmp_path: Path) -> None:
    shown = executed("study_figures", tmp_path)
    assert f"{len(reference_records().of(SearchRecord))} search" in shown("ib_bench.read(").data["text/plain"]
    assert "8192" in shown("pivot_table").data["text/plain"]
    assert shown('results["extrapolate"]').data["text/html"].count("<img ") == 1
    assert shown("Drawing([], chosen)").data["text/html"].count("<img ") == 1
    figure = tmp_path / "figures" / "min_train_size_against_length"
    assert all(figure.with_suffix(ending).stat().st_size > 1_000 for ending in (".svg", ".png", ".pdf"))


@pytest.mark.parametrize("source", ["curves.sqlite", "curves.jsonl.gz", "empty.sqlite"])
def test_the_figures_of_other_sources(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: a store of curves alone, as `ib-bench run demo` makes it, an archive, and a store of nothing."""
    monkeypatch.chdir(tmp_path)
    curves = [curve(Point("LSTM", ACOT), 64.0), curve(Point("GRU", ACOT), 128.0)]
    Store("empty.sqlite").close()
    with Store("curves.sqlite") as store:
        store.add_all(curves)
    write_archive(Records.of_all(curves), Path("curves.jsonl.gz"))
    names: dict[str, Any] = {}
    for cell in notebook_runs.read("study_figures").cells:
        if cell.cell_type == "code":
            exec(cell.source.replace('SOURCE = "reference"', f"SOURCE = {source!r}"), names)
    assert len(list(tmp_path.glob("figures/*.svg"))) == len(names["chosen"]) == (source != "empty.sqlite")
