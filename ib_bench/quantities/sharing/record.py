r"""The sharing factor: how much of what is learned at one length serves at the others.

.. math:: \kappa = \frac{\sum_{n=2}^{L} N^*_n}{N^*_{2..L}},

where :math:`N^*_n` is needed to learn length n alone (``fixed``) and :math:`N^*_{2..L}` to learn all lengths at once
(``uniform``). Above 1, one mechanism serves all lengths; near 1, each length is learned by itself; below 1, the lengths
interfere.

Every N* is a whole number in an interval: above the largest size that failed, at most the smallest that succeeded. So
kappa lies in an interval too: from the sum of the parts' lower ends over the joint upper end, to the sum of their upper
ends over the joint lower end. Both ends are possible values. The N* of a censored search has no upper end. So kappa has
no upper end where a part is censored, and its lower end is 0 where the joint search is. A pool is *exhausted* where all
training sequences that exist failed; a saturated evaluation (:mod:`ib_bench.quantities.search.saturation`) may then
bound N* by the number of all sequences.

Kappa is not stored: it is derived from the searches, the saturated evaluations and the curves that it rests on.

Reference: arXiv 2602.18333, section 4; the intervals and the saturated evaluations are ours.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ib_bench import catalogue
from ib_bench.errors import require
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.search.record import SearchConfig, SearchRecord, bound_text
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.sharing.curves import FactorEstimate, FinishedCurves, SharingCurves
from ib_bench.quantities.sharing.factor import SharingFactor
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import MIN_LENGTH, DataSpec, Labels, Record, listing_order

JOINT, ALONE = "uniform", "fixed"
"""The length distributions of the search over all lengths and of those at one length."""


@dataclass(frozen=True)
class SharingSettings:
    """How kappa is measured.

    Args:
        saturate: where all training sequences that exist fail, train on all sequences and validate on the same. This
            tells whether N* is at most their number, or whether the step budget is missing.
        min_length: shortest length of the parts and of the joint search, in 2..max_length; ``data.min_length``, if that
            is larger. The paper's is 2.
        curves: also measure the success curves of all searches, and kappa from their N50.

    Raises:
        InvalidOptionError: a value outside its range.
    """

    saturate: bool = True
    min_length: int = MIN_LENGTH
    curves: bool = False

    def __post_init__(self) -> None:
        allowed = f"an integer of at least {MIN_LENGTH}"
        require(self.min_length >= MIN_LENGTH, "sharing.min_length", self.min_length, allowed)


@dataclass(frozen=True)
class Need:
    """N* of one search as an interval.

    Attributes:
        search: finished.
        saturation: the saturated evaluation that belongs to it, or None.

    Raises:
        ValueError: the search is not finished.
    """

    search: SearchRecord
    saturation: SaturationRecord | None = None

    def __post_init__(self) -> None:
        if not self.search.finished:
            raise ValueError("the sharing factor needs finished searches")

    @property
    def low(self) -> int:
        """N* is at least this, 1 or more."""
        return self.search.bracket[0] + 1

    @property
    def high(self) -> float:
        """N* is at most this; infinite where nothing bounds it."""
        if self.search.min_train_size is not None:
            return self.search.min_train_size
        return self.saturation.size if self.is_saturated and self.saturation is not None else math.inf

    @property
    def is_exhausted(self) -> bool:
        """Whether all training sequences that exist failed."""
        return self.search.is_pool_exhausted

    @property
    def is_saturated(self) -> bool:
        """Whether a saturated evaluation bounds N*."""
        return self.is_exhausted and self.saturation is not None and self.saturation.succeeded is True

    @property
    def lacks_budget(self) -> bool:
        """Whether the saturated evaluation failed too."""
        return self.is_exhausted and self.saturation is not None and self.saturation.succeeded is False

    def __str__(self) -> str:
        search = self.search
        if not self.is_exhausted:
            return search.verdict
        if self.is_saturated:
            return f"{_range_text(self.low, self.high)} (saturated)"
        bound = bound_text(search.max_size, is_all=True) if search.max_size else "none held out"
        return f"{bound} (budget missing)" if self.lacks_budget else bound


@dataclass(frozen=True)
class Sharing:
    """Kappa and what it rests on: searches, success curves, or both.

    Attributes:
        joint: the search over all lengths; None where there are curves alone.
        parts: the search at each length alone, from the shortest to L.
        saturations: the saturated evaluations of those of them that have one, by the key of the search.
        curves: the success curves of the same experiments, or None.

    Raises:
        ValueError: a search is not finished, or there are neither searches nor curves.
    """

    joint: SearchRecord | None
    parts: Mapping[int, SearchRecord] = field(default_factory=dict)
    saturations: Mapping[str, SaturationRecord] = field(default_factory=dict)
    curves: SharingCurves | None = None

    def __post_init__(self) -> None:
        if self.joint is None and self.curves is None:
            raise ValueError("kappa needs searches or curves")

    def __str__(self) -> str:
        return str(catalogue.quantity("sharing").drawing(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        """The view in a notebook."""
        shown: Json = catalogue.quantity("sharing").drawing(self)._repr_mimebundle_()
        return shown

    @property
    def measured(self) -> SearchRecord | CurveRecord:
        """The record over all lengths: the search if there is one, else the curve."""
        if self.joint is not None:
            return self.joint
        assert self.curves is not None
        return self.curves.joint

    @property
    def key(self) -> str:
        """Of the record over all lengths."""
        return self.measured.key

    @property
    def config(self) -> SearchConfig:
        """Of the search over all lengths, also where only its curve was measured."""
        config = self.measured.config
        return config if isinstance(config, SearchConfig) else SearchConfig(config.experiment, config.search)

    @property
    def labels(self) -> Labels:
        """Of the record over all lengths."""
        return self.measured.labels

    @property
    def num_states(self) -> int | None:
        """Number of the task's states."""
        return self.measured.num_states

    @cached_property
    def joint_need(self) -> Need | None:
        """N* at all lengths together; None without searches."""
        return None if self.joint is None else self._need(self.joint)

    @cached_property
    def needs(self) -> dict[int, Need]:
        """N* at each length alone."""
        return {length: self._need(part) for length, part in self.parts.items()}

    @cached_property
    def factor(self) -> SharingFactor | None:
        """Kappa of N*; None without searches."""
        return None if self.joint_need is None else sharing_factor(self.joint_need, self.needs.values())

    @property
    def estimate(self) -> FactorEstimate | None:
        """Kappa of N50; None without curves."""
        return None if self.curves is None else self.curves.estimate

    @property
    def low(self) -> float:
        """Kappa of N* is at least this, that of N50 where there are curves alone; 0 where nothing is known."""
        return self._known.low

    @property
    def high(self) -> float:
        """Kappa is at most this, likewise; infinite where nothing is known."""
        return self._known.high

    @property
    def _known(self) -> SharingFactor | FactorEstimate:
        found = self.factor or self.estimate
        assert found is not None
        return found

    @property
    def point(self) -> float | None:
        """Kappa as the paper computes it, of the smallest sizes that succeeded; None where a search is censored."""
        sizes = [part.min_train_size for part in self.parts.values()]
        if self.joint is None or self.joint.min_train_size is None or None in sizes:
            return None
        return sum(size for size in sizes if size is not None) / self.joint.min_train_size

    @property
    def exhausted(self) -> list[int]:
        """The lengths at which all training sequences that exist failed, or N50 lies above them without searches."""
        if self.joint is None and self.curves is not None:
            return [length for length, record in self.curves.parts.items() if record.is_pool_exhausted]
        return [length for length, need in self.needs.items() if need.is_exhausted]

    @property
    def unexhausted_factor(self) -> SharingFactor | None:
        """Kappa of N* over the lengths that are not exhausted; None where all are.

        The exhausted lengths are left out of the sum. The joint search has still learned them.
        """
        needs = [need for need in self.needs.values() if not need.is_exhausted]
        return sharing_factor(self.joint_need, needs) if needs and self.joint_need is not None else None

    @property
    def lengths(self) -> list[int]:
        """The lengths that were measured alone, ascending."""
        return list(self.parts or (self.curves.parts if self.curves is not None else ()))

    @property
    def min_length(self) -> int:
        """The shortest length."""
        return min(self.lengths)

    @property
    def sum_text(self) -> str:
        """The sum of N* at each length alone, for people."""
        low, high = (sum(getattr(need, end) for need in self.needs.values()) for end in ("low", "high"))
        return _range_text(low, high)

    def _need(self, search: SearchRecord) -> Need:
        return Need(search, self.saturations.get(search.key))


