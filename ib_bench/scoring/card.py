"""The card of a score: as tables, Markdown, JSON, a figure and a W&B run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rich.console import Group
from rich.text import Text

from ib_bench.drawing.figure import Figure
from ib_bench.drawing.notebook import Drawing
from ib_bench.drawing.styles import distribution_text, regime_text
from ib_bench.drawing.tables import Entry, StudyTable, markdown, rich_table
from ib_bench.drawing.texts import duration
from ib_bench.plain_text import number_of, one_line
from ib_bench.quantities.curve.decline import decline_text
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.results.identity import Json
from ib_bench.results.records import task_text
from ib_bench.scoring.numbers import cell_title, numbers_of, overall_numbers, plain
from ib_bench.scoring.protocol import ProtocolCell
from ib_bench.scoring.score import FAR, NEAR, Score

_COLUMNS = ["algebra", "task", "supervision", "lengths", "L", "counts for", "N50", "trials", "rate"]
_NUM_LABELS = 6


def card_tables(score: Score) -> list[StudyTable]:
    """The score's numbers, and its cells.

    Args:
        score: complete or not.
    """
    numbers = overall_numbers(score.budget)
    rows = [(one.title, one.meaning, one.text(score)) for one in numbers]
    rows[1:1] = _standing_rows(score)  # below the number that is ranked by
    body = [[Entry(title, title), Entry(meaning, ""), Entry(text, text)] for title, meaning, text in rows]
    columns = ["number", "what it is", "value [90 % interval]"]
    table = StudyTable("card", f"Score of {score.name}", _state_note(score), columns, 2, body)
    cells = StudyTable("cells", "Cells", _NOTE, _COLUMNS, _NUM_LABELS, _rows(score))
    return [replace(one, protocol=score.budget.title) for one in (table, cells)]


def card_group(score: Score) -> Group:
    """The card on a terminal."""
    lines = [one_line(f"{name}: {text}") for name, text in _origin(score).items()]
    parts = [part for table in card_tables(score) for part in (rich_table(table), Text())]
    return Group(*parts, Text("\n".join(lines), style="dim"))


def card_text(score: Score) -> str:
    """The card as the terminal shows it, without colours."""
    return str(Drawing([card_group(score)]))


def card_drawing(score: Score) -> Drawing:
    """The card in a notebook: as the terminal shows it, with its figure."""
    return Drawing([card_group(score)], [card_figure(score)])


def card_markdown(score: Score) -> str:
    """The card for a README."""
    lines = [f"- {name}: `{one_line(text).replace('`', '')}`" for name, text in _origin(score).items()]
    return "\n".join([*map(markdown, card_tables(score)), *lines]) + "\n"


def card_json(score: Score) -> Json:
    """The card for programs; everything in it is computed from the score's records."""
    experiment = score.config.experiment
    return {
        "protocol": score.budget.protocol,
        "budget": score.budget.name,
        "model": {
            "name": score.name,
            "class_path": experiment.model.class_path,
            "init_args": experiment.model.init_args,
            "source_digests": score.source_digests,
            "looks_ahead": score.looks_ahead,
        },
        "num_cells": score.num_cells,
        "num_all_cells": len(score.budget.cells),
        "numbers": {number.name: plain(number.value(score)) for number in numbers_of(score.budget)},
        "state_sizes": list(score.state_sizes),
        "cells": [_cell_json(cell, score.record(cell)) for cell in score.budget.cells],
        "num_trials": len(score.trials),
        "num_steps": score.num_steps,
        "wall_time_s": score.wall_time_s,
        "seeds": score.seeds,
        "versions": score.versions,
        "environment": score.environment,
        "command": score.command,
        **_standing_json(score),
    }


def card_figure(score: Score) -> Figure:
    """N50 of every cell with its interval, below the score's numbers."""
    rows = []
    for cell in score.budget.of("size"):
        record: CurveRecord | None = score.record(cell)
        if record is not None and record.estimate is not None:
            n50 = record.estimate.n50
            low, median, high = (
                float(record.max_size) if end is None else end for end in (n50.low, n50.median, n50.high)
            )
            ends = {"low": low, "median": median, "high": high}
            is_bound = n50.median is None
            rows.append({"row": cell_title(cell), **ends, "text": record.verdict, "is_bound": is_bound})
    numbers = [number for number in overall_numbers(score.budget) if number.text(score)]
    named = [f"{number.title}: {number.text(score)}" for number in numbers]
    named[1:1] = [f"{title}: {text} {meaning}" for title, meaning, text in _standing_rows(score)]
    origin = [f"{name}: {text}" for name, text in _origin(score).items()]
    above = [score.name, score.budget.title, *named, *_state_note(score).split("\n"), *origin]
    return Figure("card", f"Card of {score.name}", interval_spec(rows, "training sequences N50", filter(None, above)))


