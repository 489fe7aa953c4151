"""Records as one flat table, for spreadsheets and data frames: a row for each record, or for each accuracy at a length.

Nested values have columns of their own, such as ``metrics.loss``; curves and lists are left to archives, which hold
everything.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError
from ib_bench.results.records import Experiment, ExtrapolationRecord, Json, SearchRecord, TrialRecord
from ib_bench.results.store import Store

Columns = dict[str, list[Any]]
"""Values by column; None where a record has no such value."""


def trial_columns(store: Store) -> Columns:
    """A row for each trial: what was trained, how it ended, and where."""
    return _columns(_flat(_trial_row(record)) for record in store.trials())


def search_columns(store: Store) -> Columns:
    """A row for each search."""
    return _columns(_flat(_search_row(record)) for record in store.searches())


def extrapolation_columns(store: Store) -> Columns:
    """A row for each accuracy at a length."""
    return _columns(_flat(row) for record in store.extrapolations() for row in _extrapolation_rows(record))


KINDS: dict[str, Callable[[Store], Columns]] = {
    "trials": trial_columns,
    "searches": search_columns,
    "extrapolations": extrapolation_columns,
}
"""What there is, by name."""


def write_csv(columns: Columns, path: Path) -> None:
    """Write columns as CSV with a header; None is empty.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_parquet(columns: Columns, path: Path) -> None:
    """Write columns as Parquet; one whose values are of several types becomes text.

    Raises:
        BenchError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    try:
        import pyarrow  # noqa: PLC0415 (an extra)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise BenchError("a .parquet file needs pyarrow: pip install 'ib_bench[parquet]'") from error
    table = pyarrow.table({name: _of_one_type(values) for name, values in columns.items()})
    pyarrow.parquet.write_table(table, path)


def _of_one_type(values: list[Any]) -> list[Any]:
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1:
        return values
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]


def _trial_row(record: TrialRecord) -> Json:
    config = {name: value for name, value in record.config.items() if name != "experiment"}
    experiment = Experiment(**record.config["experiment"])
    rest = {name: value for name, value in vars(record).items() if name not in ("key", "config")}
    return {"key": record.key, **_told(experiment, experiment.labels()), **config, **rest}


def _search_row(record: SearchRecord) -> Json:
    lower, upper = record.bracket
    told = {name: value for name, value in record.summary().items() if name != "bracket"}
    settings = {"search": record.config["settings"]}
    experiment = Experiment(**record.config["experiment"])
    return {**told, "largest_failing": lower, "smallest_succeeding": upper, **_told(experiment, {}), **settings}


def _extrapolation_rows(record: ExtrapolationRecord) -> Iterator[Json]:
    experiment = Experiment(**record.config["experiment"])
    rest = {name: getattr(record, name) for name in ("num_train_sequences", "trial", "trial_succeeded", "finished_at")}
    for accuracy in record.accuracies:
        yield {"key": record.key, **_told(experiment, record.labels), **rest, **vars(accuracy)}


def _told(experiment: Experiment, labels: Json) -> Json:
    return {**labels, "model_args": experiment.model.get("init_args", {}), "trainer": experiment.trainer}


def _flat(row: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        elif not isinstance(value, (list, tuple)):
            flat[f"{prefix}{name}"] = value
    return flat


def _columns(rows: Iterable[Json]) -> Columns:
    columns: Columns = {}
    for num_rows, row in enumerate(rows):
        for name in row:
            columns.setdefault(name, [None] * num_rows)
        for name, values in columns.items():
            values.append(row.get(name))
    return columns
