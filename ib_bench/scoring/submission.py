"""Submissions: one score in a folder, to be submitted; and the check of every number in it.

The folder holds ``records.jsonl.gz`` (the score's curves and extrapolations with their trials), ``card.json`` and
``card.md``. The check believes none of the first two files' numbers that follow from others:

- every key is computed again from its config, and every trial's losses must have led to its status;
- every curve is measured again, with the trials of the archive in place of training: the sizes and seeds that the
  design asks for, one after the other, must be there, and lead to the same estimate. So trials can be neither left out
  nor picked;
- every number of the card is computed again from the records.

What a trial says of itself cannot be checked without training it, nor can accuracies at longer lengths; only that they
do not contradict themselves. The commands to repeat them are on the card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, StoreError
from ib_bench.quantities.curve.measurement import CurveMeasurement
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.results.archive import Records, read_archive, surplus_of, write_archive
from ib_bench.results.identity import Json
from ib_bench.results.integrity import Finding
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.merge import differences
from ib_bench.results.trial_record import TrialConfig
from ib_bench.results.whole_file import write_text_whole
from ib_bench.scoring.card import card_json, card_markdown
from ib_bench.scoring.league import ARCHIVE
from ib_bench.scoring.protocol import DEFAULT_PROTOCOL, read_budget
from ib_bench.scoring.score import Score, scores_of

_CARD, _READABLE = "card.json", "card.md"
_CONFIRMED = ("num_checked", "num_confirmed")
"""Fields that follow from the trials, and that two stores need not agree on."""

_ROUNDING = 1e-6  # relative tolerance: another machine may compute other last digits


def write_submission(score: Score, folder: Path, reference: str) -> list[Path]:
    """Write a score's folder.

    Args:
        score: complete.
        folder: made if it is missing.
        reference: where the model is from: a paper, or the address of its code.

    Returns:
        The files.

    Raises:
        BenchError: the score is not complete, something in it names a place on this machine, or a file cannot be
            written.
    """
    if not score.is_complete:
        raise BenchError(
            f"{score.name} has {score.num_cells} of the {len(score.budget.cells)} cells of {score.budget.title}; "
            f"measure the others first: {score.command}"
        )
    card = {**card_json(score), "reference": reference}
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    readable = f"{card_markdown(score)}- reference: {reference}\n"
    own = [*score.trials.values(), *score.records.values()]
    for place in {str(Path.home()), str(Path.cwd())} - {"/"}:
        if place in text or any(place in json.dumps(record.config.to_json()) for record in own):
            raise BenchError(f"the score names a folder of this machine, {place!r}; name the model without its path")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"folder {str(folder)!r} cannot be made: {error.strerror}") from error
    write_archive(Records.of_all(own), folder / ARCHIVE)
    write_text_whole(folder / _CARD, text)
    write_text_whole(folder / _READABLE, readable)
    return [folder / name for name in (ARCHIVE, _CARD, _READABLE)]


def check_submission(folder: Path, protocol: str = DEFAULT_PROTOCOL) -> list[Finding]:
    """Compute every number of a submission again.

    Args:
        folder: of the submission.
        protocol: name of the protocol that it has to be of, or path of a file.

    Returns:
        What was found; a ``failure`` names what does not fit.

    Raises:
        BenchError: a file is missing or cannot be read, or the card is of another protocol.
    """
    for name in (_CARD, ARCHIVE):
        if not (folder / name).is_file():
            raise BenchError(f"{str(folder)!r} is no submission: it has no {name}")
    card = _read_card(folder / _CARD)
    budget = read_budget(protocol, str(card.get("budget")))
    if card.get("protocol") != budget.protocol:
        raise BenchError(
            f"the card must be of {budget.protocol}, and is of {card.get('protocol')!r}; --protocol names another"
        )
    records = read_archive(folder / ARCHIVE)
    scores = scores_of(records, budget)
    if len(scores) != 1:
        raise BenchError(f"{str(folder / ARCHIVE)!r} must hold the score of one model, and holds {len(scores)}")
    (score,) = scores
    wrong_records = [*_wrong_records(records, score), *surplus_of(folder / ARCHIVE)]
    findings = [
        _finding("records", wrong_records, "nothing is missing, and nothing else is there"),
        _finding("curves", list(_wrong_curves(score)), "every curve follows from its trials"),
        _finding("extrapolations", list(_wrong_accuracies(score)), "accuracies do not contradict themselves"),
    ]
    expected = json.loads(json.dumps(card_json(score)))
    reference = card.pop("reference", None)
    findings.append(_finding("card", list(_unequal(expected, card, "")), "every number follows from the records"))
    readable = f"{card_markdown(score)}- reference: {reference}\n"
    other = [] if _read_text(folder / _READABLE) == readable else ["its text is not that of the records' card"]
    findings.append(_finding(_READABLE, other, "its text is that of the records' card"))
    has_reference = isinstance(reference, str) and bool(reference.strip())
    missing = [] if has_reference else ["the card must say where the model is from"]
    findings.append(_finding("reference", missing, str(reference)))
    return findings


def _finding(check: str, wrong: Sequence[str], right: str) -> Finding:
    if not wrong:
        return Finding(check, "ok", right)
    return Finding(check, "failure", f"{len(wrong):,} do not fit", list(wrong))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"file {str(path)!r} cannot be read: {error}") from error


def _read_card(path: Path) -> Json:
    try:
        card = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise StoreError(f"file {str(path)!r} is not valid JSON: {error}") from error
    if not isinstance(card, dict):
        raise StoreError(f"file {str(path)!r} must hold a mapping")
    return card


def _wrong_records(records: Records, score: Score) -> Iterator[str]:
    for cell in score.budget.cells:
        if score.record(cell) is None:
            labels = cell.labels
            cell_text = f"{labels.task}, {labels.supervision}, {labels.length_distribution}, L={labels.max_length}"
            yield f"missing: {cell.quantity} of {cell.algebra}, {cell_text}"
    wanted = {key for record in score.records.values() for key in record.trials}
    yield from (f"missing: trial {key}" for key in sorted(wanted - score.trials.keys()))
    known = {*score.trials, *(record.key for record in score.records.values())}
    yield from (f"not asked for: {record.key}, {record.title}" for record in records if record.key not in known)


def _wrong_curves(score: Score) -> Iterator[str]:
    for record in score.records.values():
        if isinstance(record, CurveRecord):
            try:
                again = _measured_again(record, score)
            except BenchError as error:
                yield f"{record.key}, {record.title}: {error}"
                continue
            names = [*differences(again, record)]
            names += [name for name in _CONFIRMED if getattr(again, name) != getattr(record, name)]
            if names:
                yield f"{record.key}, {record.title}: {', '.join(_difference(name, again, record) for name in names)}"


def _difference(name: str, again: CurveRecord, record: CurveRecord) -> str:
    """The name of a field, with both values where they are short."""
    ours, theirs = (getattr(one, name, None) for one in (again, record))
    is_short = all(isinstance(one, (str, int, float, type(None))) for one in (ours, theirs))
    return f"{name} is {theirs!r}, its trials give {ours!r}" if is_short else name


def _measured_again(record: CurveRecord, score: Score) -> CurveRecord:
    """The curve, with its trials in place of training."""

    def train(configs: list[TrialConfig]) -> None:
        missing = configs[0]
        raise BenchError(
            f"the design asks for N={missing.num_train_sequences:,}, rate {missing.learning_rate:g}, seed "
            f"{missing.seed}, a trial that is not there"
        )

    store = MemoryStore(score.trials_of(record))
    progress = ProgressReporter(lambda event: None)
    pool_size, num_states = record.pool_size, record.num_states
    measurement = CurveMeasurement(
        record.config, pool_size, num_states, store, train, progress, lambda: record.num_sequences
    )
    return measurement.run()


def _wrong_accuracies(score: Score) -> Iterator[str]:
    for record in score.records.values():
        if not isinstance(record, ExtrapolationRecord):
            continue
        trial = score.trials.get(record.trial or "")
        if trial is not None and trial.succeeded != record.trial_succeeded:
            yield f"{record.key}, {record.title}: trial_succeeded is not what its trial says"
        num_answers = _num_answers(record)
        for one in record.accuracies:
            normalized = (one.final_state_accuracy * num_answers - 1) / (num_answers - 1)
            right = one.final_state_accuracy * one.num_sequences
            fits = math.isclose(normalized, one.normalized_final_state_accuracy, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
            is_whole = math.isclose(right, round(right), abs_tol=_ROUNDING * one.num_sequences)
            if not (fits and is_whole and one.position_accuracy[-1] == one.final_state_accuracy):
                yield f"{record.key}, {record.title}: accuracies at {one.length} symbols"


def _num_answers(record: ExtrapolationRecord) -> int:
    """Among how many answers its accuracies are better than guessing: the whole number that fits the first of them."""
    for one in record.accuracies:
        accuracy, normalized = one.final_state_accuracy, one.normalized_final_state_accuracy
        if accuracy != normalized:
            most = record.num_states or 2**31
            return round(min(max((1 - normalized) / (accuracy - normalized), 2.0), most))
    return 2


def _unequal(expected: Any, given: Any, where: str) -> Iterator[str]:
    """The places of a card at which something else stands than what the records say."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for name in sorted(expected.keys() | given.keys()):
            yield from _unequal(expected.get(name), given.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for index, (one, other) in enumerate(zip(expected, given, strict=True)):
            yield from _unequal(one, other, f"{where}[{index}]")
    elif not _is_same(expected, given):
        yield f"{where} is {given!r}, and the records say {expected!r}"


def _is_same(expected: Any, given: Any) -> bool:
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (expected, given))
    return math.isclose(expected, given, rel_tol=_ROUNDING) if numbers else bool(expected == given)
