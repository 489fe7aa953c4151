"""The paper's claims on made-up stores, where the answer is known."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import ACOT, COT, OUTCOME, Point, curve, extrapolation, paper_like, search

from ib_bench.cli import main
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records
from ib_bench.results.records import Labels, Record
from ib_bench.studies.claims import Claim, check_claims
from ib_bench.studies.evidence import EXHAUSTED, NEVER_SUCCEEDS, ONE_SIDED, SPREAD_UNKNOWN, UNDECIDED
from ib_bench.studies.verdict import Count, Statement

NAMES = ["3.1", "3.2", "3.3", "3.4", "3.5", "4.1", "4.2", "4.3", "4.4", "4.5"]
MODULI = (3, 4, 5, 6, 7, 8)
RECURRENT = ("LSTM", "DenseSSM")


def verdicts(records: Records) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in check_claims(records)}


def claim(name: str, records: Iterable[Record]) -> Claim:
    return next(claim for claim in check_claims(Records.of_all(records)) if claim.name == name)


def reasons(statement: Statement) -> set[str]:
    return {pair.why_open for pair in statement.pairs if pair.holds is None}


def test_no_data_decide_nothing() -> None:
    assert verdicts(Records()) == dict.fromkeys(NAMES, "not enough data")


def test_a_store_like_the_papers_supports_every_claim() -> None:
    assert verdicts(paper_like()) == dict.fromkeys(NAMES, "supported")


def test_every_claim_says_its_rule_and_what_to_run() -> None:
    for each in check_claims(Records()):
        assert each.rule and each.text and each.to_measure in each.to_decide and "open" not in each.to_decide


@pytest.mark.parametrize(
    "each",
    [
        pytest.param(each, id=each.name, marks=[] if each.name in ("3.1", "4.2", "4.4") else pytest.mark.slow)
        for each in check_claims(Records())
    ],
)
def test_what_to_run_is_a_command(
    each: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    planned = ""
    for command in each.to_measure.split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "ib-bench" and main([*arguments, "--dry_run"]) == 0
        planned += capsys.readouterr().out
    assert "N50" in planned or "curves" in planned
    assert ("kappa" in planned) == (each.name in ("4.1", "4.2", "4.3", "4.5"))


def test_curves_whose_trials_share_data_or_weights_decide_nothing() -> None:
    """They say how one draw of the data does, however many trials they have."""
    points = [Point("DenseSSM", supervision, modulus=modulus) for supervision in (OUTCOME, ACOT) for modulus in MODULI]
    plain = [curve(point, 400 if point.supervision == OUTCOME else 40) for point in points]
    assert claim("3.2", plain).statements[0].count == Count(6, 0, 0, 6, 0)
    held = []
    for record in plain:
        config = replace(record.config, settings=replace(record.config.settings, hold="data"))
        held.append(replace(record, key=config.key, config=config))
    assert claim("3.2", held).statements[0].count == Count(0, 0, 0, 0, 0)
    assert claim("3.2", [*plain, *held]).to_json() == claim("3.2", plain).to_json()


def test_json_holds_every_pair() -> None:
    plain = [each.to_json() for each in check_claims(paper_like())]
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    statement = plain[0]["statements"][0]
    assert len(statement["pairs"]) == statement["count"]["true"] == 55
    assert all(pair["low"] and len(pair["records"]) == 2 for pair in statement["pairs"])


# For each claim, what supports it, what contradicts it and what leaves it open. A made-up cell is (model, supervision,
# distribution, L); N50 is given, infinity lies above the largest size.

Sizes = dict[tuple[str, str, str, int], float]
INFINITE = math.inf


def curves(sizes: Sizes, moduli: Iterable[int] = MODULI) -> list[Record]:
    return [
        curve(Point(model, supervision, lengths, length, modulus, max_size=2**16), size)
        for (model, supervision, lengths, length), size in sizes.items()
        for modulus in moduli
    ]


def of_recurrent(sizes: Callable[[str], Sizes]) -> Sizes:
    return {cell: size for model in RECURRENT for cell, size in sizes(model).items()}


def kappas(model: str, supervision: str, joint: float, alone: float = 300) -> Sizes:
    """Cells whose kappa is 3 times ``alone`` over ``joint``."""
    parts = {(model, supervision, "fixed", length): alone for length in (2, 3, 4)}
    return {**parts, (model, supervision, "uniform", 4): joint}


def with_accuracy(sizes: Sizes, accuracy: Callable[[str], float]) -> list[Record]:
    measured = [cell for cell in sizes if cell[2] == "uniform"]
    return [
        *curves(sizes),
        *(
            extrapolation(Point(*cell, modulus, max_size=2**16), accuracy(cell[0]))
            for cell in measured
            for modulus in MODULI
        ),
    ]


TRANSFORMER_OUTCOME_LEARNS: Sizes = {("Transformer", OUTCOME, "fixed", 3): 60}
SHARING = {**kappas("LSTM", ACOT, 100), **kappas("Transformer", ACOT, 900)}

CASES: dict[str, tuple[Callable[[], list[Record]], Callable[[], list[Record]], Callable[[], list[Record]]]] = {
    "3.1": (
        lambda: curves({("Transformer", ACOT, "fixed", 4): 4000, ("Transformer", COT, "fixed", 4): 100}),
        lambda: curves({("Transformer", ACOT, "fixed", 4): 100, ("Transformer", COT, "fixed", 4): 100}),
        lambda: curves({("Transformer", ACOT, "fixed", 4): 400, ("Transformer", COT, "fixed", 4): 100}),
    ),
    "3.2": (
        lambda: curves(
            {("LSTM", OUTCOME, "fixed", 4): 900, ("LSTM", COT, "fixed", 4): 900, ("LSTM", ACOT, "fixed", 4): 90}
        ),
        lambda: curves(
            {("LSTM", OUTCOME, "fixed", 4): 90, ("LSTM", COT, "fixed", 4): 90, ("LSTM", ACOT, "fixed", 4): 900}
        ),
        lambda: curves(
            {("LSTM", OUTCOME, "fixed", 4): 90, ("LSTM", COT, "fixed", 4): 360, ("LSTM", ACOT, "fixed", 4): 90}
        ),
    ),
    "3.3": (
        lambda: curves(
            {
                **TRANSFORMER_OUTCOME_LEARNS,
                ("Transformer", OUTCOME, "fixed", 6): INFINITE,
                **{(model, OUTCOME, "fixed", 6): 200 for model in RECURRENT},
            },
            range(6, 12),
        ),
        lambda: curves(
            {("Transformer", OUTCOME, "fixed", 6): 300, **{(model, OUTCOME, "fixed", 6): 200 for model in RECURRENT}},
            range(6, 12),
        ),
        lambda: curves(
            {
                ("Transformer", OUTCOME, "fixed", 6): INFINITE,
                **{(model, OUTCOME, "fixed", 6): 200 for model in RECURRENT},
            },
            range(6, 12),
        ),
    ),
    "3.4": (
        lambda: curves(
            {
                **{("LSTM", ACOT, "fixed", length): 400 / length for length in (4, 8)},
                **{("LSTM", ACOT, "uniform", length): 1600 / length for length in (4, 8)},
                **{("LSTM", ACOT, "short_to_long", length): 6400 / length for length in (4, 8)},
                **{("Transformer", COT, "fixed", length): 100 * length for length in (4, 8)},
            }
        ),
        lambda: curves(
            {
                **{("LSTM", ACOT, "fixed", length): 600 * length for length in (4, 8)},
                **{("LSTM", ACOT, "uniform", length): 200 * length for length in (4, 8)},
                **{("LSTM", ACOT, "short_to_long", length): 50 * length for length in (4, 8)},
                **{("Transformer", COT, "fixed", length): 8000 / length for length in (4, 8)},
            }
        ),
        lambda: curves({("LSTM", ACOT, lengths, 4): 400 for lengths in ("fixed", "uniform", "short_to_long")}),
    ),
    "3.5": (
        lambda: curves({("LSTM", OUTCOME, "uniform", 4): 900, ("LSTM", OUTCOME, "short_to_long", 4): 300}),
        lambda: curves({("LSTM", OUTCOME, "uniform", 4): 300, ("LSTM", OUTCOME, "short_to_long", 4): 900}),
        lambda: curves({("LSTM", OUTCOME, "uniform", 4): 300, ("LSTM", OUTCOME, "short_to_long", 4): 300}),
    ),
    "4.1": (
        lambda: curves({k: v for s in (OUTCOME, COT, ACOT) for k, v in kappas("Transformer", s, 900).items()}),
        lambda: curves({k: v for s in (OUTCOME, COT, ACOT) for k, v in kappas("Transformer", s, 100).items()}),
        lambda: curves({k: v for s in (OUTCOME, COT, ACOT) for k, v in kappas("Transformer", s, 450).items()}),
    ),
    "4.2": (
        lambda: curves(kappas("Transformer", COT, 5000)),
        lambda: curves(kappas("Transformer", COT, 900)),
        lambda: curves(kappas("Transformer", COT, 1800)),
    ),
    "4.3": (
        lambda: curves(
            of_recurrent(lambda m: {**kappas(m, OUTCOME, 100), **kappas(m, ACOT, 100), **kappas(m, COT, 900)})
        ),
        lambda: curves(
            of_recurrent(lambda m: {**kappas(m, OUTCOME, 900), **kappas(m, ACOT, 900), **kappas(m, COT, 90)})
        ),
        lambda: curves(
            of_recurrent(lambda m: {**kappas(m, OUTCOME, 450), **kappas(m, ACOT, 450), **kappas(m, COT, 450)})
        ),
    ),
    "4.4": (
        lambda: curves({("DenseSSM", ACOT, "fixed", length): 800 / length for length in (4, 8)}),
        lambda: curves({("DenseSSM", ACOT, "fixed", length): 20 * length for length in (4, 8)}),
        lambda: curves({("DenseSSM", ACOT, "fixed", length): 100 for length in (4, 6, 8)}),
    ),
    "4.5": (
        lambda: with_accuracy(SHARING, {"LSTM": 1.0, "Transformer": 0.0}.__getitem__),
        lambda: with_accuracy(SHARING, {"LSTM": 0.0, "Transformer": 1.0}.__getitem__),
        lambda: with_accuracy(SHARING, {"LSTM": 0.5, "Transformer": 0.52}.__getitem__),
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("case", "verdict"), [(0, "supported"), (1, "contradicted"), (2, "not enough data")])
def test_each_claim_can_go_either_way(name: str, case: int, verdict: str) -> None:
    checked = claim(name, CASES[name][case]())
    assert {statement.verdict for statement in checked.statements} == {verdict}
    assert checked.verdict == verdict
    if verdict == "not enough data":
        assert all(not statement.count.decided for statement in checked.statements if name != "3.4")
        assert (
            f"open among the existing pairs: {sum(statement.count.open for statement in checked.statements)}"
            in checked.to_decide
        )


def repeated(point: Point, sizes: Iterable[int | None]) -> list[Record]:
    """Searches of one cell with seeds of their own."""
    return [search(replace(point, seeds=(seed,)), size) for seed, size in enumerate(sizes)]


class TestSearches:
    """Without curves, single searches count only if their spread is known."""

    def of(self, aligned: int | None, cot: int | None, num_seeds: int) -> Statement:
        records: list[Record] = []
        for modulus in MODULI:
            for supervision, size in ((ACOT, aligned), (COT, cot)):
                records += repeated(Point("Transformer", supervision, "fixed", modulus=modulus), [size] * num_seeds)
        for supervision in (ACOT, COT):  # both succeed somewhere, with a known spread if there are repeats
            records += repeated(Point("Transformer", supervision, "fixed", 3, 3), [100] * (1 if num_seeds == 1 else 4))
        (statement,) = claim("3.1", records).statements
        return Statement(statement.text, statement.pairs[: len(MODULI)])

    def test_one_search_each_decides_nothing(self) -> None:
        statement = self.of(aligned=4000, cot=100, num_seeds=1)
        assert statement.count == Count(0, 0, 6, 0, 0) and reasons(statement) == {SPREAD_UNKNOWN}

    def test_with_repeats_they_do(self) -> None:
        assert self.of(aligned=4000, cot=100, num_seeds=2).verdict == "supported"
        assert self.of(aligned=1000, cot=900, num_seeds=2).verdict == "contradicted"

    def test_the_spread_of_one_kind_serves_all_its_cells(self) -> None:
        records: list[Record] = []
        for supervision, size in ((ACOT, 2000), (COT, 100)):
            spread = [size // 2, size, size * 2, size]
            records += repeated(Point("Transformer", supervision, "fixed", 5, 3), spread)
            records += [search(Point("Transformer", supervision, "fixed", 4, m), size) for m in MODULI]
        (statement,) = claim("3.1", records).statements
        single = [pair for pair in statement.pairs if "L=4" in pair.title]
        assert {pair.why_open for pair in single} == {UNDECIDED}
        (pair, *_) = single
        assert pair.interval is not None and pair.interval.low < 4 < 20 < pair.interval.high

    def slopes(self, num_seeds: int, *others: Record) -> Statement:
        """N* that halves from L to L, by searches with so many seeds."""
        records: list[Record] = [*others]
        for modulus in MODULI:
            for length, size in ((6, 4000), (7, 2000), (8, 1000), (9, 500), (10, 250)):
                point = Point("DenseSSM", ACOT, "fixed", length, modulus=modulus)
                records += repeated(point, [size] * num_seeds)
        (statement,) = claim("4.4", records).statements
        return statement

    def test_a_slope_of_single_searches_decides_nothing(self) -> None:
        statement = self.slopes(1)
        assert not statement.count.decided and reasons(statement) == {SPREAD_UNKNOWN}
        assert {pair.measure for pair in statement.pairs} == {"slope of N*"}

    def test_a_slope_of_repeated_searches_does(self) -> None:
        assert self.slopes(2).verdict == "supported"

    def test_a_curve_beside_repeated_searches_takes_nothing_away(self) -> None:
        shorter = [curve(Point("DenseSSM", ACOT, "fixed", 5, modulus=modulus), 6000) for modulus in MODULI]
        assert self.slopes(2, *shorter).verdict == "supported"

    def test_the_spread_of_other_searches_decides_no_slope(self) -> None:
        def otherwise(record: Record) -> Record:
            assert isinstance(record, SearchRecord)
            config = replace(record.config, settings=replace(record.config.settings, midpoint="geometric"))
            return replace(record, key=config.key, config=config)

        points = [Point("DenseSSM", ACOT, "fixed", 6, modulus=modulus) for modulus in MODULI]
        others = [otherwise(record) for point in points for record in repeated(point, [4000] * 4)]
        assert reasons(self.slopes(1, *others)) == {SPREAD_UNKNOWN}

    def test_censored_above_counts_on_either_side(self) -> None:
        assert self.of(aligned=None, cot=100, num_seeds=2).count == Count(6, 0, 0, 6, 0)
        assert self.of(aligned=100, cot=None, num_seeds=2).count == Count(0, 6, 0, 0, 6)

    def test_what_could_not_have_gone_the_other_way_is_left_out(self) -> None:
        statement = self.of(aligned=3, cot=None, num_seeds=2)
        assert statement.count == Count(0, 0, 6, 0, 0) and reasons(statement) == {ONE_SIDED}

    def test_both_censored_is_open(self) -> None:
        assert reasons(self.of(aligned=None, cot=None, num_seeds=2)) == {UNDECIDED}


def test_a_regime_that_never_succeeds_speaks_for_nothing() -> None:
    """Too small a budget fails everywhere; that says nothing of the need for data."""
    sizes: Sizes = {("LSTM", COT, "fixed", 4): INFINITE, ("LSTM", ACOT, "fixed", 4): 90}
    _, struggle = claim("3.2", curves(sizes)).statements
    assert struggle.count == Count(0, 0, 6, 0, 0) and reasons(struggle) == {NEVER_SUCCEEDS}
    for elsewhere, counted in (("fixed", Count(6, 0, 0, 6, 0)), ("uniform", Count(0, 0, 6, 0, 0))):
        _, struggle = claim("3.2", curves({**sizes, ("LSTM", COT, elsewhere, 3): 900})).statements
        assert struggle.count == counted, elsewhere


def test_a_curve_without_a_success_has_not_succeeded() -> None:
    """A single failure at a small size leaves N50 below the largest likely; that is the prior's word, not a success."""
    sizes: Sizes = {("LSTM", COT, "fixed", 4): INFINITE, ("LSTM", ACOT, "fixed", 4): 90}
    elsewhere = curve(Point("LSTM", COT, "fixed", 3, max_size=2**16), 1000)
    failure = next(trial for trial in elsewhere.curve_trials if not trial.succeeded)
    failed = replace(elsewhere, curve_trials=[replace(failure, size=4)])
    for control, counted in ((elsewhere, Count(6, 0, 0, 6, 0)), (failed, Count(0, 0, 6, 0, 0))):
        _, struggle = claim("3.2", [*curves(sizes), control]).statements
        assert struggle.count == counted


