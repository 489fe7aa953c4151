from __future__ import annotations

import pytest

from ib_bench.results.records import Evaluation, SearchRecord
from ib_bench.studies.sharing import SharingFactor, sharing_factor


def search(min_train_size: int | None, max_size: int = 1000, status: str = "finished") -> SearchRecord:
    bracket = (max_size, None) if min_train_size is None else (min_train_size - 1, min_train_size)
    evaluation = Evaluation(max_size, min_train_size is not None, 0.1, bracket, [])
    return SearchRecord("k", {}, {}, status, max_size, [evaluation], 0.0, "now")


def test_a_value_where_all_is_known() -> None:
    assert sharing_factor(search(20), {2: search(10), 3: search(30)}) == SharingFactor("value", 2.0)


def test_a_censored_part_makes_a_lower_bound() -> None:
    kappa = sharing_factor(search(20), {2: search(None, max_size=13), 3: search(30)})
    assert kappa == SharingFactor("lower_bound", 43 / 20)


def test_a_part_that_cannot_be_measured_makes_a_lower_bound() -> None:
    assert sharing_factor(search(20), {2: None, 3: search(30)}) == SharingFactor("lower_bound", 1.5)


def test_a_censored_joint_search_makes_an_upper_bound() -> None:
    assert sharing_factor(search(None), {2: search(100), 3: search(150)}) == SharingFactor("upper_bound", 0.25)


@pytest.mark.parametrize("part", [None, search(None)])
def test_both_leave_it_undefined(part: SearchRecord | None) -> None:
    assert sharing_factor(search(None), {2: part, 3: search(30)}) == SharingFactor("undefined", None)


def test_it_never_reads_as_a_bare_number_where_a_part_is_censored() -> None:
    texts = [str(SharingFactor(kind, value)) for kind, value in KINDS]
    assert texts == ["2.00", "> 2.00", "< 2.00", "undefined"]


KINDS = [("value", 2.0), ("lower_bound", 2.0), ("upper_bound", 2.0), ("undefined", None)]


def test_unfinished_searches_are_refused() -> None:
    with pytest.raises(ValueError, match="finished"):
        sharing_factor(search(20), {2: search(10, status="running")})
