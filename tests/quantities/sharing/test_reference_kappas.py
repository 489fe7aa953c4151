"""METHOD.md, section 7, has kappas of the reference results, computed by hand, taking saturation for granted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from made_up_records import ACOT, COT, saturation

from ib_bench import results
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import Sharing, sharings
from ib_bench.results.archive import read_archive


@pytest.fixture(scope="module")
def searches() -> list[SearchRecord]:
    return list(read_archive(Path(results.__file__).parent / "small.jsonl.gz").of(SearchRecord))


@pytest.fixture(scope="module")
def saturated(searches: list[SearchRecord]) -> list[Sharing]:
    exhausted = [record for record in searches if record.is_pool_exhausted]
    return sharings(searches, [saturation(record, num_sequences(record), succeeded=True) for record in exhausted])


def num_sequences(record: SearchRecord) -> int:
    """All sequences that exist, by counting."""
    longest = record.labels.max_length or 0
    lengths = [longest] if record.labels.length_distribution == "fixed" else range(2, longest + 1)
    num_symbols = {**{"num_elements": 0}, **record.labels.task_arguments}
    base = num_symbols.get("modulus") or math.factorial(num_symbols["num_elements"])
    return sum(base**length for length in lengths)


def test_without_saturated_evaluations_exhausted_pools_leave_kappa_without_an_upper_end(
    searches: list[SearchRecord],
) -> None:
    found = sharings(searches)
    assert len(found) == 72
    assert all(math.isinf(one.high) for one in found if one.exhausted)
    assert [one.low for one in found if not one.joint.censored and one.low <= 0] == []


def test_the_transformer_with_chain_of_thought_interferes(saturated: list[Sharing]) -> None:
    cells = [one for one in saturated if (one.labels.model, one.labels.supervision) == ("Transformer", COT)]
    finite = [one for one in cells if not math.isinf(one.high)]
    assert len(finite) == 7
    below = [one for one in finite if one.high < 0.8]
    assert len(below) == 6
    assert min(one.low for one in below if one.low) == pytest.approx(0.066, abs=0.001)
    assert max(one.high for one in below) == pytest.approx(0.771, abs=0.001)
    (other,) = (one for one in finite if one.high >= 0.8)
    assert (other.labels.task_arguments["modulus"], other.labels.max_length) == (2, 4)
    assert str(other.factor) == "0.82 to 1.12"


def test_recurrent_models_with_aligned_chain_of_thought_share(saturated: list[Sharing]) -> None:
    cells = [
        one
        for one in saturated
        if one.labels.model in ("LSTM", "DenseSSM") and (one.labels.supervision, one.labels.max_length) == (ACOT, 8)
    ]
    assert len(cells) == 8
    assert min(one.low for one in cells) == pytest.approx(1.72, abs=0.005)
    assert max(one.high for one in cells) == 16
