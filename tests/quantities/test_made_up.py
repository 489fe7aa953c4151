"""A quantity in a folder of its own, elsewhere, goes everywhere without an edit of this package."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from offline_runs import inspect

from ib_bench import catalogue, measure
from ib_bench.cli import main
from ib_bench.errors import BenchError

ELSEWHERE = Path(__file__).parent / "made_up"

SUITE = """
base:
  data: {init_args: {batch_size: 20, modulus: 3, max_length: 4}}
  search: {learning_rates: [0.01], seeds: [1], max_steps: 4, max_size: 61, max_evaluations: 1}
  steps: {size: 30}
axes:
  task: [ModularAddition]
  model: [{class_path: LSTM, init_args: {hidden_size: 4}}]
  quantity: [search, steps]
"""

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def quantity(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ELSEWHERE))
    catalogue.quantities.cache_clear()
    wandb.teardown()  # it keeps the folder of its first use
    yield
    catalogue.quantities.cache_clear()


@pytest.mark.slow
def test_a_quantity_from_elsewhere_goes_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def printed(*arguments: str) -> str:
        capsys.readouterr()
        assert main(arguments) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    Path("steps_suite.yaml").write_text(SUITE)
    suite = ["run", "steps_suite.yaml", "--executor", "inline", "--store", "a.sqlite", "--wandb.mode", "offline"]
    assert "steps until training ends" in printed(*suite)
    (run,) = (folder for folder in Path("wandb").glob("offline-run-*") if "steps LSTM" in inspect(folder))
    assert "steps/num_steps" in inspect(run)

    assert "count the optimizer steps of one trial" in printed("ls")
    (listed,) = json.loads(printed("results", "--store", "a.sqlite", "--kind", "steps", "--format", "json"))
    assert listed["num_steps"] == 4
    assert "all 4 records" in printed("store", "check", "--store", "a.sqlite")  # two trials and two results

    printed("store", "merge", "b.sqlite", "a.sqlite")
    printed("store", "export", "records.csv", "--what", "step_counts", "--store", "b.sqlite")
    (row,) = csv.DictReader(Path("records.csv").read_text().splitlines())
    assert row["num_steps"] == "4" and row["key"] == listed["key"]

    printed("report", "--store", "b.sqlite", "--out", "report")
    assert "4" in Path("report/tables/steps.md").read_text()
    assert Path("report/figures/steps.svg").exists()
    assert Path(f"report/configs/{listed['key']}.yaml").read_text().count("ib-bench steps") == 1

    printed("store", "export", "b.jsonl.gz", "--store", "b.sqlite")
    assert '"step_counts"' in gzip.decompress(Path("b.jsonl.gz").read_bytes()).decode()

    again = measure(
        "steps",
        model={"class_path": "LSTM", "init_args": {"hidden_size": 4}},
        data={"class_path": "ModularAddition", "init_args": {"batch_size": 20, "modulus": 3, "max_length": 4}},
        search={"learning_rates": [0.01], "seeds": [1], "max_steps": 4, "max_size": 61, "max_evaluations": 1},
        steps={"size": 30},
        store="b.sqlite",
    )
    assert again.key == listed["key"]  # answered by the store


def test_a_quantity_without_the_section_search_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = catalogue.quantity("steps")
    monkeypatch.setattr(type(registered), "sections", {})
    catalogue.quantities.cache_clear()
    with pytest.raises(BenchError, match="quantity 'steps_needed' must have the section search"):
        catalogue.quantities()
