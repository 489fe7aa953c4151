"""The report as one HTML file, which needs neither a network nor other files.

The template has what is read: sentences, claims, headings. Tables, figures and what cells open to are JSON, compressed,
from which ``tables.js``, ``figures.js`` and ``cell.js`` draw what the choice in ``report.js`` leaves.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from ib_bench import __version__
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.tables import Entry, StudyTable
from ib_bench.report.claims_table import chance_text, pooled_text, shown_strata, votes_text
from ib_bench.report.sentences import held_text, sentences
from ib_bench.results.identity import Json
from ib_bench.studies.claims import Claim

_SCRIPTS = ("tables.js", "figures.js", "cell.js", "report.js")
_FOLDER = Path(__file__).parent
_WHOLE = "The choice above does not filter this: ranks are among all models."
_NO_BREAK = "\N{NO-BREAK SPACE}"
_DATA = ' id="data">'  # where they begin in the page


def html_report(
    study: Study,
    tables: Sequence[StudyTable],
    figures: Sequence[Figure],
    claims: Mapping[str, Sequence[Claim]],
    cells: Json,
    version: str = "",
    first: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        study: what was measured.
        tables: of the same results, the claims last.
        figures: of the same results.
        claims: for each source.
        cells: what cells open to, as :func:`~ib_bench.report.cells.cells_json` returns it.
        version: of what a server shows; empty for a file.
        first: sentences that it begins with.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    *of_quantities, of_claims = tables
    of_quantities = [_with_short_settings(table, study.settings) for table in of_quantities]
    data = {**cells, "tables": list(map(_table_json, of_quantities)), "specs": [figure.spec for figure in figures]}
    return environment.get_template("report.html.jinja").render(
        version=__version__,
        sentences=[*first, *sentences(study, claims)],
        sources={name: held_text(records) or "no records" for name, records in study.sources.items()},
        tables=of_quantities,
        charts=figures,
        whole={table.name for table in tables if table.is_whole},
        whole_note=_WHOLE,
        data=packed(data),
        style=(_FOLDER / "report.css").read_text(encoding="utf-8"),
        scripts=[(_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS],
        vega=_vega() if study.results else "",
        claims=claims,
        claims_note=of_claims.caption,
        shown_strata=shown_strata,
        chance_text=chance_text,
        votes_text=votes_text,
        pooled_text=pooled_text,
        settings=study.settings,
        served=version,
        refresh=(_FOLDER / "refresh.js").read_text(encoding="utf-8"),
    )


@cache
def _vega() -> str:
    """Vega, Vega-Lite and their embedding, as one script; seconds to make, and always the same."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def packed(data: Any) -> str:
    """JSON, compressed, as text that may stand inside an element; the same data give the same text."""
    plain = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(plain, compresslevel=9, mtime=0)).decode()


def unpacked(text: str) -> Any:
    """The inverse of :func:`packed`."""
    return json.loads(gzip.decompress(base64.b64decode(text)))


def page_data(page: str) -> Any:
    """The data of a page, which are compressed in it: tables, specifications of figures, cells and trials.

    Args:
        page: as :func:`html_report` returns it.
    """
    return unpacked(page.partition(_DATA)[2].partition("<")[0])


def _with_short_settings(table: StudyTable, settings: Mapping[str, str]) -> StudyTable:
    """A table whose settings have short names, which its note explains: written out they push its numbers off the page.

    Args:
        table: any.
        settings: text of each setting by its short name.
    """
    if "setting" not in table.columns:
        return table
    place, names = table.columns.index("setting"), {text: name for name, text in settings.items()}
    used: set[str] = set()
    rows = []
    for row in table.rows:
        name = names.get(row[place].text, row[place].text)
        used.add(name)
        rows.append([*row[:place], Entry(name.replace(" ", _NO_BREAK), name), *row[place + 1 :]])
    said = [f"{name}: {text}" for name, text in settings.items() if name in used]
    return replace(table, rows=rows, note="; ".join([table.note, *said]))


def _table_json(table: StudyTable) -> Json:
    """A table for the page; a plain text stands for an entry that is sorted by it."""
    return {
        "name": table.name,
        "columns": table.columns,
        "labels": table.num_labels,
        "scale": table.scale,
        "shared": table.shared,
        "whole": table.is_whole,
        "rows": [[_entry_json(entry) for entry in row] for row in table.rows],
    }


def _entry_json(entry: Entry) -> str | list[Any]:
    if entry.order == entry.text and entry.key is None:
        return entry.text
    order = entry.order
    if isinstance(order, float) and not math.isfinite(order):  # which JSON lacks
        order = "" if math.isnan(order) else math.copysign(sys.float_info.max, order)
    return [entry.text, order, entry.key, int(entry.is_bound)]