def test_nothing_held_out_is_no_failure() -> None:
    beyond = [Point("Transformer", OUTCOME, "fixed", 6, modulus) for modulus in range(6, 12)]
    records: list[Record] = [search(Point("Transformer", OUTCOME, "fixed", 4, 2), 100)]
    records += [search(replace(point, seeds=(s,)), None, max_size=0) for point in beyond for s in range(5)]
    *_, fail = claim("3.3", records).statements
    assert fail.count == Count(0, 0, 6, 0, 0)


def test_an_exhausted_pool_is_no_need_for_data() -> None:
    """Claim 4.4 on the reference results, as version 1 counted it: all 20 that exist fail, so N* falls."""

    def of(exhausted: float, lengths: tuple[int, ...]) -> Statement:
        short = [curve(Point("DenseSSM", ACOT, "fixed", 2, m), exhausted, max_size=20) for m in MODULI]
        longer = [curve(Point("DenseSSM", ACOT, "fixed", length, m), 8) for m in MODULI for length in lengths]
        (statement,) = claim("4.4", [*short, *longer]).statements
        return statement

    assert of(INFINITE, (4,)).count == Count(0, 0, 6, 0, 0) and reasons(of(INFINITE, (4,))) == {EXHAUSTED}
    assert of(15, (4,)).count == Count(6, 0, 0, 6, 0)
    assert reasons(of(INFINITE, (4, 8))) == {UNDECIDED}, "the lengths that are left are compared"


