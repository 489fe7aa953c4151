"""Records of several stores and archives in one: what they hold alike is kept once, what they contradict is shown.

Two records with one key are the same result where all is equal that the config determines, up to rounding, in which
machines differ; when, where and under which versions it was measured, and how long that took, is not determined.
Metrics of trials are compared only where both records carry the same version of the metrics' definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, DamagedStoreError, StoreError
from ib_bench.results.archive import is_archive, read_archive
from ib_bench.results.record_store import Record
from ib_bench.results.records import Experiment, SearchRecord, TrialRecord, task_text
from ib_bench.results.salvage import Salvaged, salvaged_records
from ib_bench.results.store import READERS, Store

OnProgress = Callable[[int], None]
"""Is told how many records have been read."""

_BATCH = 500  # records in one transaction
_ROUNDING = 1e-3  # relative: training carries differences in last bits on
_UNDETERMINED = {"wall_time_s", "process_time_s", "versions", "environment", "finished_at", "updated_at"}
_METRICS = {"metrics", "metric_definition"}
_TOLD = ("status", "best_val_loss", "num_steps", "verdict", "bracket", "trial_succeeded")
"""Of which the values are told where they differ; of other fields the name must do."""


@dataclass(frozen=True)
class Conflict:
    """Two results under one key.

    Attributes:
        key: of both.
        label: what was measured.
        source: the store or archive that holds the one that is not kept.
        differences: what differs: a name, with the value that is kept and the one that is not.
    """

    key: str
    label: str
    source: str
    differences: list[str]


@dataclass
class Merge:
    """What has come of a merge.

    Attributes:
        num_added: records that are new, or newer states of searches.
        num_same: records that were there already, those included that differ by rounding.
        num_rounded: those that differ by rounding.
        conflicts: results that contradict those that were there already.
        lost: for each damaged source, keys of records that are known to be lost, and that no other source has.
    """

    num_added: int = 0
    num_same: int = 0
    num_rounded: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    lost: dict[str, set[str]] = field(default_factory=dict)


def merge(out: Path, sources: Sequence[Path], on_progress: OnProgress) -> Merge:
    """Add the records of stores and archives to a store, which is made if it is missing.

    Args:
        out: the store.
        sources: stores of any version that can be read, damaged ones too, and archives.
        on_progress: is told how far it is.

    Raises:
        BenchError: a source is missing, holds no records or is ``out`` itself, or ``out`` is an archive; then nothing
            is written.
        StoreError: ``out`` cannot be used.
    """
    if out.name.endswith(".jsonl.gz") or (out.is_file() and is_archive(out)):
        raise BenchError(f"{str(out)!r} is an archive, which nothing is added to; name a store to merge into")
    for source in sources:
        if not source.exists():
            raise StoreError(
                f"{str(source)!r} does not exist; name stores, or archives made by `ib-bench store export`"
            )
        if out.exists() and source.samefile(out):
            raise BenchError(f"{str(source)!r} is what is merged into; name the others")
    merged = Merge()
    opened = [_opened(source, merged) for source in sources]
    with Store(out) as store:
        num_read = 0
        for source, records in zip(sources, opened, strict=True):
            added: set[str] = set()
            same: set[str] = set()
            while batch := list(islice(records, _BATCH)):
                store.add_all(_news(store, batch, str(source), merged, added, same))
                num_read += len(batch)
                on_progress(num_read)
            merged.num_added += len(added)
            merged.num_same += len(same - added)
        lost = {source: {key for key in keys if not store.holds(key)} for source, keys in merged.lost.items()}
        merged.lost = {source: keys for source, keys in lost.items() if keys}
    return merged


def _opened(source: Path, merged: Merge) -> Iterator[Record]:
    """A source's records; the first is read at once: what is no source is refused before anything is written."""
    records = _records(source, merged)
    first = next(records, None)
    return iter(()) if first is None else chain([first], records)


def _records(source: Path, merged: Merge) -> Iterator[Record]:
    if is_archive(source):
        archive = read_archive(source)
        yield from chain(archive.trials, archive.searches, archive.extrapolations)
        return
    damaged: set[str] = set()
    seen: set[str] = set()
    try:
        with Store(source, create=False) as store:
            for key, record in chain.from_iterable(map(store.entries, READERS)):
                if record is None:
                    damaged.add(key)
                else:
                    seen.add(key)
                    yield record
    except DamagedStoreError as error:
        salvaged = Salvaged(keys=set(seen))
        yield from (record for record in salvaged_records(source, salvaged) if record.key not in seen)
        if not salvaged.keys:
            raise StoreError(f"{str(source)!r} is no store, and holds no records that could be salvaged") from error
        damaged, seen = damaged | salvaged.traces, salvaged.keys
    if damaged - seen:
        merged.lost[str(source)] = damaged - seen


def _news(
    store: Store, records: Sequence[Record], source: str, merged: Merge, added: set[str], same: set[str]
) -> list[Record]:
    """Those records that are to be kept; of the others is noted whether they are the same."""
    news: dict[str, Record] = {}
    for record in records:
        old = news.get(record.key) or store.stored(record)
        if old is None or _is_newer(record, old):
            news[record.key] = record
            added.add(record.key)
        elif differences := _differences(old, record):
            merged.conflicts.append(Conflict(record.key, _label(record), source, differences))
        else:
            same.add(record.key)
            merged.num_rounded += _results(old, record) != _results(record, old)
    return list(news.values())


def _is_newer(record: Record, old: Record) -> bool:
    """Whether it is a later state of a search that is not finished yet."""
    if not (isinstance(record, SearchRecord) and isinstance(old, SearchRecord)) or old.status == "finished":
        return False
    return record.status == "finished" or len(record.evaluations) > len(old.evaluations)


def _differences(old: Record, new: Record) -> list[str]:
    if isinstance(new, SearchRecord) and new.status != "finished":
        return []
    mine, other = _results(old, new), _results(new, old)
    names = [name for name in other if not _is_close(mine[name], other[name])]
    told = {name: (getattr(old, name), getattr(new, name)) for name in _TOLD if hasattr(new, name)}
    texts = [f"{name} {one}, not {two}" for name, (one, two) in told.items() if not _is_close(one, two)]
    return texts or names


def _results(record: Record, other: Record) -> dict[str, Any]:
    """What the config determines, as plain data, as far as it can be compared with another record."""
    definitions = [getattr(one, "metric_definition", None) for one in (record, other)]
    left_out = _UNDETERMINED if definitions[0] == definitions[1] else _UNDETERMINED | _METRICS
    return {name: value for name, value in asdict(record).items() if name not in left_out}


def _is_close(one: Any, other: Any) -> bool:
    """Whether two values of plain data are equal, floating-point numbers up to rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_ROUNDING)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_close(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_close, one, other))
    return bool(one == other)


def _label(record: Record) -> str:
    labels = Experiment(**record.config["experiment"]).labels() if isinstance(record, TrialRecord) else record.labels
    parts = [labels["model"], task_text(labels), labels["supervision"], labels["length_distribution"]]
    parts = [*(part for part in parts if part), f"L={labels['max_length']}"]
    if isinstance(record, TrialRecord):
        config = record.config
        parts += [f"N={config['num_train_sequences']:,}", f"rate {config['learning_rate']:g}", f"seed {config['seed']}"]
    return " · ".join(parts)
