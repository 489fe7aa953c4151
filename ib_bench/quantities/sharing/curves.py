"""Kappa from success curves: the sum of N50 at each length alone, over N50 at all lengths together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.search.record import SearchConfig
from ib_bench.quantities.sharing.factor import rounded, rounded_down, rounded_up


@dataclass(frozen=True)
class FactorEstimate:
    """Kappa from success curves.

    Attributes:
        low: lower end of the 90 % interval; 0 where nothing is known.
        median: of the distribution; None where censored samples leave it open by more than a tenth.
        high: upper end of the 90 % interval; infinite where nothing is known.
    """

    low: float
    median: float | None
    high: float

    def __str__(self) -> str:
        if self.low == 0 and math.isinf(self.high):
            return "unknown"
        interval = f"[{rounded_down(self.low)}, {rounded_up(self.high)}]"
        return interval if self.median is None else f"{rounded(self.median)} {interval}"


@dataclass(frozen=True)
class SharingCurves:
    """The success curves that kappa rests on.

    Attributes:
        joint: at all lengths together.
        parts: at each length alone, from the shortest to L.
    """

    joint: CurveRecord
    parts: Mapping[int, CurveRecord]

    @property
    def num_trials(self) -> int:
        """Of all curves."""
        return sum(record.num_trials for record in (self.joint, *self.parts.values()))

    @cached_property
    def estimate(self) -> FactorEstimate:
        """Kappa; the same curves give the same numbers."""
        return self._estimate(self.parts.values())

    @cached_property
    def unexhausted_estimate(self) -> FactorEstimate | None:
        """Kappa over the lengths at which N50 is not above all training sequences that exist; None without such."""
        parts = [record for record in self.parts.values() if not record.is_pool_exhausted]
        return self._estimate(parts) if parts else None

    def _estimate(self, parts: Collection[CurveRecord]) -> FactorEstimate:
        from ib_bench.quantities.known_size import of_curve  # noqa: PLC0415 (loads scipy)
        from ib_bench.quantities.sharing.sampling import sampled_factor  # noqa: PLC0415 (loads scipy)

        return sampled_factor(of_curve(self.joint), [of_curve(part) for part in parts])


class FinishedCurves:
    """Finished success curves, to be found by the searches of the same experiments.

    Args:
        curves: finished or not.

    Attributes:
        searches: of the experiments that have curves, whether they were made or not.
    """

    def __init__(self, curves: Iterable[CurveRecord]) -> None:
        self._by_key = {record.key: record for record in curves if record.finished}
        self._by_search: dict[str, list[CurveRecord]] = {}
        searches = {}
        for record in self._by_key.values():
            search = SearchConfig(record.config.experiment, record.config.search)
            self._by_search.setdefault(search.key, []).append(record)
            searches[search.key] = search
        self.searches = list(searches.values())

    def of(self, joint: SearchConfig, parts: Mapping[int, SearchConfig]) -> SharingCurves | None:
        """The curves of the same experiments and search settings, measured alike; None where one is missing.

        Of several measurements, that with the most trials counts, and one whose trials share data or weights only if
        there is no other.

        Args:
            joint: the search over all lengths.
            parts: the search at each length alone.
        """
        found = []
        for record in self._by_search.get(joint.key, []):
            keys = {length: replace(record.config, experiment=part.experiment).key for length, part in parts.items()}
            if all(key in self._by_key for key in keys.values()):
                found.append(SharingCurves(record, {length: self._by_key[key] for length, key in keys.items()}))
        return max(found, key=_rank, default=None)


def _rank(one: SharingCurves) -> tuple[bool, int, str]:
    """Sorts measurements of the same experiments; the best is last."""
    return one.joint.config.settings.hold is None, one.num_trials, one.joint.key
