"""Repeated measurements of real cells: what their table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation import real_cells
from simulation.presentation import Json
from simulation.real_cells import agree, measure_sets, published_table, scatter, stored_rows, suite_of, table

from ib_bench.runner.plan import data_parameters
from ib_bench.studies import suite as suites

README = real_cells.DEMO.parents[1] / "README.md"

Ends = tuple[float | None, float | None, float | None]


def rows(*ends: Ends, cell: str = "LSTM, outcome") -> list[Json]:
    """Measurements of one cell, each with the seeds of another set."""
    counts = {"num_trials": 20, "num_steps": 30_000, "num_checked": 12, "num_confirmed": 11, "ended": "narrow"}
    return [
        {
            **{"cell": cell, "first_seed": 10 + 1000 * number, "verdict": f"verdict {number}"},
            **counts,
            **dict(zip(("n50_low", "n50", "n50_high"), own, strict=True)),
        }
        for number, own in enumerate(ends)
    ]


def demo_cells() -> list[tuple[str, str]]:
    """Model and supervision of each cell of the demo."""
    cells = suites.suite_of("demo", suite_of(0)).cells(data_parameters)
    return [(cell.config["model"]["class_path"], cell.data_arguments["supervision"]) for cell in cells]


def test_scatter_is_in_octaves_and_predicted_by_the_intervals() -> None:
    measured, predicted, holding = scatter(rows((32, 64, 128), (64, 128, 256), (8, 16, 32)))
    assert measured == pytest.approx(1.5275, abs=1e-3), "of 6, 7 and 4 octaves"
    assert predicted == pytest.approx(2 / 3.29)
    assert holding == 1, "the mean is 50.8"
    measured, predicted, holding = scatter(rows((32, 64, 128), (64, 128, None)))
    assert (measured, predicted, holding) == (pytest.approx(2**-0.5), pytest.approx(2 / 3.29), 2)
    assert scatter(rows((32, 64, 128), (64, None, None))) == (None, None, None)
    assert scatter(rows((32, 64, 128))) == (None, None, None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((32, 64, 128), (128, 200, 256), True),
        ((32, 64, 127), (128, 200, 256), False),
        ((32, 64, 128), (None, None, None), False),
        ((32, 64, None), (None, None, None), True),
        ((None, None, None), (None, None, None), True),
    ],
)
def test_measurements_agree_where_their_intervals_overlap(one: Ends, other: Ends, expected: bool) -> None:
    first, second = rows(one, other)
    assert agree(first, second) == agree(second, first) == expected


def test_the_table_compares_other_seeds_with_the_demo_s_own() -> None:
    of_a_cell = rows((32, 64, 128), (64, 128, 256), (200, 300, 400))
    text = table([*of_a_cell, *rows((1, 2, 3), (1, 2, 3), (1, 2, 3), cell="DenseSSM, outcome")])
    assert "2 of 10 sets of seeds" in text
    line = next(line for line in text.splitlines() if line.startswith("| LSTM"))
    entries = [entry.strip() for entry in line.strip("|").split("|")]
    assert entries[1:4] == ["verdict 0", "verdict 1; verdict 2", "1 of 2"]
    assert entries[-1] == "33 of 36"


def test_the_readme_shows_the_stored_results() -> None:
    assert published_table() == table(stored_rows())
    found = [(row["cell"], row["first_seed"]) for row in stored_rows()]
    assert len(set(found)) == len(found)
    assert {cell for cell, _ in found} == {", ".join(cell) for cell in demo_cells()}


def test_the_demo_of_the_main_readme_is_the_first_set() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    first = suite_of(0)["base"]["curve"]["first_seed"]
    verdicts = {row["cell"]: row["verdict"] for row in stored_rows() if row["first_seed"] == first}
    assert verdicts.keys() == {", ".join(cell) for cell in demo_cells()}
    for cell, verdict in verdicts.items():
        (line,) = (line for line in lines if line.split()[:2] == cell.split(", "))
        assert f" {verdict} " in line


def test_sets_have_disjoint_seeds() -> None:
    first = [suite_of(number)["base"]["curve"]["first_seed"] for number in range(3)]
    assert first == [first[0], first[0] + 1000, first[0] + 2000]
    assert suite_of(0)["base"]["curve"]["max_trials"] < 1000


@pytest.mark.system
def test_rows_of_real_measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(number: int) -> Json:
        suite = suite_of(number)
        suite["base"]["search"]["max_steps"] = 2
        suite["base"]["curve"]["max_trials"] = 1
        suite["axes"] |= {"model": suite["axes"]["model"][-1:], "supervision": ["aligned_chain_of_thought"]}
        return suite

    monkeypatch.setattr(real_cells, "suite_of", quick)
    seen: list[int] = []
    found = measure_sets(tmp_path / "store.sqlite", 1, 1, lambda so_far: seen.append(len(so_far)))
    assert seen == [1, 2]
    assert [row["first_seed"] for row in found] == [10, 1010]
    assert {row["cell"] for row in found} == {"DenseSSM, aligned_chain_of_thought"}
    assert all(row["num_trials"] == 1 for row in found)
    assert "DenseSSM" in table(found)
    assert measure_sets(tmp_path / "none.sqlite", 1, 1, lambda so_far: seen.append(0), known=found) == found
    assert seen == [1, 2] and not (tmp_path / "none.sqlite").exists(), "what is known is not measured again"