def test_exhausted_pools_are_left_out_on_both_sides() -> None:
    for supervision in (ACOT, COT):
        sizes = {ACOT: 4000.0, COT: 100.0}
        records: list[Record] = [
            curve(
                Point("Transformer", regime, "fixed", 2, modulus),
                INFINITE if regime == supervision else size,
                max_size=20 if regime == supervision else None,
            )
            for regime, size in sizes.items()
            for modulus in MODULI
        ]
        (statement,) = claim("3.1", records).statements
        assert statement.count == Count(0, 0, 6, 0, 0) and reasons(statement) == {EXHAUSTED}


def test_a_transformer_counts_once_against_each_recurrent_model() -> None:
    sizes: Sizes = {("Transformer", OUTCOME, "fixed", 4): 4000, **{(m, OUTCOME, "fixed", 4): 100 for m in RECURRENT}}
    against_lstm, against_ssm, _ = claim("3.3", curves(sizes)).statements
    for statement in (against_lstm, against_ssm):
        keys = [key for pair in statement.pairs for key in pair.records]
        assert statement.count == Count(6, 0, 0, 6, 0) and len(keys) == len(set(keys)) == 12


def test_variants_of_an_architecture_count_once() -> None:
    records = curves({("Transformer", OUTCOME, "fixed", 4): 4000, ("LSTM", OUTCOME, "fixed", 4): 100})
    wider = []
    for record in records:
        assert isinstance(record, CurveRecord)
        if record.labels.model == "Transformer":
            experiment = record.config.experiment
            model = replace(experiment.model, init_args={"hidden_size": 64})
            config = replace(record.config, experiment=replace(experiment, model=model))
            wider.append(replace(record, config=config, key=config.key))
    against_lstm, _, _ = claim("3.3", [*records, *wider]).statements
    assert against_lstm.count.decided == 6


