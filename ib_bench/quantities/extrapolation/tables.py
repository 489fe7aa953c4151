"""Length extrapolation as columns and as a table: Table 2 of arXiv 2602.18333."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rich.console import Group

from ib_bench.drawing.columns import CHOICES, LABELS, Column, listing
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.tables import Entry, StudyTable, pivot
from ib_bench.quantities.extrapolation.record import HEADLINE_MULTIPLE, ExtrapolationRecord, LengthAccuracy
from ib_bench.quantities.search.record import size_text
from ib_bench.results.identity import canonical
from ib_bench.results.records import experiment_text

COLUMNS: tuple[Column[ExtrapolationRecord], ...] = (
    *LABELS,
    Column("num_states", lambda record: record.num_states, is_label=True),
    Column("num_train_sequences", lambda record: record.num_train_sequences, "N", texts=lambda rows: _sizes(rows)),
    Column("trained_on_all", lambda record: record.trained_on_all),
    Column("trial", lambda record: record.trial),
    Column("trial_succeeded", lambda record: record.trial_succeeded),
    Column("accuracy_at_2x", lambda record: record.headline_accuracy, "accuracy at 2 L", style="bold"),
    Column("finished_at", lambda record: record.finished_at),
    *CHOICES,
    Column("search", lambda record: canonical(record.config.search), is_label=True),
    Column("extrapolation", lambda record: canonical(record.config.settings), is_label=True),
)
"""Everything about an extrapolation, in order."""

ACCURACY_NOTE = "0 is guessing, 1 is perfect; 2x is the headline"


@dataclass(frozen=True)
class Measured:
    """An accuracy at one length, with the record that it is from.

    Attributes:
        record: of the extrapolation.
        accuracy: one of the record's.
    """

    record: ExtrapolationRecord
    accuracy: LengthAccuracy

    @property
    def multiple(self) -> float:
        """The length as a multiple of L, the one that was asked for if it led to this length."""
        return nominal_multiples(self.record).get(self.accuracy.length, self.accuracy.length / self.record.max_length)

    @property
    def states_read(self) -> str:
        """The states that the model reads: none, the true ones or its own."""
        if self.accuracy.mode == "generated":
            return "its own"
        return "true" if any(one.mode == "generated" for one in self.record.accuracies) else "none"


def _of_record(column: Column[ExtrapolationRecord]) -> Column[Measured]:
    """A column of the record; on terminals only labels are shown of it."""
    own: Column[Measured] = column.of(lambda one: one.record)
    return own if column.is_label else replace(own, title=None)


LENGTH_COLUMNS: tuple[Column[Measured], ...] = (
    *map(_of_record, COLUMNS),
    Column("length", lambda one: one.accuracy.length, "length"),
    Column("multiple", lambda one: one.multiple, "x L", "{:.3g}x".format),
    Column("num_sequences", lambda one: one.accuracy.num_sequences, "sequences", "{:,}".format),
    Column("mode", lambda one: one.accuracy.mode),
    Column("states_read", lambda one: one.states_read, "states read"),
    Column("final_state_accuracy", lambda one: one.accuracy.final_state_accuracy),
    Column("token_accuracy", lambda one: one.accuracy.token_accuracy),
    Column(
        "normalized_final_state_accuracy",
        lambda one: one.accuracy.normalized_final_state_accuracy,
        "final state",
        "{:.3f}".format,
        style="bold",
    ),
    Column(
        "normalized_token_accuracy", lambda one: one.accuracy.normalized_token_accuracy, "all states", "{:.3f}".format
    ),
)
"""Everything about an accuracy at one length, in order; exports have a row for each."""


def measured(records: Iterable[ExtrapolationRecord]) -> list[Measured]:
    """The accuracies of records, each at one length."""
    return [Measured(record, accuracy) for record in records for accuracy in record.accuracies]


def nominal_multiples(record: ExtrapolationRecord) -> Mapping[int, float]:
    """The multiple of L that was asked for, by the length that it led to.

    1.5 L is no whole number if L is odd; of several multiples that lead to one length the most exact counts.
    """
    max_length = record.max_length

    def inexactness(multiple: float) -> float:
        return abs(multiple * max_length - round(multiple * max_length))

    multiples = sorted(record.config.settings.multiples, key=inexactness, reverse=True)
    return {round(multiple * max_length): multiple for multiple in multiples}


def accuracy_listing(record: ExtrapolationRecord, notes: Iterable[str] = ()) -> Group:
    """Accuracy at multiples of the training length.

    Args:
        record: of the extrapolation.
        notes: what else stands below the table.
    """
    solves = "solves" if record.trial_succeeded else "does NOT solve"
    title = f"{experiment_text(record.labels)}\n"
    (size,) = _sizes([record])
    title += f"trained on {size}{'' if record.trained_on_all else ' sequences'}; {solves} the training lengths"
    note = [ACCURACY_NOTE]
    model = record.config.experiment.model
    if model.is_shipped and "num_positions" in model.parameters:  # a class from elsewhere is not imported
        note.append("positions beyond the training length exist and are untrained")
    numbers = [column for column in LENGTH_COLUMNS if not column.is_label]
    return listing(measured([record]), numbers, title, "\n".join([*note, *notes]))


def extrapolation_table(shown: Iterable[Shown[ExtrapolationRecord]]) -> StudyTable:
    """Normalised final-state accuracy at twice the training length."""
    note = (
        "final state, 0 is guessing and 1 perfect, of the model trained on the largest training set; with CoT it reads "
        "its own states. Learned positions beyond the training length are untrained. *: did not learn length L."
    )
    found = [one for one in shown if one.result.headline_accuracy is not None]
    title = f"Length extrapolation: accuracy at {HEADLINE_MULTIPLE:g} L"
    return pivot("extrapolation", title, note, found, _entry, scale="linear")


def _sizes(records: Iterable[ExtrapolationRecord]) -> list[str]:
    return [size_text(record.num_train_sequences, record.trained_on_all) for record in records]


def _entry(record: ExtrapolationRecord) -> Entry:
    accuracy = record.headline_accuracy or 0.0
    return Entry(f"{accuracy:.2f}{'' if record.trial_succeeded else '*'}", accuracy, record.key)
