"""``ib-bench claims`` on a made-up store."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from made_up_records import ACOT, COT, Point, curve, search

from ib_bench import results
from ib_bench.cli import main
from ib_bench.results.store import Store

MODULI = (3, 4, 5, 6, 7)


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a store in which claim 3.1 holds at fixed lengths, and one search is alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    sizes = {ACOT: 4000, COT: 100}
    records = [curve(Point("Transformer", regime, "fixed", 4, m), n) for regime, n in sizes.items() for m in MODULI]
    single = [search(Point("Transformer", regime, "uniform", 4), size) for regime, size in sizes.items()]
    with Store(tmp_path / "ib_bench.sqlite") as store:
        store.add_all([*records, *single])
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["claims", *arguments]) == 0
    return capsys.readouterr().out


def test_counts_strata_and_chance(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    row = next(line for line in lines if line.startswith("3.1"))
    assert "supported" in row and row.split()[-8:-3] == ["5", "0", "1", "5:0", "0.031"]
    stratum = next(line for line in lines if "Transformer, fixed lengths" in line)
    assert stratum.split()[-8:-3] == ["5", "0", "0", "5:0", "0.031"]
    assert "to decide it: measure more, for example with `ib-bench run study" in "\n".join(lines)


def test_what_to_measure_goes_into_the_same_store(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy("ib_bench.sqlite", "my own.sqlite")
    lines = printed(capsys, "--store", "my own.sqlite").splitlines()
    commands = [command for line in lines for command in re.findall(r"`(ib-bench run .*?)`", line)]
    assert commands and any(" && " in command for command in commands)
    for command in " && ".join(commands).split(" && "):
        assert shlex.split(command)[-2:] == ["--store", "my own.sqlite"]


def test_every_pair_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in printed(capsys, "--pairs").splitlines() if line.startswith("3.1")]
    assert len(lines) == 6
    decided = [line for line in lines if " yes " in line + " "]
    assert len(decided) == 5 and all("N50" in line and "[" in line for line in decided)
    assert [line for line in lines if "single search, spread unknown" in line and "open" in line]


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    claims = {claim["name"]: claim for claim in json.loads(printed(capsys, "--format", "json"))}
    (statement,) = claims["3.1"]["statements"]
    assert claims["3.1"]["verdict"] == statement["verdict"] == "supported"
    assert {key: statement["count"][key] for key in ("true", "false", "open")} == {"true": 5, "false": 0, "open": 1}
    intervals = [(pair["low"], pair["high"]) for pair in statement["pairs"] if pair["holds"]]
    assert len(intervals) == 5 and all(4 <= low < 40 < high for low, high in intervals)


@pytest.mark.parametrize(("name", "options"), [("claims", []), ("published", ["--published"])])
def test_the_tables_of_the_reference_results_are_those_of_the_readme(
    name: str, options: list[str], working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "ib_bench.sqlite").unlink()
    text = printed(capsys, "--reference", "--format", "markdown", *options)
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    readme = (Path(results.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n\n{table}\n<!-- end of {name} -->" in readme


def test_two_other_lists_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--pairs", "--published"]) == 2
    assert "pairs must be left out with --published, got True" in capsys.readouterr().err