def test_no_experiment_is_in_two_pairs_of_kappa_and_accuracy() -> None:
    (statement,) = claim("4.5", paper_like()).statements
    joints = [pair.title.split(" / ") for pair in statement.pairs]
    names = [name.rpartition(" (")[0] for both in joints for name in both]
    assert len(names) == len(set(names)) == 80


def test_what_accelerates_one_architecture_keeps_no_pair_apart() -> None:
    records = []
    for record in curves({("Transformer", OUTCOME, "fixed", 4): 4000, ("LSTM", OUTCOME, "fixed", 4): 100}):
        assert isinstance(record, CurveRecord)
        changed = replace(record.config.search, compile=record.labels.model == "LSTM")
        records.append(replace(record, config=replace(record.config, search=changed)))
    statement, *_ = claim("3.3", records).statements
    assert statement.count == Count(6, 0, 0, 6, 0)


def test_protocols_are_never_compared() -> None:
    records = []
    for record in curves({("Transformer", ACOT, "fixed", 4): 4000, ("Transformer", COT, "fixed", 4): 100}):
        assert isinstance(record, CurveRecord)
        threshold = 0.5 if record.labels.supervision == COT else 1e-4
        records.append(
            replace(record, config=replace(record.config, search=replace(record.config.search, threshold=threshold)))
        )
    assert claim("3.1", records).statements[0].pairs == []


