"""Searches and trials as tables: for people, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from rich.console import Group
from rich.text import Text

from ib_bench.report.terminal import PlainTable, plain_table, titled
from ib_bench.results.records import (
    Experiment,
    ExtrapolationRecord,
    Json,
    SearchRecord,
    TrialRecord,
    arguments_text,
    model_texts,
    task_text,
)
from ib_bench.studies.estimate import Estimate
from ib_bench.studies.extrapolation import HEADLINE_MULTIPLE
from ib_bench.studies.futility import futility_notes
from ib_bench.studies.sharing import Sharing

Format = Literal["table", "csv", "json"]
OutputFormat = Literal["table", "json"]

_LABELS = ("model", "task", "supervision", "lengths", "L")

_TRIAL_COLUMNS = (
    "key",
    "model",
    "task",
    "task_args",
    "supervision",
    "length_distribution",
    "max_length",
    "num_train_sequences",
    "learning_rate",
    "seed",
    "status",
    "num_steps",
    "best_val_loss",
    "best_step",
    "wall_time_s",
    "process_time_s",
    "finished_at",
)


_SHOWN_OF_TRIALS = {
    "model": "model",
    "supervision": "supervision",
    "max_length": "L",
    "num_train_sequences": "N",
    "learning_rate": "rate",
    "seed": "seed",
    "status": "status",
    "num_steps": "steps",
    "best_val_loss": "loss",
    "wall_time_s": "s",
}
"""Those columns of trials that fit a terminal, with a short title; CSV and JSON hold all."""


def verdict_table(records: Sequence[SearchRecord], title: str) -> Group:
    """N* of each search: architecture x regime, with what the verdict rests on.

    What all searches share is said once, above the table.

    Args:
        records: in the order of the rows.
        title: of the table.
    """
    labels = [
        {**_label_texts(record.labels), "model": model}
        for record, model in zip(records, model_texts(records), strict=True)
    ]
    varying = [name for name in _LABELS if name == "model" or len({label[name] for label in labels}) != 1]
    shared = [text for name, text in labels[0].items() if name not in varying] if labels else []
    table = plain_table()
    for column in varying:
        table.add_column(column)
    for column in ("N*", "bracket", "trials", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for index, (record, label) in enumerate(zip(records, labels, strict=True)):
        if index and record.labels["model"] != records[index - 1].labels["model"]:
            table.add_section()
        table.add_row(*(label[name] for name in varying), *_verdict_cells(record))
    heading = "\n".join([title, *([" · ".join(shared)] if shared else [])])
    notes = ["N* lies in (largest size that failed, smallest that succeeded]", *futility_notes(records)]
    return titled(heading, table, "\n".join(notes))


def _label_texts(labels: Json) -> dict[str, str]:
    texts = {
        "model": labels["model"],
        "task": task_text(labels),
        "supervision": labels["supervision"],
        "lengths": labels["length_distribution"],
        "L": f"L={labels['max_length']}",
    }
    return {name: str(text) for name, text in texts.items()}


def sharing_table(sharing: Sharing) -> Group:
    """Kappa, with the searches that it rests on."""
    joint = sharing.joint
    texts = _label_texts(joint.labels)
    table = plain_table()
    table.add_column("lengths")
    for column in ("N*", "bracket", "trials", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for length, record in sharing.parts.items():
        table.add_row(f"{length} alone", *_verdict_cells(record))
    table.add_section()
    table.add_row(f"2..{joint.labels['max_length']} together", *_verdict_cells(joint))
    kappa = str(sharing.factor)
    equals = "" if kappa[0] in "<>" else "= "
    heading = f"kappa {equals}{kappa}\n" + " · ".join(texts[name] for name in ("model", "task", "supervision", "L"))
    notes = ["kappa: the sum of N* at each length alone, over N* at all lengths together", *futility_notes([joint])]
    return titled(heading, table, "\n".join(notes))


def sharing_row(sharing: Sharing) -> Json:
    """Kappa and its parts, as plain data."""
    factor = sharing.factor
    return {
        **sharing.joint.labels,
        "sharing_factor": factor.value,
        "sharing_factor_kind": factor.kind,
        "joint": sharing.joint.summary(),
        "parts": {str(length): record.summary() for length, record in sharing.parts.items()},
    }


def _verdict_cells(record: SearchRecord) -> list[str | Text]:
    counts = [str(record.num_trials), duration(record.wall_time_s)]
    return [Text(record.verdict, style="bold"), _bracket(record), *counts]


def extrapolation_table(record: ExtrapolationRecord, max_length: int, untrained_positions: bool) -> Group:
    """Accuracy at multiples of the training length.

    Args:
        record: of the extrapolation.
        max_length: number of symbols in the longest training sequences, L.
        untrained_positions: whether the model has learned positions, which beyond L are as they were initialised.
    """
    texts = _label_texts(record.labels)
    trained = "solves" if record.trial_succeeded else "does NOT solve"
    reads_states = any(accuracy.mode == "generated" for accuracy in record.accuracies)
    notes = ["0 is guessing, 1 is perfect; 2x is the headline"]
    if untrained_positions:
        notes.append("positions beyond the training length exist and are untrained")
    notes += futility_notes([record])
    table = plain_table()
    for column in ("length", "x L", "sequences", "states read"):
        table.add_column(column, justify="right")
    for column in ("final state", "all states"):
        table.add_column(column, justify="right", no_wrap=True)
    for accuracy in record.accuracies:
        multiple = accuracy.length / max_length
        values = [accuracy.normalized_final_state_accuracy, accuracy.normalized_token_accuracy]
        table.add_row(
            str(accuracy.length),
            f"{multiple:.3g}x",
            f"{accuracy.num_sequences:,}",
            {"teacher_forced": "true" if reads_states else "none", "generated": "its own"}[accuracy.mode],
            *(Text(f"{value:.3f}", style="bold" if multiple == HEADLINE_MULTIPLE else "") for value in values),
        )
    heading = " · ".join(texts.values())
    heading += f"\ntrained on {record.num_train_sequences:,} sequences; {trained} the training lengths"
    return titled(heading, table, "\n".join(notes))


def plan_table(name: str, counts: Mapping[str, tuple[int, int]], estimate: Estimate, num_workers: int) -> Group:
    """How much a suite has to do.

    Args:
        name: of the suite.
        counts: for each kind of result, how many there are and how many of them the store holds.
        estimate: of what remains.
        num_workers: that it is for.
    """
    times = {"at most": estimate.max_time_s, "likely": estimate.likely_time_s}
    told = ", ".join(f"{word} {duration(time)}" for word, time in times.items() if time is not None)
    unknown = "no estimate: the store holds no trials of one of the models"
    table = plain_table()
    table.add_column("")
    for column in ("all", "in the store", "to do"):
        table.add_column(column, justify="right")
    for kind, (everything, stored) in counts.items():
        table.add_row(kind, f"{everything:,}", f"{stored:,}", f"{everything - stored:,}")
    note = f"at most {estimate.max_trials:,} trials\ntime with {num_workers} workers: {told or unknown}"
    return titled(f"{name}: what there is to do", table, note)


def trial_table(rows: Sequence[Json]) -> PlainTable:
    """Trials for people.

    Args:
        rows: as :func:`trial_rows` gives them.
    """
    table = plain_table()
    for title in _SHOWN_OF_TRIALS.values():
        table.add_column(title, justify="left" if title in ("model", "supervision", "status") else "right")
    for row in rows:
        table.add_row(*(_text(row[name]) for name in _SHOWN_OF_TRIALS))
    return table


def trial_rows(records: Iterable[TrialRecord]) -> list[Json]:
    """The columns of trials, flat."""
    rows = []
    for record in records:
        values = {**record.config, **asdict(record), **Experiment(**record.config["experiment"]).labels()}
        rows.append({name: values[name] for name in _TRIAL_COLUMNS})
    return rows


def to_csv(rows: Sequence[Json]) -> str:
    """Rows of equal keys as CSV with a header."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            texts = {name: arguments_text(value) for name, value in row.items() if isinstance(value, dict)}
            writer.writerow({**row, **texts})
    return text.getvalue()


def to_json(data: Any) -> str:
    """Plain data as JSON."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _bracket(record: SearchRecord) -> str:
    failing, succeeding = record.bracket
    return f"({failing:,}, {'∞' if succeeding is None else f'{succeeding:,}'}]"


def duration(seconds: float) -> str:
    """A time for people, such as ``1h 05m``, ``2m 06s`` or ``7s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return arguments_text(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
