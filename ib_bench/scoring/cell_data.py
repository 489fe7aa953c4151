"""The data of a protocol's cell, built from classes of this package: the true number of sequences and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import NothingHeldOutError
from ib_bench.quantities.curve.record import MAX_COUNTED
from ib_bench.quantities.extrapolation.length_evaluation import evaluation_set
from ib_bench.quantities.extrapolation.record import Mode
from ib_bench.quantities.search.saturation_job import num_sequences
from ib_bench.results.records import DataSpec
from ib_bench.scoring.plain_data import texts_in
from ib_bench.scoring.protocol import ProtocolCell, data_path
from ib_bench.training.instantiation import instantiate_data

_SHIPPED = "ib_bench.data."


@dataclass(frozen=True)
class CellData:
    """What is known of a cell's data without believing a record.

    Attributes:
        spec: of the data.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by.
        num_states: number of the task's states; None if none can be held out.
        num_answers: number of different answers; None likewise.
        max_length: number of symbols in the longest sequences; None likewise.
        modes: in which accuracies are measured at each length, in order.
    """

    spec: DataSpec
    pool_size: int
    num_states: int | None = None
    num_answers: int | None = None
    max_length: int | None = None
    modes: tuple[Mode, ...] = ()

    @property
    def num_sequences(self) -> int | None:
        """Number of all sequences that exist, held-out ones included; None if they cannot all be trained on."""
        return num_sequences(self.spec)

    def num_evaluated(self, lengths: Iterable[int], num: int, size: int, seed: int) -> dict[int, int]:
        """Number of sequences on which accuracy is measured, by their length.

        Args:
            lengths: in symbols.
            num: of sequences that are asked for.
            size: of the training set.
            seed: of the trial's data.
        """
        data = instantiate_data(self.spec, num_train_sequences=size, seed=seed)
        assert isinstance(data, StateTrackingData)
        return {length: len(evaluation_set(data, length, num).lengths) for length in lengths}


def cell_data(cell: ProtocolCell) -> CellData | None:
    """The data of a cell; None for data that name code or files from outside this package, which are never built.

    Args:
        cell: of a protocol.
    """
    given = {name: value for name, value in cell.data.init_args.items() if value is not None}
    spec = DataSpec(data_path(cell.data), given)
    is_shipped = spec.class_path.startswith(_SHIPPED) and "." not in spec.class_path.removeprefix(_SHIPPED)
    return _built(spec) if is_shipped and all(map(_is_name, texts_in(given, with_names=True))) else None


@lru_cache(maxsize=256)
def _built(spec: DataSpec) -> CellData | None:
    try:
        data = instantiate_data(spec)
    except NothingHeldOutError:
        return CellData(spec, 0)
    if not isinstance(data, StateTrackingData):
        return None
    modes: tuple[Mode, ...] = ("teacher_forced", "generated") if data.supervision.writes_states else ("teacher_forced",)
    numbers = min(data.max_train_sequences, MAX_COUNTED), data.task.num_states, data.num_classes, data.max_length
    return CellData(spec, *numbers, modes)


def _is_name(text: str) -> bool:
    """Whether a text names neither a class by its dotted path nor a file."""
    return not set(text) & set("./\\:")