def test_a_curve_is_not_compared_with_a_search() -> None:
    sizes: Sizes = {("Transformer", ACOT, "fixed", 4): 4000}
    records: list[Record] = [*curves(sizes)]
    records += [search(Point("Transformer", COT, "fixed", 4, modulus, max_size=2**16), 100) for modulus in MODULI]
    (statement,) = claim("3.1", records).statements
    assert statement.count.open == 6 and "other a curve" in reasons(statement).pop()


def test_strata_are_architectures_and_lengths() -> None:
    (statement,) = claim("3.1", paper_like()).statements
    assert {name: own.count.true for name, own in statement.strata.items()} == {
        "Transformer, fixed lengths": 35,
        "Transformer, several lengths": 20,
    }


def test_opposite_strata_are_mixed() -> None:
    """Claim 3.1 as on the reference results: supported at fixed lengths, contradicted at several."""
    fixed: Sizes = {("Transformer", ACOT, "fixed", length): 4000 for length in (3, 4, 5)}
    fixed |= {("Transformer", COT, "fixed", length): 100 for length in (3, 4, 5)}
    several: Sizes = {("Transformer", ACOT, "uniform", 4): 900, ("Transformer", COT, "uniform", 4): 4000}
    (statement,) = claim("3.1", curves({**fixed, **several})).statements
    assert (statement.count, statement.verdict) == (Count(18, 6, 0, 18, 6), "mixed")


