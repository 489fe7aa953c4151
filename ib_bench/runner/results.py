"""Results for a Python session: lists that become data frames and draw themselves, and stores that are read into them.

What a list holds, its columns and how it looks are those of ``ib-bench results`` and ``ib-bench trials``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ib_bench import catalogue
from ib_bench.drawing.columns import Column, Table, flat_table, listing
from ib_bench.drawing.notebook import Drawing
from ib_bench.drawing.study import study_of
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.errors import BenchError, UnknownNameError
from ib_bench.plain_text import number_of
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.quantity import Quantity
from ib_bench.quantities.search.futility import futility_notes
from ib_bench.results.archive import Records, is_archive, read_archive, stored_records
from ib_bench.results.identity import Json
from ib_bench.results.reference import reference_records
from ib_bench.runner.places import with_home

if TYPE_CHECKING:
    import pandas as pd

TRIALS = "trials"
"""The kind that is no quantity."""

REFERENCE = "reference"
"""Stands for the results that ship with the package."""


@dataclass(frozen=True)
class ResultList(Sequence[Any]):
    """Results of one kind.

    Attributes:
        rows: records, or what is derived from records.
        columns: of the data frame, as of ``ib-bench results --kind ... --format csv``.
        draw: returns what a notebook shows.
        name: what they are and where they are from.
    """

    rows: Collection[Any]
    columns: Sequence[Column[Any]] = field(repr=False)
    draw: Callable[[], Drawing] = field(repr=False)
    name: str

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._listed[index]

    @cached_property
    def _listed(self) -> list[Any]:
        """The rows as a list, made once: the trials of a store are read from it each time they are iterated."""
        return self.rows if isinstance(self.rows, list) else list(self.rows)

    def __repr__(self) -> str:
        return number_of(len(self), self.name)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        return self.draw()._repr_mimebundle_()

    def table(self) -> Table:
        """Values by column, as CSV has them; without rows, the columns that a row is made from."""
        return flat_table(self.rows, self.columns) or {column.name: [] for column in self.columns}

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with a row for each result.

        A dictionary has a column for each of its entries, such as ``task_args.modulus``; lists are left out. Without
        results, the frame has all columns, with one for each dictionary, and no rows.

        Raises:
            BenchError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 (an extra)
        except ImportError as error:
            raise BenchError("to_pandas needs pandas: pip install 'ib_bench[pandas]'") from error
        return pd.DataFrame(self.table())


@dataclass(frozen=True)
class Results(Mapping[str, ResultList]):
    """Results of all kinds, by the name of the kind: ``search``, ``curve``, ..., ``trials``.

    Attributes:
        kinds: the results of each kind.
        name: where they are from.
        draw: returns what a notebook shows; None shows how many there are of each kind.
        failures: for each job of a suite that has failed, its label and the error.
    """

    kinds: Mapping[str, ResultList]
    name: str
    draw: Callable[[], Drawing] | None = None
    failures: Sequence[tuple[str, Exception]] = ()

    def __getitem__(self, kind: str) -> ResultList:
        if kind not in self.kinds:
            raise UnknownNameError("kind of result", kind, self.kinds)
        return self.kinds[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self.kinds

    def __len__(self) -> int:
        return len(self.kinds)

    def __iter__(self) -> Iterator[str]:
        return iter(self.kinds)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(found):,} {kind}" for kind, found in self.kinds.items() if found) or "nothing"
        failed = f", {len(self.failures):,} failed" if self.failures else ""
        return f"{self.name}: {counts}{failed}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        return {"text/plain": repr(self)} if self.draw is None else self.draw()._repr_mimebundle_()


def read(path: str | Path) -> Results:
    """The results that a store, or an archive of ``ib-bench store export``, holds.

    Args:
        path: of the file; ``reference`` stands for the results that ship with the package.

    Returns:
        A mapping from each kind of result (``search``, ``sharing``, ``extrapolate``, ``curve``, ``growth``, those of
        your own quantities, and ``trials``) to a list, which has ``to_pandas()``.

    Raises:
        BenchError: there is no such file, or it is neither a store nor an archive.

    Example:
        >>> import ib_bench
        >>> results = ib_bench.read("reference")
        >>> results["search"][0].labels.length_distribution in ("fixed", "uniform", "short_to_long")
        True
        >>> frame = results["search"].to_pandas()
        >>> sorted(frame.model.unique())
        ['DenseSSM', 'LSTM', 'Transformer']
    """
    return results_of(records_at(path), str(path))


def records_at(path: str | Path) -> Records:
    """The records of a store, an archive or the reference results, from which a report can be made.

    Args:
        path: as of :func:`read`.

    Raises:
        BenchError: as :func:`read`.
    """
    if str(path) == REFERENCE and not Path(path).exists():
        return reference_records()
    file = Path(with_home("path", str(path)))
    return read_archive(file) if is_archive(file) else stored_records(file)


def results_of(records: Records, name: str) -> Results:
    """Everything that records hold.

    Args:
        records: of all kinds.
        name: of what they are from.
    """
    kinds = {
        quantity.name: quantity_list(quantity, all_results(quantity, records), records, name)
        for quantity in catalogue.quantities()
    }
    return Results({**kinds, TRIALS: _trial_list(records, name)}, name)


def all_results(quantity: Quantity[Any], records: Records) -> Collection[Any]:
    """Stored records, unfinished ones too, or derived results."""
    return quantity.results(records) if quantity.record is None else records.of(quantity.record)


def quantity_list(quantity: Quantity[Any], rows: Collection[Any], records: Records, name: str) -> ResultList:
    """Results of one quantity.

    Args:
        quantity: that was measured.
        rows: the results.
        records: that they rest on.
        name: of what they are from.
    """
    what = f"{quantity.title if quantity.record is None else quantity.record.table} in {name}"

    def draw() -> Drawing:
        found = list(rows)
        table = quantity.listing(found, number_of(len(found), what), futility_notes(found))
        study = study_of({name: records}, [(name, one) for one in found], num_states)
        figure = quantity.figure(study, name) if found else None
        return Drawing([table], [] if figure is None else [figure])

    return ResultList(rows, quantity.columns, draw, what)


def _trial_list(records: Records, name: str) -> ResultList:
    trials = records.trials

    def draw() -> Drawing:
        return Drawing([listing(list(trials), TRIAL_COLUMNS, number_of(len(trials), f"{TRIALS} in {name}"))])

    return ResultList(trials, TRIAL_COLUMNS, draw, f"{TRIALS} in {name}")
