"""N* as columns and as a table: Table 1 of arXiv 2602.18333."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ib_bench.drawing.columns import CHOICES, LABELS, Column
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.tables import Entry, StudyTable, pivot
from ib_bench.drawing.texts import duration
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.identity import canonical

_ALONE, _JOINT = "fixed", "uniform"
"""The length distributions of a search at one length, and of one over all lengths."""


def bracket_text(bracket: Sequence[int | None]) -> str:
    """(Largest size that failed, smallest that succeeded], for people."""
    failing, succeeding = bracket
    upper = "\N{INFINITY}" if succeeding is None else f"{succeeding:,}"
    return f"({failing:,}, {upper}]"


COLUMNS: tuple[Column[SearchRecord], ...] = (
    *LABELS,
    Column("num_states", lambda record: record.num_states, is_label=True),
    Column("status", lambda record: record.status),
    Column(
        "min_train_size",
        lambda record: record.min_train_size,
        "N*",
        texts=lambda records: [record.verdict for record in records],
        style="bold",
    ),
    # A bound has a column of its own, so that a chart of N* never takes it for a number.
    Column("min_train_size_is_above", lambda record: record.max_size if record.censored else None),
    Column("bracket", lambda record: list(record.bracket), "bracket", bracket_text),
    Column("largest_failing", lambda record: record.bracket[0]),
    Column("smallest_succeeding", lambda record: record.bracket[1]),
    Column("censored", lambda record: record.censored),
    Column("max_size", lambda record: record.max_size),
    Column("pool_exhausted", lambda record: record.is_pool_exhausted),
    Column("num_evaluations", lambda record: len(record.evaluations)),
    Column("num_trials", lambda record: record.num_trials, "trials"),
    Column("wall_time_s", lambda record: record.wall_time_s, "time", duration),
    Column("updated_at", lambda record: record.updated_at),
    Column("error", lambda record: record.error),
    *CHOICES,
    Column("search", lambda record: canonical(record.config.settings), is_label=True),
)
"""Everything about a search, in order."""

BRACKET_NOTE = "N* lies in (largest size that failed, smallest that succeeded]"


def min_train_size_table(shown: Iterable[Shown[SearchRecord]]) -> StudyTable:
    """N* per architecture, regime, distribution, task and L; searches that are only parts of a kappa are left out."""
    note = (
        "N*: training sequences needed; > N: more than the largest size tried, or than all that exist. Lengths: of the "
        "training set."
    )
    finished = [one for one in shown if one.result.finished]
    return pivot("min_train_size", "Minimal training set size N*", note, without_parts(finished), _entry)


def drawn_size(record: SearchRecord) -> int | None:
    """N*, or the size that it is above; None where nothing was found, or could be tried."""
    return record.max_size or None if record.censored else record.min_train_size


def without_parts(shown: Iterable[Shown[SearchRecord]]) -> list[Shown[SearchRecord]]:
    """Searches, without those at one length that are only there as parts of a kappa.

    That is, fixed lengths below the L of a search over all lengths, unless another distribution has that L too.
    """
    shown = list(shown)
    experiments = {id(one): _experiment(one) for one in shown}
    longest: dict[tuple[str, str], int] = {}
    others = set()
    for one in shown:
        length, experiment = one.label.max_length or 0, experiments[id(one)]
        if one.label.lengths != _ALONE:
            others.add((experiment, length))
        if one.label.lengths == _JOINT:
            longest[experiment] = max(length, longest.get(experiment, 0))

    def is_only_a_part(one: Shown[SearchRecord]) -> bool:
        length, experiment = one.label.max_length or 0, experiments[id(one)]
        is_shorter = one.label.lengths == _ALONE and length < longest.get(experiment, 0)
        return is_shorter and (experiment, length) not in others

    return [one for one in shown if not is_only_a_part(one)]


def _experiment(one: Shown[SearchRecord]) -> tuple[str, str]:
    """What a search shares with those at other lengths."""
    config = one.result.config
    experiment = config.experiment.with_data(length_distribution=None, max_length=None, min_length=None)
    return one.label.source, replace(config, experiment=experiment).key


def _entry(record: SearchRecord) -> Entry:
    return Entry(record.verdict, drawn_size(record) or 0, record.key, record.censored)