def test_no_size_suffices_needs_five_searches_or_a_curve() -> None:
    def of(num_seeds: int, size: int | None) -> Statement:
        beyond = [Point("Transformer", OUTCOME, "fixed", 6, modulus) for modulus in range(6, 12)]
        small = search(Point("Transformer", OUTCOME, "fixed", 4, 2), 100)
        records = [one for point in beyond for one in repeated(point, [size] * num_seeds)]
        *_, fail = claim("3.3", [small, *records]).statements
        return fail

    assert reasons(of(4, None)) == {SPREAD_UNKNOWN}
    assert of(5, None).verdict == "supported" and of(5, 4000).verdict == "contradicted"


def test_all_sequences_that_exist_failing_is_not_that_no_size_suffices() -> None:
    beyond = [Point("Transformer", OUTCOME, "fixed", 6, modulus) for modulus in range(6, 12)]
    small = search(Point("Transformer", OUTCOME, "fixed", 4, 2), 100)
    for failing in (
        [curve(point, INFINITE, max_size=2000) for point in beyond],
        [replace(one, max_size=2000) for point in beyond for one in repeated(point, [None] * 5)],
    ):
        *_, fail = claim("3.3", [small, *failing]).statements
        assert fail.count == Count(0, 0, 6, 0, 0) and reasons(fail) == {EXHAUSTED}