def interval_spec(rows: list[Json], title: str, above: Iterable[str], is_ratio: bool = True) -> Json:
    """A chart with a line for each row: its interval, its median and its text.

    Args:
        rows: each with ``row``, ``low``, ``median`` (None where unknown), ``high``, ``text``, and ``is_bound`` if the
            number lies above its median, which an open marker shows; the first is on top.
        title: of the axis.
        above: lines above the chart, the first in bold.
        is_ratio: whether the axis is logarithmic.
    """
    import altair as alt  # noqa: PLC0415 (half a second, which tables need not wait for)

    from ib_bench.drawing.charts import finished, log_axis  # noqa: PLC0415

    data = alt.InlineData(values=rows)
    ends = [end for row in rows for end in (row["low"], row["high"])]
    axis = log_axis("low", title, ends, base=2) if is_ratio else {"shorthand": "low:Q", "title": title}
    y = alt.Y("row:N", title=None, sort=None)
    bars = alt.Chart(data).mark_rule(strokeWidth=2).encode(x=alt.X(**axis), x2="high:Q", y=y)
    points = alt.Chart(data).mark_point(filled=True, size=70, opacity=1).encode(x="median:Q", y=y)
    points = points.transform_filter("isValid(datum.median) && !datum.is_bound")
    bounds = alt.Chart(data).mark_point(filled=True, fill="white", stroke="#4c78a8", size=70, opacity=1)
    bounds = bounds.encode(x="median:Q", y=y).transform_filter("datum.is_bound")
    texts = alt.Chart(data).mark_text(align="left", dx=8, fontSize=10).encode(x="high:Q", y=y, text="text:N")
    spec = alt.layer(bars, points, bounds, texts).properties(width=420, height={"step": 20}).to_dict()
    del spec["config"], spec["$schema"]
    first, *rest = above
    heading = {"text": first, "subtitle": rest, "anchor": "start", "fontSize": 14, "subtitleFontSize": 11}
    return {**finished(spec), "title": heading}


def logged_card(score: Score) -> LoggedRun:
    """The score as a W&B run: a step for each cell, the numbers in the summary."""
    steps: list[Json] = []
    for number, cell in enumerate(score.budget.cells, start=1):
        content = _cell_json(cell, score.record(cell))
        values = {f"score/{name}": content[name] for name in _LOGGED if content.get(name) is not None}
        steps.append({"cell": number, **values})
    card = card_json(score)
    summary: Json = {"status": "finished" if score.is_complete else "incomplete", "num_steps": score.num_steps}
    if score.standing is not None:
        rank = score.standing.rank
        summary |= {"rank_best": rank.best, "rank_worst": rank.worst, "rank_of": score.standing.num_models}
    for name, number in card["numbers"].items():
        ends = {"": "median", "_low": "low", "_high": "high"}
        summary |= {f"{name}{end}": number[own] for end, own in ends.items()} if number is not None else {}
    config = {**run_config(score.config.experiment.labels, score.config), "protocol": score.budget.protocol}
    config = {**{name: config[name] for name in ("model", "protocol")}, "budget": score.budget.name, **card["model"]}
    names = dict.fromkeys(name for row in card["cells"] for name in row)
    keys = json.dumps([score.budget.title, sorted(record.key for record in score.records.values())])
    return LoggedRun(
        run_id=hashlib.sha256(f"score/{keys}".encode()).hexdigest()[:32],
        name=f"score {score.name} {score.budget.title}",
        config=config,
        step_metric="cell",
        metrics="score/*",
        steps=steps,
        summary=summary,
        tables={"cells": [{name: _flat(row.get(name)) for name in names} for row in card["cells"]]},
    )


_NOTE = (
    "N50: the size at which half of the training runs succeed, with its 90 % interval. rate: learning rate, "
    "chosen by a pilot. size: counts for the mean of N50."
)
_LOGGED = ("n50", "n50_low", "n50_high", "num_trials", f"accuracy_{NEAR}x", f"accuracy_{FAR}x")


