"""The notebook of ``configs/`` runs, and what it shows; a class that is defined again there is another one."""

from __future__ import annotations

from typing import Any

import nbformat
import notebook_runs
import pytest

QUICK = """
quick = {"learning_rates": [0.01], "seeds": [1], "max_steps": 2, "max_size": 16, "max_evaluations": 1}
def size_of(model, data=ModularAddition(modulus=2, max_length=4)):
    return ib_bench.search(model, data, search=quick, store="notebook.sqlite").key
first = size_of(MyGRU)
"""

EDITED = """
assert size_of(MyGRU) != first
edited = size_of(MyGRU)
"""

TASK = """
import torch
from ib_bench.data.state_tracking_data import data_module_of
from ib_bench.tasks.finite_state_machine import FiniteStateMachine

class Counter(FiniteStateMachine):
    num_symbols, num_states = 2, NUMBER

    def _build_transition(self):
        return (torch.arange(self.num_states)[:, None] + torch.arange(2)) % self.num_states

    @classmethod
    def examples(cls):
        return []

CounterData = data_module_of(Counter)
counted = ib_bench.search(MyGRU, CounterData(max_length=4), search=quick, store="notebook.sqlite")
assert counted.num_states == NUMBER
"""

LOOKS_AHEAD = """
class MyGRU(MyGRU):
    def forward(self, tokens):
        return super().forward(tokens.flip(1)).flip(1)

size_of(MyGRU)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook and further cells, after they have run."""
    notebook = notebook_runs.read("own_model")
    (model,) = (cell.source for cell in notebook.cells if "class MyGRU" in cell.source)
    further = [
        QUICK,
        model.replace("nn.GRU(", "nn.RNN("),
        EDITED,
        model,
        "assert size_of(MyGRU) == first != edited",
        TASK.replace("NUMBER", "3"),
        TASK.replace("NUMBER", "4"),
        'ib_bench.run({"base": {"data": CounterData}, "axes": {"model": [MyGRU]}}, executor="processes")',
        LOOKS_AHEAD,
    ]
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in further]
    for cell in notebook.cells[-2:]:
        cell.metadata["tags"] = ["raises-exception"]
    return notebook_runs.execute(notebook, tmp_path_factory.mktemp("notebook"))


def outputs(notebook: Any, containing: str) -> list[Any]:
    """The outputs of the first cell that contains a text."""
    found = next(cell for cell in notebook.cells if cell.cell_type == "code" and containing in cell.source)
    return list(found.outputs)


@pytest.mark.system
def test_a_check_is_a_table(executed: Any) -> None:
    (shown,) = outputs(executed, "ib_bench.check(")
    assert "no logit depends on a later token" in shown.data["text/plain"]
    assert "<pre" in shown.data["text/html"]


@pytest.mark.system
def test_a_measurement_shows_its_progress_in_one_output_then_table_and_figure(executed: Any) -> None:
    progress, result = outputs(executed, "ib_bench.curve(")
    assert progress.output_type == "display_data" and "all curves" in progress.data["text/html"]
    assert "1 of 1, all done" in progress.data["text/html"]
    assert "N50: " in result.data["text/plain"] and result.data["text/html"].count("<img ") == 1


@pytest.mark.system
def test_results_are_a_data_frame(executed: Any) -> None:
    (frame,) = outputs(executed, "to_pandas()")
    assert "MyGRU" in frame.data["text/plain"] and "<table" in frame.data["text/html"]


@pytest.mark.system
def test_other_processes_cannot_import_a_class_of_the_notebook(executed: Any) -> None:
    (error,) = outputs(executed, 'executor="processes"')
    assert error.evalue.startswith(
        "executor must be inline for a class of a notebook, got 'processes': other processes"
    )


@pytest.mark.system
def test_a_class_that_looks_ahead_since_it_was_edited_is_refused_in_one_sentence(executed: Any) -> None:
    (error,) = [one for one in outputs(executed, "flip(1)") if one.output_type == "error"]
    assert error.ename == "BenchError" and "looks ahead" in error.evalue
    assert error.traceback == [f"BenchError: {error.evalue}"]