def _range_text(low: int, high: float) -> str:
    if math.isinf(high):
        return f"\N{GREATER-THAN OR EQUAL TO} {low:,}"
    return f"{low:,}" if low == high else f"{low:,} to {high:,.0f}"


def sharing_factor(joint: Need, parts: Collection[Need]) -> SharingFactor:
    """Kappa.

    Args:
        joint: N* at all lengths together.
        parts: N* at each length alone.
    """
    low, high = sum(part.low for part in parts), sum(part.high for part in parts)
    return SharingFactor(low / joint.high, high / joint.low)


def sharings(
    searches: Iterable[SearchRecord],
    saturations: Iterable[SaturationRecord] = (),
    curves: Iterable[CurveRecord] = (),
) -> list[Sharing]:
    """Every kappa for which all searches, or all curves, are there.

    Args:
        searches: finished or not.
        saturations: saturated evaluations.
        curves: finished or not.

    Returns:
        Sorted by model, task, supervision and L.
    """
    finished = {record.key: record for record in searches if record.finished}
    evaluated = {record.search_key: record for record in saturations if record.succeeded is not None}
    measured = FinishedCurves(curves)
    part_keys: dict[tuple[str, int], str] = {}  # joint searches up to several L have parts in common
    found = []
    for joint in finished.values():
        num_parts = (joint.labels.max_length or 0) - min_length_of(joint.config.experiment.data) + 1
        if joint.labels.length_distribution == JOINT and num_parts < len(finished):
            configs = part_configs(joint.config)
            kind = _alone(joint.config, 0).key
            for length, part in configs.items():
                if (kind, length) not in part_keys:
                    part_keys[kind, length] = part.key
            keys = {length: part_keys[kind, length] for length in configs}
            if keys and all(key in finished for key in keys.values()):
                own = {key: evaluated[key] for key in (joint.key, *keys.values()) if key in evaluated}
                parts = {length: finished[key] for length, key in keys.items()}
                found.append(Sharing(joint, parts, own, measured.of(joint.config, configs)))
    searched = {one.config.key for one in found}
    for config in measured.searches:
        if config.key not in searched and config.experiment.labels.length_distribution == JOINT:
            own_curves = measured.of(config, part_configs(config))
            if own_curves is not None and own_curves.parts:
                found.append(Sharing(None, curves=own_curves))
    return sorted(found, key=lambda one: (listing_order(one.labels), one.key))