def test_one_length_has_nothing_to_share() -> None:
    sizes = {("LSTM", OUTCOME, lengths, 2): 300.0 for lengths in ("fixed", "uniform")}
    assert all(not statement.pairs for statement in claim("4.3", curves(sizes)).statements)


def test_grids_of_two_sizes_measure_two_quantities() -> None:
    """N* is the luck of the best of a grid."""
    points = [Point(model, OUTCOME, "fixed", 4, modulus) for model in ("LSTM", "Transformer") for modulus in MODULI]
    sizes = {"LSTM": 20, "Transformer": 2000}
    alike = [one for point in points for one in repeated(point, [sizes[point.model]] * 5)]
    assert claim("3.3", alike).statements[0].count.true == 6
    other = []
    for one in alike:
        rates = [0.1, 0.01] if one.labels.model == "LSTM" else [0.1]
        config = replace(one.config, settings=replace(one.config.settings, learning_rates=rates))
        other.append(replace(one, key=config.key, config=config))
    assert claim("3.3", other).statements[0].count.true == 0


def swapped(records: Records, one: str, other: str) -> Records:
    """The same numbers, as if two architectures or regimes had changed places."""
    names = {one: other, other: one}

    def changed(point: Point) -> Point:
        return replace(
            point,
            model=names.get(point.model, point.model),
            supervision=names.get(point.supervision, point.supervision),
        )

    found: list[Record] = []
    for record in records.of(CurveRecord):
        assert record.estimate is not None
        size = record.estimate.n50.median
        found.append(curve(changed(point_of(record.labels)), INFINITE if size is None else size))
    for one_record in records.of(ExtrapolationRecord):
        accuracy = one_record.accuracies[-1].final_state_accuracy
        found.append(extrapolation(changed(point_of(one_record.labels)), accuracy))
    return Records.of_all(found)


def point_of(labels: Labels) -> Point:
    modulus = labels.task_arguments["modulus"]
    lengths = str(labels.length_distribution)
    return Point(labels.model, str(labels.supervision), lengths, labels.max_length or 0, modulus, max_size=2**16)


def test_with_the_regimes_swapped_the_claims_about_them_fall() -> None:
    fallen = verdicts(swapped(paper_like(), COT, ACOT))
    assert fallen["3.1"] == fallen["4.2"] == "contradicted"
    assert fallen["3.3"] == fallen["3.5"] == "supported"
    assert fallen["3.2"] != "supported" and fallen["4.3"] == "mixed"  # outcome is as before


def test_with_the_architectures_swapped_too() -> None:
    fallen = verdicts(swapped(paper_like(), "Transformer", "LSTM"))
    assert fallen["3.3"] in ("mixed", "contradicted")
    assert fallen["4.1"] == "mixed"  # with chain of thought nobody shares


def test_models_from_elsewhere_are_no_part_of_the_claims() -> None:
    def from_elsewhere(record: SearchRecord) -> SearchRecord:
        experiment = record.config.experiment
        model = replace(experiment.model, class_path=f"my_models.{experiment.model.class_name}")
        return replace(record, config=replace(record.config, experiment=replace(experiment, model=model)))

    records = Records.of_all(map(from_elsewhere, paper_like().of(SearchRecord)))
    assert all(not s.pairs for claim in check_claims(records) for s in claim.statements)
