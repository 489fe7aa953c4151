"""The sentences that a report opens with: right counts, intervals, and no finding where nothing is decided."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from made_up_records import ACOT, COT, Point, curve, extrapolation, search
from scipy.stats import binomtest

from ib_bench.drawing.sentences import (
    MAX_CLAUSES,
    Cells,
    Known,
    joined,
    median_interval,
    needs_sentence,
    share_interval,
    share_text,
)
from ib_bench.report.sentences import sentences
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records
from ib_bench.results.records import Record


def found(*records: Record) -> list[str]:
    report = study_report({"own": Records.of_all(records)})
    return sentences(report.study, report.claims)


def about(what: str, *records: Record) -> str:
    (sentence,) = [one for one in found(*records) if one.startswith(what)]
    return sentence


def searches(sizes: dict[str, int | None], moduli: range) -> list[Record]:
    points = [(Point(model, ACOT, modulus=modulus), size) for modulus in moduli for model, size in sizes.items()]
    return [search(point, size) for point, size in points]


def test_nothing_is_said_of_nothing() -> None:
    assert found() == []


def test_what_was_measured_comes_first_and_the_claims_last() -> None:
    texts = found(search(Point("LSTM", ACOT), 128))
    measured = "What was measured: LSTM on ModularAddition(modulus=5), with sequences of up to 4 symbols"
    assert texts[0].startswith(measured) and "(own: 1 search)" in texts[0]
    assert texts[-1].startswith("Of the paper's 10 claims, none is decided: 0 of ")


def test_tasks_are_counted_as_they_were_measured() -> None:
    points = [Point("LSTM", ACOT, max_length=length, modulus=modulus) for modulus in (5, 7) for length in (4, 5, 6)]
    assert "LSTM on 2 tasks, with sequences of up to 6 symbols" in found(*(search(point, 64) for point in points))[0]


def test_many_models_are_counted_and_their_architectures_named() -> None:
    names = ["LSTM", "GRU", "RNN", "SLSTM", "MinGRU", "Mamba2", "RWKV7", "DeltaNet"]
    measured, one_less = (found(*(search(Point(name, ACOT), 64) for name in own))[0] for own in (names, names[1:]))
    assert "and 1 more architecture) on" in one_less
    assert measured.startswith("What was measured: 8 models (") and "and 2 more architectures) on" in measured


def test_the_model_that_needs_least_is_named_with_the_interval_of_its_share() -> None:
    text = about("Data needed (N*)", *searches({"LSTM": 10, "Transformer": 100}, range(2, 10)))
    assert text == (
        "Data needed (N*): with aligned CoT supervision LSTM needs less than Transformer (8 of 8 cells, 69 to 100 %)."
    )


def test_a_bound_decides_and_overlapping_brackets_do_not() -> None:
    decided = about("Data needed", *searches({"LSTM": 10, "Transformer": None}, range(2, 10)))
    assert "LSTM needs less than Transformer (8 of 8 cells" in decided
    assert found(*searches({"LSTM": 10, "Transformer": 10}, range(2, 10)))[1] == (
        "No cell tells which model needs the smaller N*."
    )


def test_two_models_alike_in_front_do_not_hide_a_third() -> None:
    text = about("Data needed", *searches({"LSTM": 10, "GRU": 10, "Transformer": 1000}, range(2, 10)))
    assert "LSTM needs less than Transformer (8 of 8 cells" in text


def test_a_cell_that_is_measured_again_is_one_cell() -> None:
    sizes = {"LSTM": 10, "Transformer": 1000}
    again = [search(Point(model, ACOT, seeds=(seed,)), size) for model, size in sizes.items() for seed in range(5)]
    assert "needs less (1 of 1 cell, " in about("Data needed", *again)


def test_too_few_cells_leave_it_open() -> None:
    text = about("Data needed", *searches({"LSTM": 10, "Transformer": 100}, range(2, 5)))
    assert "it is open whether LSTM or Transformer needs less (3 of 3 cells, 37 to 100 %)" in text


class Counted(float):
    """A number that counts how often it is compared."""

    num_compared = 0

    def __lt__(self, other: float) -> bool:
        Counted.num_compared += 1
        return float(self) < float(other)

    def __le__(self, other: float) -> bool:
        Counted.num_compared += 1
        return float(self) <= float(other)


def test_many_variants_of_one_cell_are_not_compared_pair_by_pair() -> None:
    cells: Cells[Known] = Cells()
    result, num_models = search(Point("LSTM", ACOT), 128), 300
    for number in range(num_models):
        cells.add("own", ACOT, f"model {number}", result, (Counted(number), Counted(number + 1)))
    assert "model 0 or model 1 needs less (1 of 1 cell, " in needs_sentence("N*", cells)
    assert Counted.num_compared < 30 * num_models


def test_the_two_models_of_the_sentence_are_those_that_win_most_pairs() -> None:
    sizes = {"A": [3, 1, 2, 7, 1], "B": [4, 2, 1, 5, 1], "C": [1, 3, 3, 6, 1], "D": [9, 9, 9, 9]}
    cells: Cells[Known] = Cells()
    for model, own in sizes.items():
        for modulus, low in enumerate(own, start=2):
            cells.add("own", ACOT, model, search(Point("LSTM", ACOT, modulus=modulus), 9), (low, low + 1))
    wins = dict.fromkeys(sizes, 0)
    for one, other in permutations(sizes, 2):
        wins[one] += sum(low < other_low for low, other_low in zip(sizes[one], sizes[other], strict=False))
    first, second = sorted(wins, key=lambda model: -wins[model])[:2]
    assert f"it is open whether {first} or {second} needs less (" in needs_sentence("N*", cells)


def test_cells_of_other_settings_are_not_compared() -> None:
    records = [search(Point("LSTM", ACOT, max_size=2**number), 10) for number in (10, 11)]
    records.append(search(Point("Transformer", ACOT, max_size=2**12), 100))
    assert not any("needs" in text for text in found(*records))


def test_exhausted_pools_are_no_need_for_data() -> None:
    records = searches({"LSTM": 10}, range(2, 10))
    records += [search(Point("Transformer", ACOT, modulus=modulus), None, max_size=20) for modulus in range(2, 10)]
    assert not any("needs less" in text for text in found(*records))


def test_curves_are_compared_by_the_ends_of_their_intervals() -> None:
    sizes = {"LSTM": 50.0, "Transformer": math.inf}
    records = [
        curve(Point(model, ACOT, modulus=modulus), size) for modulus in range(2, 8) for model, size in sizes.items()
    ]
    assert "LSTM needs less than Transformer (6 of 6 cells" in about("Data needed (N50)", *records)
    small_pool = [
        curve(Point(model, ACOT, modulus=modulus), size, max_size=512)
        for modulus in range(2, 8)
        for model, size in (("LSTM", 50.0), ("Transformer", 300.0))
    ]
    assert all(one.largest_is_all for one in small_pool)
    assert "LSTM needs less than Transformer (6 of 6 cells" in about("Data needed (N50)", *small_pool)
    apart = [curve(Point("LSTM", ACOT), 50.0), curve(Point("Transformer", ACOT), 55.0)]
    assert not any("needs less" in text for text in found(*apart))


def test_accuracies_have_a_median_with_its_interval() -> None:
    accuracies = (0.1, 0.3, 0.5, 0.7, 0.9)
    records = [extrapolation(Point("LSTM", ACOT, modulus=2 + place), one) for place, one in enumerate(accuracies)]
    assert "LSTM 0.50 [0.10, 0.90] over 5 cells" in about("Median accuracy at 2 L", *records)
    assert "for LSTM there are too few cells in which it learned L to say (4)" in about("Median accuracy", *records[:4])


def test_open_kappas_are_counted() -> None:
    records: list[Record] = [search(Point("LSTM", COT), 10)]
    records += [search(Point("LSTM", COT, "fixed", length), 10) for length in (2, 3, 4)]
    text = about("Sharing between lengths", *records)
    assert text.endswith("LSTM above 1 in 1, below in 0, open in 0 of 1 cell.")
    other = [search(Point("LSTM", COT, modulus=7), 10)]
    other += [search(Point("LSTM", COT, "fixed", length, 7), size) for length, size in ((2, 3), (3, 3), (4, None))]
    text = about("Sharing between lengths", *records, *other)
    assert "of 2 cells" in text


@pytest.mark.parametrize(("number", "total"), [(0, 4), (3, 9), (9, 9)])
def test_share_intervals_are_the_exact_ones(number: int, total: int) -> None:
    expected = binomtest(number, total).proportion_ci(confidence_level=0.9, method="exact")
    assert share_interval(number, total) == pytest.approx((expected.low, expected.high))


def test_a_single_cell_is_no_cells() -> None:
    assert share_text(1, 1) == "1 of 1 cell, 5 to 100 %" and share_text(0, 2).startswith("0 of 2 cells, ")


def test_median_intervals_cover() -> None:
    assert median_interval([1.0] * 4) is None
    assert median_interval([]) is None
    assert median_interval([float(value) for value in range(20)]) == (5.0, 9.5, 14.0)  # coverage 0.96, next one 0.88


def test_a_sentence_says_how_many_clauses_it_leaves_out() -> None:
    assert joined([str(number) for number in range(MAX_CLAUSES + 2)]).endswith("; 2 more in the tables")
