"""The reference results are in the package, and reports and claims take them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ib_bench
from ib_bench import results
from ib_bench.cli import main
from ib_bench.quantities.sharing.factor import rounded_down, rounded_up
from ib_bench.report.claims_table import pooled_text
from ib_bench.results.archive import read_archive
from ib_bench.results.kinds import record_kinds
from ib_bench.results.reference import SUITES, reference_records
from ib_bench.studies.claims import check_claims


def test_they_are_complete() -> None:
    records = reference_records()
    parts = [read_archive(Path(results.__file__).parent / f"{suite}.jsonl.gz") for suite in SUITES]
    assert str(parts[0]) == "1,138 trials, 0 curves, 396 searches, 115 saturations, 216 extrapolations"
    trials = {trial.key for trial in records.trials}
    for kind in record_kinds():
        assert len(records.finished(kind)) == len(records.of(kind)) == sum(len(part.of(kind)) for part in parts)
        assert len({record.key for record in records.of(kind)}) == len(records.of(kind))
        assert all(trials.issuperset(record.trials) for record in records.of(kind))


def test_claims_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["claims", "--reference", "--format", "json"]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert [claim["source"] for claim in claims] == ["reference"] * 10
    statements = [statement for claim in claims for statement in claim["statements"]]
    assert all(statement["pairs"] for statement in statements)
    assert sum(statement["count"]["true"] + statement["count"]["false"] for statement in statements) > 0
    assert all(claim["rule"] and claim["to_measure"] for claim in claims)
    assert not (tmp_path / "ib_bench.sqlite").exists()
    assert main(["report"]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--reference"]) == 0
    assert "report: report/report.html" in capsys.readouterr().out
    assert not (tmp_path / "ib_bench.sqlite").exists()


def test_the_numbers_in_the_readme_are_those_of_the_records() -> None:
    text = " ".join((Path(results.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    found = ib_bench.read("reference")

    def of(kind: str, model: str, supervision: str) -> list[Any]:
        wanted = (model, supervision, 8)
        return [
            one for one in found[kind] if (one.labels.model, one.labels.supervision, one.labels.max_length) == wanted
        ]

    sizes = {
        model: sorted(one.min_train_size for one in of("search", model, "aligned_chain_of_thought") if not one.censored)
        for model in ("DenseSSM", "LSTM", "Transformer")
    }
    ranges = {model: f"{found[0]:,} to {found[-1]:,}" for model, found in sizes.items()}
    assert f"DenseSSM needs {ranges['DenseSSM']} sequences and LSTM {ranges['LSTM']}." in text
    assert f"The transformer needs {sizes['Transformer'][0]:,} or more" in text
    accuracies = [
        one.at(16).normalized_final_state_accuracy
        for model in ("DenseSSM", "LSTM")
        for one in of("extrapolate", model, "aligned_chain_of_thought")
    ]
    assert f"a normalised accuracy of {min(accuracies):.2f} to {max(accuracies):.2f}" in text
    learned = {model: sum(not one.censored for one in of("search", model, "outcome")) for model in sizes}
    assert (learned["DenseSSM"], learned["Transformer"]) == (len(of("search", "DenseSSM", "outcome")) - 1, 0)


def test_the_pooled_ratios_in_the_readme_are_those_of_the_records() -> None:
    text = " ".join((Path(results.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    claims = {one.name: one.statements for one in check_claims(reference_records())}
    to_uniform, to_curriculum = claims["3.4"][:2]
    assert to_uniform.verdict == to_curriculum.verdict == "supported"
    assert f"needs {pooled_text(to_uniform)} times as many sequences with uniform lengths as with fixed ones" in text
    assert f"{pooled_text(to_curriculum)} times as many with short-to-long as with uniform ones" in text
    steps_help = claims["3.1"][0]
    assert f"the transformer needs {pooled_text(steps_help)} times as many sequences as with chain of thought" in text
    assert steps_help.count.decided == steps_help.count.true and f"{steps_help.count.true} of 10 pairs hold" in text
    from_outcomes, from_steps = map(pooled_text, claims["3.2"])
    assert f"{from_outcomes} times as many sequences from outcomes as from aligned chain of thought" in text
    assert f"and {from_steps} times as many from chain of thought" in text
    assert f"{pooled_text(claims['3.5'][0])} times as many sequences with uniform lengths as with short-to-long" in text
    outcome, aligned, steps = map(pooled_text, claims["4.3"])
    assert f"is {aligned} with aligned chain of thought: much above 1." in text
    assert f"With chain of thought DenseSSM has {steps}: near 1. With outcomes it is {outcome}" in text
    assert f"DenseSSM has {pooled_text(claims['4.3'][0].strata['DenseSSM'])} over six tasks" in text
    falls, together = claims["4.4"][0], claims["4.5"][0].count
    assert f"DenseSSM needs {pooled_text(falls)} times as many sequences at the shortest L" in text
    assert f"Of the {falls.count.decided} single series that are decided, {falls.count.true} fall." in text
    assert f"is open over both architectures: {pooled_text(claims['3.4'][2])}." in text
    assert f"by {together.true} of {together.decided} pairs, which have {together.votes} votes" in text


def test_the_kappas_in_the_readme_are_those_of_the_records() -> None:
    text = " ".join((Path(results.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    found = ib_bench.read(Path(results.__file__).parent / "small.jsonl.gz")["sharing"]
    own = [one for one in found if (one.labels.model, one.labels.supervision) == ("Transformer", "chain_of_thought")]
    bounded = [one for one in own if one.factor.is_bounded]
    below = [one for one in bounded if one.high < 0.8]
    ends = f"from {rounded_down(min(one.low for one in below))} to {rounded_up(max(one.high for one in below))}"
    assert (
        f"has both ends in {len(bounded)} of {len(own)} cells, and lies below 0.8 in {len(below)} of them: {ends}."
        in text
    )


def test_the_slopes_in_the_readme_are_those_of_the_records() -> None:
    text = " ".join((Path(results.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    pooled = {
        one.variable: one.fit.exponent
        for one in ib_bench.read(Path(results.__file__).parent / "small.jsonl.gz")["growth"]
        if one.is_pooled
        and (one.labels.model, one.labels.supervision) == ("DenseSSM", "aligned_chain_of_thought")
        and one.labels.length_distribution == "fixed"
    }
    lengths, states = pooled["L"], pooled["states"]
    assert (
        f"its exponent is {lengths.median:.2f}, with a 90 % interval from {lengths.low:.2f} to {lengths.high:.2f}"
        in text
    )
    assert f"with an exponent of {states.median:.1f} [{states.low:.1f}, {states.high:.1f}]" in text


def test_so_are_the_slopes_over_five_lengths() -> None:
    text = " ".join((Path(results.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    found: dict[str, set[str]] = {}
    for one in ib_bench.read(Path(results.__file__).parent / "study.jsonl.gz")["growth"]:
        labels = one.labels
        is_meant = (labels.model, labels.supervision) == ("DenseSSM", "aligned_chain_of_thought") and not one.is_pooled
        if is_meant and max(cell.x for cell in one.cells) == 12:
            is_known = one.fit.exponent.high < 0
            found.setdefault(labels.length_distribution, set()).add(
                f"{one.fit.exponent.median:.2f}" if is_known else ""
            )
    powers = {name: one.pop() for name, one in found.items() if len(one) == 1}
    assert (
        f"to the power of {powers['fixed']} with fixed lengths, and of {powers['uniform']} with uniform ones." in text
    )
    assert powers["short_to_long"] == ""
