"""The check of a submission's records: each has to follow from its trials and from the data of its cell.

The data are built from the protocol, if their class is this package's; then every number that follows from them is
checked. Data from elsewhere are never built, as that would run their code: the submission's numbers of sequences and
answers are then believed, as far as they do not contradict themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from ib_bench.errors import BenchError
from ib_bench.quantities.curve.measurement import CurveMeasurement
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.extrapolation import chosen_trial
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord, LengthAccuracy, Mode
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.results.archive import Records
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.merge import differences
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.scoring.cell_data import CellData, cell_data
from ib_bench.scoring.plain_data import ROUNDING
from ib_bench.scoring.protocol import ProtocolCell
from ib_bench.scoring.score import Score

_CONFIRMED = ("num_checked", "num_confirmed")
"""Fields that follow from the trials, and that two stores need not agree on."""


def wrong_records(records: Records, score: Score) -> Iterator[str]:
    """What is missing, and what nobody asked for.

    Args:
        records: of the submission.
        score: that they hold.
    """
    for cell in score.budget.cells:
        if score.record(cell) is None:
            labels = cell.labels
            cell_text = f"{labels.task}, {labels.supervision}, {labels.length_distribution}, L={labels.max_length}"
            yield f"missing: {cell.quantity} of {cell.algebra}, {cell_text}"
    wanted = {key for record in score.records.values() for key in record.trials}
    yield from (f"missing: trial {key}" for key in sorted(wanted - score.trials.keys()))
    known = {*score.trials, *(record.key for record in score.records.values())}
    yield from (f"not asked for: {record.key}, {record.title}" for record in records if record.key not in known)


def believed_records(score: Score) -> list[str]:
    """The records whose data are not built.

    Args:
        score: of a submission.
    """
    return [f"{record.key}, {record.title}" for cell, record in _cells(score) if cell_data(cell) is None]


def wrong_curves(score: Score) -> Iterator[str]:
    """The curves that their trials or their data do not lead to.

    Args:
        score: of a submission.
    """
    for cell, record in _cells(score):
        if isinstance(record, CurveRecord):
            yield from (f"{record.key}, {record.title}: {text}" for text in _of_curve(record, score, cell_data(cell)))


def wrong_extrapolations(score: Score) -> Iterator[str]:
    """The extrapolations that are not of the model or the sequences that were asked for, or contradict themselves.

    Args:
        score: of a submission.
    """
    for cell, record in _cells(score):
        if isinstance(record, ExtrapolationRecord):
            try:
                found = list(_of_extrapolation(record, score, cell_data(cell)))
            except BenchError as error:
                found = [str(error)]
            yield from (f"{record.key}, {record.title}: {text}" for text in found)


def _cells(score: Score) -> Iterator[tuple[ProtocolCell, Record]]:
    """Each cell that is there, once."""
    cells = {cell.identity: cell for cell in score.budget.cells}
    return ((cell, score.records[identity]) for identity, cell in cells.items() if identity in score.records)


def _of_curve(record: CurveRecord, score: Score, data: CellData | None) -> Iterator[str]:
    if data is not None and (wrong := list(_of_data(record, data))):
        yield ", ".join(wrong)
        return
    try:
        again = _measured_again(record, score, data)
    except BenchError as error:
        yield str(error)
        return
    names = [*differences(again, record)]
    names += [name for name in _CONFIRMED if getattr(again, name) != getattr(record, name)]
    if names:
        yield ", ".join(_difference(name, again, record) for name in names)


def _of_data(record: CurveRecord, data: CellData) -> Iterator[str]:
    """The numbers of a curve that are not those of its data."""
    if record.pool_size != data.pool_size:
        yield f"pool_size is {record.pool_size:,}, its data give {data.pool_size:,}"
    if not _has_states(record.num_states, data):
        yield f"num_states is {record.num_states}, its data give {data.num_states}"


def _has_states(num_states: int | None, data: CellData) -> bool:
    """Whether a number of states is that of the data; records of earlier versions have none."""
    return num_states is None or num_states == data.num_states


def _difference(name: str, again: CurveRecord, record: CurveRecord) -> str:
    """The name of a field, with both values where they are short."""
    if not hasattr(record, name):  # a sentence about a headline
        return name
    ours, theirs = getattr(again, name), getattr(record, name)
    is_short = all(isinstance(one, (str, int, float, type(None))) for one in (ours, theirs))
    return f"{name} is {theirs!r}, its trials give {ours!r}" if is_short else name


def _measured_again(record: CurveRecord, score: Score, data: CellData | None) -> CurveRecord:
    """The curve, with its trials in place of training."""

    def train(configs: list[TrialConfig]) -> None:
        missing = configs[0]
        raise BenchError(
            f"the design asks for N={missing.num_train_sequences:,}, rate {missing.learning_rate:g}, seed "
            f"{missing.seed}, a trial that is not there"
        )

    def count_sequences() -> int | None:
        return record.num_sequences if data is None else data.num_sequences

    store = MemoryStore(score.trials_of(record))
    progress = ProgressReporter(lambda event: None)
    pool_size, num_states = record.pool_size, record.num_states
    return CurveMeasurement(record.config, pool_size, num_states, store, train, progress, count_sequences).run()


def _of_extrapolation(record: ExtrapolationRecord, score: Score, data: CellData | None) -> Iterator[str]:
    size = record.num_train_sequences
    largest = record.config.search.max_size
    right_size = min(largest, size if data is None else data.pool_size)
    if size != right_size:
        yield f"num_train_sequences is {size:,}, and must be {right_size:,}"
        return
    if data is not None and not _has_states(record.num_states, data):
        yield f"num_states is {record.num_states}, its data give {data.num_states}"
    if not size:
        if record.trial is not None or record.trial_succeeded:
            yield "there is a model, although nothing can be held out"
        return
    trial = chosen_trial(record.config, size, lambda config: score.trials.get(config.key))
    if trial is None or trial.key != record.trial:
        yield f"trial is {record.trial}, and must be {'one of its grid' if trial is None else trial.key}"
        return
    if trial.succeeded != record.trial_succeeded:
        yield "trial_succeeded is not what its trial says"
    yield from _of_lengths(record, trial, data)
    num_answers = _num_answers(record) if data is None else max(data.num_answers or 0, 2)
    yield from (f"accuracies at {one.length} symbols" for one in record.accuracies if _is_wrong(one, num_answers))


def _of_lengths(record: ExtrapolationRecord, trial: TrialRecord, data: CellData | None) -> Iterator[str]:
    """Lengths at which accuracy was not measured as was asked for."""
    settings = record.config.settings
    max_length = record.labels.max_length if data is None else data.max_length
    if max_length is None:  # data from elsewhere, of which it is not known
        return
    lengths = settings.lengths(max_length)
    modes = _modes(record) if data is None else data.modes
    expected = [(length, mode) for length in lengths for mode in modes]
    if [(one.length, one.mode) for one in record.accuracies] != expected:
        yield f"accuracies must be {', '.join(modes)}, at {', '.join(map(str, lengths))} symbols"
        return
    if data is None:  # of which there may be fewer sequences than were asked for
        wrong = {one.length for one in record.accuracies if one.num_sequences > settings.num_sequences}
    else:
        size, seed = record.num_train_sequences, trial.config.data_seed
        num = data.num_evaluated(lengths, settings.num_sequences, size, seed)
        wrong = {one.length for one in record.accuracies if one.num_sequences != num[one.length]}
    yield from (f"number of sequences at {length} symbols" for length in sorted(wrong))


def _modes(record: ExtrapolationRecord) -> tuple[Mode, ...]:
    is_generated = any(one.mode == "generated" for one in record.accuracies)
    return ("teacher_forced", "generated") if is_generated else ("teacher_forced",)


def _num_answers(record: ExtrapolationRecord) -> int:
    """Among how many answers its accuracies are better than guessing: the whole number that fits the first of them."""
    for one in record.accuracies:
        accuracy, normalized = one.final_state_accuracy, one.normalized_final_state_accuracy
        if accuracy != normalized:
            most = max(record.num_states or 2**31, 2)
            return round(min(max((1 - normalized) / (accuracy - normalized), 2.0), most))
    return 2


def _is_wrong(one: LengthAccuracy, num_answers: int) -> bool:
    """Whether accuracies contradict each other, or are no shares of their sequences.

    Args:
        one: at one length.
        num_answers: that there are, at least 2.
    """
    pairs = [
        (one.final_state_accuracy, one.normalized_final_state_accuracy),
        (one.token_accuracy, one.normalized_token_accuracy),
    ]
    are_normalized = all(_is_close((share * num_answers - 1) / (num_answers - 1), own) for share, own in pairs)
    return not (
        are_normalized
        and all(_is_share(share, one.num_sequences) for share in one.position_accuracy)
        and one.position_accuracy[-1] == one.final_state_accuracy
        and _is_close(fmean(one.position_accuracy), one.token_accuracy)
    )


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _is_share(share: float, number: int) -> bool:
    """Whether a share is one of so many sequences."""
    return math.isclose(share * number, round(share * number), abs_tol=ROUNDING * number)
