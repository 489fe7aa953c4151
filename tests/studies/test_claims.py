"""The paper's claims on made-up stores, where the answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from made_up_records import ACOT, COT, OUTCOME, Point, extrapolation, paper_like, saturation, search

from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import sharings
from ib_bench.results.archive import Records
from ib_bench.results.records import Labels
from ib_bench.studies.claims import Claim, Statement, check_claims
from ib_bench.studies.comparison import Count, Interval, min_train_size, sharing_interval

NAMES = ["3.1", "3.2", "3.3", "3.4", "3.5", "4.1", "4.2", "4.3", "4.4", "4.5"]
MODULI = (2, 3, 5, 10)


def verdicts(records: Records) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in check_claims(records)}


def claim(name: str, records: Records) -> Claim:
    return next(claim for claim in check_claims(records) if claim.name == name)


def test_no_data_decide_nothing() -> None:
    assert verdicts(Records()) == dict.fromkeys(NAMES, "not enough data")


def test_a_store_like_the_papers_supports_every_claim() -> None:
    assert verdicts(paper_like()) == dict.fromkeys(NAMES, "supported")


def test_every_claim_says_its_rule_and_what_to_run() -> None:
    for each in check_claims(Records()):
        assert each.rule and each.text and each.to_measure in each.to_decide and "open" not in each.to_decide
        assert each.to_measure.startswith("ib-bench run small --axes.")


def test_missing_pairs_and_bounds_are_told_apart() -> None:
    assert claim("3.1", paper_like()).to_decide == ""
    points = [Point("Transformer", regime, modulus=modulus) for modulus in MODULI for regime in (ACOT, COT)]
    records = Records.of_all(search(point, None) for point in points)
    assert f"{len(MODULI)} are open" in claim("3.1", records).to_decide


def test_what_accelerates_one_architecture_keeps_no_pair_apart() -> None:
    records = []
    for modulus in MODULI:
        for model, size in (("Transformer", 4000), ("LSTM", 100)):
            record = search(Point(model, OUTCOME, modulus=modulus), size)
            settings = replace(record.config.settings, compile=model == "LSTM")
            records.append(replace(record, config=replace(record.config, settings=settings)))
    statement, _ = claim("3.3", Records.of_all(records)).statements
    assert statement.count == Count(len(MODULI), 0, 0)


def test_a_series_of_lengths_counts_once() -> None:
    sizes = {2: 90, 3: 80, 4: 70, 5: 60}
    searches = [search(Point("DenseSSM", ACOT, "fixed", length), size) for length, size in sizes.items()]
    (statement,) = claim("4.4", Records.of_all(searches)).statements
    assert statement.count == Count(1, 0, 0)


def test_transformers_fail_beyond_small_tasks_only_if_no_size_suffices() -> None:
    for size, verdict in ((None, "supported"), (4000, "contradicted")):
        points = [Point("Transformer", OUTCOME, "fixed", length, 10) for length in (5, 6, 7, 8)]
        records = Records.of_all(search(point, size) for point in points)
        _, fail = claim("3.3", records).statements
        assert fail.verdict == verdict and fail.count.decided == 3  # L = 5 is small


def swapped(records: Records, one: str, other: str) -> Records:
    """The same numbers, as if two architectures or regimes had changed places."""
    names = {one: other, other: one}

    def changed(point: Point) -> Point:
        return replace(
            point,
            model=names.get(point.model, point.model),
            supervision=names.get(point.supervision, point.supervision),
        )

    searches = [
        search(changed(point_of(record.labels)), record.min_train_size, record.max_size)
        for record in records.of(SearchRecord)
    ]
    measured = [
        extrapolation(changed(point_of(record.labels)), record.accuracies[-1].final_state_accuracy)
        for record in records.of(ExtrapolationRecord)
    ]
    return Records.of_all([*searches, *measured])


def point_of(labels: Labels) -> Point:
    modulus = labels.task_arguments["modulus"]
    return Point(
        labels.model, str(labels.supervision), str(labels.length_distribution), labels.max_length or 0, modulus
    )


def test_with_the_regimes_swapped_the_claims_about_them_fall() -> None:
    fallen = verdicts(swapped(paper_like(), COT, ACOT))
    assert fallen["3.1"] == fallen["3.2"] == fallen["4.2"] == "contradicted"
    assert fallen["3.3"] == fallen["3.5"] == "supported"
    assert fallen["4.3"] == "mixed"  # outcome is as before


def test_with_the_architectures_swapped_too() -> None:
    fallen = verdicts(swapped(paper_like(), "Transformer", "LSTM"))
    assert fallen["3.3"] in ("mixed", "contradicted")
    assert fallen["4.1"] == "mixed"  # with chain of thought nobody shares


def test_extrapolation_against_kappa() -> None:
    records = paper_like()
    searches = list(records.of(SearchRecord))
    wrong_way = [
        extrapolation(point_of(record.labels), 1 - record.accuracies[-1].final_state_accuracy)
        for record in records.of(ExtrapolationRecord)
    ]
    assert verdicts(Records.of_all([*searches, *wrong_way]))["4.5"] == "contradicted"
    assert verdicts(Records.of_all(searches))["4.5"] == "not enough data"


class TestCensoring:
    """A censored N* is only ever larger than something."""

    def of(self, aligned: int | None, cot: int | None, max_size: int = 4096) -> Statement:
        records = []
        for modulus in MODULI:
            for supervision, size in ((ACOT, aligned), (COT, cot)):
                point = Point("Transformer", supervision, modulus=modulus)
                records.append(search(point, size, max_size))
        (statement,) = claim("3.1", Records.of_all(records)).statements
        return statement

    def test_far_above_the_largest_size_counts(self) -> None:
        assert self.of(aligned=None, cot=1000).count == Count(4, 0, 0)

    def test_not_far_enough_below_the_largest_size_is_open(self) -> None:
        assert self.of(aligned=None, cot=2000).count == Count(0, 0, 4)

    def test_both_censored_is_open(self) -> None:
        assert self.of(aligned=None, cot=None).count == Count(0, 0, 4)

    def test_the_wrong_one_censored_speaks_against(self) -> None:
        assert self.of(aligned=1000, cot=None).count == Count(0, 4, 0)

    def test_known_and_near_speaks_against(self) -> None:
        assert self.of(aligned=1000, cot=900).verdict == "contradicted"


def test_searches_of_different_protocols_are_never_compared() -> None:
    def strict(record: SearchRecord) -> SearchRecord:
        settings = replace(record.config.settings, threshold=0.5)
        return replace(record, config=replace(record.config, settings=settings))

    searches = paper_like().of(SearchRecord)
    other = [strict(record) if record.labels.supervision == COT else record for record in searches]
    assert verdicts(Records.of_all(other))["3.1"] == "not enough data"


@pytest.mark.parametrize(
    ("count", "verdict"),
    [
        (Count(2, 0, 90), "not enough data"),
        (Count(3, 0, 90), "supported"),
        (Count(4, 1, 0), "supported"),
        (Count(3, 1, 0), "mixed"),
        (Count(1, 4, 0), "contradicted"),
    ],
)
def test_verdicts(count: Count, verdict: str) -> None:
    assert Statement("", count).verdict == verdict


def test_intervals() -> None:
    known = min_train_size(search(Point("LSTM", OUTCOME), 100))
    assert known == Interval(100, 100)
    censored = min_train_size(search(Point("LSTM", OUTCOME), None, max_size=50))
    assert censored == Interval(51, math.inf)
    assert (censored / known).low == 0.51 and (censored / known).at_least(2) is None
    assert (known / censored).at_least(2) is False
    assert (Interval(1, 2) / Interval(0, 1)) == Interval(1, math.inf)
    assert Interval(2, 3).at_least(2) is True and Interval(2, 3).above(2) is None and Interval(1, 2).above(2) is False


def test_kappas_interval_uses_all_brackets() -> None:
    sharing = next(s for s in sharings(paper_like().of(SearchRecord)) if s.joint.labels.max_length == 4)
    interval = sharing_interval(sharing)
    assert interval.low == interval.high == sharing.point


def test_saturated_evaluations_bound_kappa_in_claims() -> None:
    joint = search(Point("Transformer", COT), 2048)
    parts = [search(Point("Transformer", COT, "fixed", n), None, max_size=4 * 5 ** (n - 1)) for n in (2, 3, 4)]
    without = claim("4.2", Records.of_all([joint, *parts])).statements[0].count
    saturated = [saturation(part, 5 ** (part.labels.max_length or 0), succeeded=True) for part in parts]
    with_them = claim("4.2", Records.of_all([joint, *parts, *saturated])).statements[0].count
    assert (without, with_them) == (Count(0, 0, 1), Count(1, 0, 0))


def test_kappas_that_may_be_anything_decide_nothing() -> None:
    records = paper_like()
    censored = [search(point_of(record.labels), None) for record in records.of(SearchRecord)]
    everything = [*records.trials, *censored, *records.of(ExtrapolationRecord)]
    assert set(verdicts(Records.of_all(everything)).values()) == {"not enough data"}


def test_models_from_elsewhere_are_no_part_of_the_claims() -> None:
    def from_elsewhere(record: SearchRecord) -> SearchRecord:
        experiment = record.config.experiment
        model = replace(experiment.model, class_path=f"my_models.{experiment.model.class_name}")
        return replace(record, config=replace(record.config, experiment=replace(experiment, model=model)))

    records = Records.of_all(map(from_elsewhere, paper_like().of(SearchRecord)))
    assert all(not s.count.decided for claim in check_claims(records) for s in claim.statements)