def _standing_rows(score: Score) -> list[tuple[str, str, str]]:
    """Title, meaning and text of its place in a league; nothing where it has none."""
    if (own := score.standing) is None:
        return []
    return [("rank", f"by {own.by}, among {number_of(own.num_models, 'models')}{own.league}", str(own.rank))]


def _standing_json(score: Score) -> Json:
    if (own := score.standing) is None:
        return {}
    return {"standing": {"rank": [own.rank.best, own.rank.worst], "num_models": own.num_models, "by": own.by}}


def _state_note(score: Score) -> str:
    """How many cells are missing, in how many N50 is above the largest size, and where larger sets do worse."""
    curves = {cell_title(cell): curve for cell in score.budget.of("size") if (curve := score.record(cell)) is not None}
    num_above = sum(curve.censored for curve in curves.values())
    notes = [f"N50 lies above the largest size in {num_above} of {len(curves)} cells"] if num_above else []
    declines = {title: decline_text(curve.successes()) for title, curve in curves.items()}
    notes += [f"larger sets do worse ({title}): {text}" for title, text in declines.items() if text]
    if not score.is_complete:
        notes.append(f"incomplete: {score.num_cells} of {len(score.budget.cells)} cells; the same command continues")
    return "\n".join(notes)


def _rows(score: Score) -> list[list[Entry]]:
    body = []
    for cell in score.budget.cells:
        record, labels = score.record(cell), cell.labels
        head = [cell.algebra, task_text(labels), regime_text(labels.supervision)]
        head += [distribution_text(labels.length_distribution), str(labels.max_length), ", ".join(cell.measures)]
        texts = [*head, *_measured_texts(record)]
        body.append([Entry(text, text, getattr(record, "key", None)) for text in texts])
    return body


def _measured_texts(record: Any) -> list[str]:
    """N50 or accuracies, number of trials, and learning rate."""
    if isinstance(record, CurveRecord):
        rate = "" if record.learning_rate is None else f"{record.learning_rate:g}"
        return [record.verdict, str(record.num_trials), rate]
    if isinstance(record, ExtrapolationRecord):
        found = {multiple: record.at(multiple * record.max_length) for multiple in (NEAR, FAR)}
        texts = [f"{one.normalized_final_state_accuracy:.2f} at {m} L" for m, one in found.items() if one is not None]
        return [", ".join(texts), str(len(record.trials)), ""]
    return ["", "", ""]


def _cell_json(cell: ProtocolCell, record: Any) -> Json:
    labels = cell.labels
    content: Json = {
        "algebra": cell.algebra,
        "measures": list(cell.measures),
        "task": labels.task,
        "task_args": labels.task_arguments,
        "supervision": labels.supervision,
        "length_distribution": labels.length_distribution,
        "max_length": labels.max_length,
        "key": None if record is None else record.key,
    }
    if isinstance(record, CurveRecord):
        content |= {"verdict": record.verdict, "num_trials": record.num_trials, "learning_rate": record.learning_rate}
        sizes = None if record.estimate is None else record.estimate.n50
        ends = {"n50": "median", "n50_low": "low", "n50_high": "high"}
        content |= {name: None if sizes is None else getattr(sizes, end) for name, end in ends.items()}
        content |= {"num_confirmed": record.num_confirmed, "num_checked": record.num_checked}
    if isinstance(record, ExtrapolationRecord):
        content["learned"] = record.trial_succeeded
        for multiple in (NEAR, FAR):
            found = record.at(multiple * record.max_length)
            content[f"accuracy_{multiple}x"] = None if found is None else found.normalized_final_state_accuracy
    return content


def _origin(score: Score) -> dict[str, str]:
    """Where the numbers are from, and what measures them again."""
    seeds = score.seeds
    versions = ", ".join(f"{name} {' and '.join(own)}" for name, own in score.versions.items())
    devices = "; ".join(" and ".join(own) for own in score.environment.values())
    own_file = {} if score.budget.is_shipped else {"protocol": f"file {score.budget.protocol}, not part of ib_bench"}
    return {
        "trials": f"{len(score.trials):,} with {score.num_steps:,} steps, {duration(score.wall_time_s)} one by one",
        "seeds": f"{seeds[0]} to {seeds[-1]}" if seeds else "",
        "versions": versions,
        "device": devices,
        "command": score.command,
        **own_file,
    }


def _flat(value: Any) -> Any:
    """A value as it may stand in a W&B table."""
    return value if value is None or isinstance(value, (str, int, float)) else json.dumps(value)
