"""Submissions: one score in a folder, to be submitted; and the check of every number in it.

The folder holds ``records.jsonl.gz`` (the score's curves and extrapolations with their trials), ``card.json`` and
``card.md``. The check believes none of the first two files' numbers that follow from others:

- every key is computed again from its config, and every trial's losses must have led to its status;
- every curve is measured again, with the trials of the archive in place of training: the sizes and seeds that the
  design asks for, one after the other, must be there, and lead to the same estimate. So trials can be neither left out
  nor picked;
- every extrapolation must be of the trial that its grid leads to, at the lengths and on as many sequences as were asked
  for;
- how many sequences, states and answers there are is counted from the data, see :mod:`ib_bench.scoring.record_checks`;
- every number of the card is computed again from the records.

What a trial says of itself cannot be checked without training it, nor can accuracies at longer lengths; only that they
do not contradict themselves. The commands to repeat them are on the card.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, StoreError, require, shown
from ib_bench.plain_text import one_line
from ib_bench.results.archive import Records, read_archive, surplus_of, write_archive
from ib_bench.results.identity import Json
from ib_bench.results.integrity import Finding
from ib_bench.results.whole_file import write_text_whole
from ib_bench.scoring.card import card_json, card_markdown
from ib_bench.scoring.league import ARCHIVE
from ib_bench.scoring.plain_data import ROUNDING, texts_in
from ib_bench.scoring.protocol import DEFAULT_PROTOCOL, read_budget
from ib_bench.scoring.score import Score, scores_of

_CARD, _READABLE = "card.json", "card.md"


def write_submission(score: Score, folder: Path, reference: str) -> list[Path]:
    """Write a score's folder.

    Args:
        score: complete.
        folder: made if it is missing.
        reference: where the model is from: a paper, or the address of its code.

    Returns:
        The files.

    Raises:
        BenchError: the score is not complete, something in it names a place on this machine, the reference is empty, or
            a file cannot be written.
    """
    reference = one_line(reference).strip()
    require(bool(reference), "reference", reference, "a paper, or the URL of the code")
    if not score.is_complete:
        raise BenchError(
            f"{score.name} has {score.num_cells} of the {len(score.budget.cells)} cells of {score.budget.title}; "
            f"measure the others first: {score.command}"
        )
    score = replace(score, version="", standing=None)  # as the folder holds no other score
    card = card_json(score)
    own = [*score.trials.values(), *score.records.values()]
    _require_no_places([card, *(record.config.to_json() for record in own)])
    text = json.dumps({**card, "reference": reference}, indent=2, allow_nan=False) + "\n"
    readable = f"{card_markdown(score)}- reference: {reference}\n"
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
    from ib_bench.scoring.record_checks import (  # noqa: PLC0415 (loads torch)
        believed_records,
        wrong_curves,
        wrong_extrapolations,
        wrong_records,
    )

    for name in (_CARD, ARCHIVE):
        if not (folder / name).is_file():
            raise BenchError(f"{str(folder)!r} is no submission: it has no {name}")
    card = _read_card(folder / _CARD)
    budget = read_budget(protocol, card["budget"])
    if card["protocol"] != budget.protocol:
        raise BenchError(
            f"the card must be of {budget.protocol}, and is of {shown(card['protocol'])}; --protocol names another"
        )
    records = read_archive(folder / ARCHIVE)
    scores = scores_of(records, budget)
    if len(scores) != 1:
        raise BenchError(f"{str(folder / ARCHIVE)!r} must hold the score of one model, and holds {len(scores)}")
    (score,) = scores
    wrong = [*wrong_records(records, score), *surplus_of(folder / ARCHIVE)]
    findings = [_finding("records", wrong, "nothing is missing, and nothing else is there")]
    if believed := believed_records(score):
        text = f"{len(believed):,} have data from outside ib_bench; the numbers of sequences and answers are believed"
        findings.append(Finding("data", "warning", text, believed))
    findings.append(_finding("curves", list(wrong_curves(score)), "every curve follows from its trials"))
    right = "models and lengths are those asked for, accuracies do not contradict themselves"
    findings.append(_finding("extrapolations", list(wrong_extrapolations(score)), right))
    given = card.pop("reference", None)
    reference = given if isinstance(given, str) else ""
    expected = json.loads(json.dumps(card_json(score)))
    findings.append(_finding("card", list(_unequal(expected, card, "")), "every number follows from the records"))
    readable = f"{card_markdown(score)}- reference: {reference}\n"
    other = [] if _read_text(folder / _READABLE) == readable else ["its text is not that of the records' card"]
    findings.append(_finding(_READABLE, other, "its text is that of the records' card"))
    is_right = bool(reference.strip()) and one_line(reference) == reference
    missing = [] if is_right else ["the card must say in one line where the model is from"]
    findings.append(_finding("reference", missing, reference))
    return findings


def _require_no_places(plain: Iterable[Any]) -> None:
    """Make sure that no text names the home or the working folder.

    Raises:
        BenchError: one does.
    """
    texts = set(texts_in(list(plain), with_names=True))
    for place in sorted({str(Path.home()), str(Path.cwd())} - {"/"}):
        named = re.compile(rf"(?:(?<![\w./-])|(?<=file://)){re.escape(place)}(?![\w.-])")
        if any(map(named.search, texts)):
            raise BenchError(f"the score names a folder of this machine, {place!r}; name the model without its path")


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
    except (ValueError, RecursionError) as error:  # also for integers of thousands of digits
        raise StoreError(f"file {str(path)!r} is not valid JSON: {error}") from error
    if not isinstance(card, dict):
        raise StoreError(f"file {str(path)!r} must hold a mapping")
    for name in ("protocol", "budget"):
        if not isinstance(card.get(name), str):
            raise StoreError(f"file {str(path)!r} must name its {name}")
    return card


def _unequal(expected: Any, given: Any, where: str) -> Iterator[str]:
    """The places of a card at which something else stands than what the records say."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for name in sorted(expected.keys() | given.keys()):
            yield from _unequal(expected.get(name), given.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for index, (one, other) in enumerate(zip(expected, given, strict=True)):
            yield from _unequal(one, other, f"{where}[{index}]")
    elif not _is_same(expected, given):
        yield f"{where} is {_in_short(given)}, and the records say {_in_short(expected)}"


def _in_short(value: Any) -> str:
    """A value of a card; of one with parts their number, as they may be nested however deep."""
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value):,}"
    return shown(value)


def _is_same(expected: Any, given: Any) -> bool:
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (expected, given))
    try:
        return math.isclose(expected, given, rel_tol=ROUNDING) if numbers else bool(expected == given)
    except OverflowError:  # an integer of hundreds of digits
        return False