def sharings_in(records: Records) -> list[Sharing]:
    """Every kappa of a store; see :func:`sharings`.

    Args:
        records: of one store.
    """
    return sharings(records.of(SearchRecord), records.of(SaturationRecord), records.of(CurveRecord))


def sharing_of(records: Sequence[Record]) -> Sharing:
    """Kappa of one experiment.

    Args:
        records: the search over all lengths first, then those at each length, saturated evaluations and curves.
    """
    searches = [record for record in records if isinstance(record, SearchRecord)]
    saturations = [record for record in records if isinstance(record, SaturationRecord)]
    curves = [record for record in records if isinstance(record, CurveRecord)]
    (found,) = (one for one in sharings(searches, saturations, curves) if one.key == searches[0].key)
    return found


def part_configs(joint: SearchConfig) -> dict[int, SearchConfig]:
    """The search at each length alone, up to L, that differs from the joint one in nothing else.

    Args:
        joint: of the search over all lengths.
    """
    data = joint.experiment.data
    lengths = range(min_length_of(data), (data.presentation.max_length or 0) + 1)
    return {length: _alone(joint, length) for length in lengths}


def min_length_of(data: DataSpec) -> int:
    """Number of symbols in the shortest sequences of some data."""
    return data.presentation.min_length or MIN_LENGTH


def _alone(joint: SearchConfig, length: int) -> SearchConfig:
    """Where there is one length, the shortest one says nothing: all kappas share the search."""
    data = joint.experiment.data
    arguments = {**data.init_args, "length_distribution": ALONE, "max_length": length}
    arguments.pop("min_length", None)
    alone = replace(joint.experiment, data=DataSpec(data.class_path, arguments))
    return replace(joint, experiment=alone)
