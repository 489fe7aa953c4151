"""Published results next to the measured ones, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ib_bench.drawing.tables import Entry, StudyTable, by_source
from ib_bench.results.identity import Json
from ib_bench.studies.published import GENERALISES, MIN_MULTIPLE, Replication

_NOTE = (
    "scaled accuracy: chance is 0. A model generalises from "
    f"{GENERALISES:g} on, at the longest length measured, of at least {MIN_MULTIPLE:g} training lengths L. "
    "budget missing: the model does not solve its training lengths, which says nothing against the paper"
)


def published_table(replications: Mapping[str, Iterable[Replication]]) -> StudyTable:
    """A row for each published result.

    Args:
        replications: for each source.
    """
    columns, body = by_source(
        ["published in", "model", "task", "published", "measured", "at", "solves L", "outcome"],
        {source: map(_row, found) for source, found in replications.items()},
    )
    return StudyTable("published", "Published results", _NOTE, columns, len(columns) - 4, body)


def replication_json(one: Replication) -> Json:
    """The comparison as plain data."""
    published, accuracy = one.published, one.accuracy
    return {
        **vars(published),
        "scaled": published.scaled,
        "measured": None if accuracy is None else accuracy.normalized_final_state_accuracy,
        "length": None if accuracy is None else accuracy.length,
        "max_length": None if one.record is None else one.record.max_length,
        "solves_training_lengths": None if one.record is None else one.solves,
        "record": None if one.record is None else one.record.key,
        "outcome": one.outcome,
    }


def _row(one: Replication) -> list[Entry]:
    published, accuracy, record = one.published, one.accuracy, one.record
    texts = [Entry(text, text) for text in (published.source, published.model_text, published.task_text)]
    measured = place = solves = Entry("", "")
    if accuracy is not None and record is not None:
        value = accuracy.normalized_final_state_accuracy
        measured = Entry(f"{value:.2f}", value, record.key)
        place = Entry(f"{accuracy.length} (L = {record.max_length})", accuracy.length)
        solves = Entry("yes" if one.solves else "no", int(one.solves))
    return [
        *texts,
        Entry(f"{published.scaled:.2f}", published.scaled),
        measured,
        place,
        solves,
        Entry(one.outcome, one.outcome),
    ]
