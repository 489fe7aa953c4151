"""Cells: all measurements of one experiment under one protocol, of all seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json, canonical
from ib_bench.results.records import Experiment, Labels

Measure = Literal["N50", "N*"]

_OF_TRIALS = ("learning_rates", "threshold", "max_steps", "max_size", "val_check_interval", "futility")
_OF_COMPUTING = ("vectorize", "compile", "num_threads", "start")
"""Settings that say how trials are computed. Architectures that differ in them are still compared."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One experiment under one protocol.

    Attributes:
        experiment: what was trained on what.
        protocol: what a trial is: budget, threshold, learning rates, largest size, and what the trials of a curve
            share (``hold``) if they do.
        curve: the success curve with the most trials; None if there is none.
        searches: for each way to search, as JSON, the searches that differ in nothing but their seeds, none of which
            they share.
    """

    experiment: Experiment
    protocol: Json
    curve: CurveRecord | None
    searches: Mapping[str, Sequence[SearchRecord]]

    @property
    def labels(self) -> Labels:
        """The labels of the experiment."""
        return self.experiment.labels

    @cached_property
    def num_states(self) -> int | None:
        """Number of the task's states; None where no record says."""
        return num_states(self.record)

    @property
    def is_held(self) -> bool:
        """Whether its trials share data or weights, so that its N50 is that of one draw."""
        return "hold" in self.protocol

    @property
    def record(self) -> CurveRecord | SearchRecord:
        """One of its records: the curve, or the first search."""
        return self.curve or next(iter(self.searches.values()))[0]

    @property
    def keys(self) -> list[str]:
        """The keys of all its records."""
        curves = [] if self.curve is None else [self.curve.key]
        return [*curves, *(search.key for own in self.searches.values() for search in own)]

    def setting(self, changes: Mapping[str, object] | None = None, of_model: bool = True) -> str:
        """Everything that determines the cell, with some of it changed.

        Args:
            changes: init arguments of the data.
            of_model: whether the model and its learning rates count; each architecture may have its own.
        """
        experiment, protocol = self.experiment, dict(self.protocol)
        if not of_model:
            del protocol["learning_rates"]
        data = {**experiment.data.init_args, **(changes or {})}
        rest = [experiment.data.class_path, data, experiment.trainer, experiment.source_digests, protocol]
        return json.dumps([canonical(experiment.model) if of_model else None, *rest], sort_keys=True)


def cells(records: Records) -> list[Cell]:
    """All cells of which something finished, in the order of the records.

    Args:
        records: of one store.
    """
    curves: dict[str, Cell] = {}
    searched: dict[str, list[SearchRecord]] = {}
    found: dict[str, Cell] = {}
    for curve in records.finished(CurveRecord):
        held = {} if curve.config.settings.hold is None else {"hold": curve.config.settings.hold}
        cell = Cell(curve.config.experiment, {**trial_protocol(curve.config.search), **held}, curve, {})
        rival = curves.get(cell.setting())
        if rival is None or _rank(curve) > _rank(rival.record):
            curves[cell.setting()] = cell
    for search in records.finished(SearchRecord):
        cell = Cell(search.config.experiment, trial_protocol(search.config.settings), None, {"": [search]})
        found.setdefault(cell.setting(), cell)
        searched.setdefault(cell.setting(), []).append(search)
    for setting, cell in {**found, **curves}.items():
        found[setting] = Cell(cell.experiment, cell.protocol, cell.curve, _by_protocol(searched.get(setting, [])))
    return list(found.values())


def trial_protocol(settings: SearchSettings) -> Json:
    """The definition of a trial, and the largest size.

    Args:
        settings: of a search, or of the trials of a curve.
    """
    return {name: getattr(settings, name) for name in _OF_TRIALS}


def search_protocol(settings: SearchSettings) -> str:
    """The rules of the search and of a trial, as JSON: all settings but the grid, of which only the size counts.

    N* is the luck of the best of so many configurations, so that grids of two sizes measure two quantities.
    """
    left_out = {"seeds", *_OF_TRIALS, *_OF_COMPUTING}
    rest = {name: value for name, value in canonical(settings).items() if name not in left_out}
    return json.dumps({**rest, "num_configurations": len(settings.grid())}, sort_keys=True)


def _rank(record: object) -> tuple[int, str]:
    """Sorts the curves of one cell; the best is last."""
    assert isinstance(record, CurveRecord)
    return len(record.curve_trials), record.key


def _by_protocol(searches: Iterable[SearchRecord]) -> dict[str, list[SearchRecord]]:
    """Searches of one cell by how they search; of those that share a seed, the first counts."""
    found: dict[str, list[SearchRecord]] = {}
    for search in sorted(searches, key=lambda search: (search.config.settings.seeds, search.key)):
        repeats = found.setdefault(search_protocol(search.config.settings), [])
        taken = {seed for repeat in repeats for seed in repeat.config.settings.seeds}
        if not taken & set(search.config.settings.seeds):
            repeats.append(search)
    return dict(sorted(found.items()))
