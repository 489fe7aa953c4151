"""The report as one HTML file, which needs neither a network nor other files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from ib_bench import __version__
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.tables import StudyTable
from ib_bench.report.claims_table import chance_text, shown_strata
from ib_bench.studies.claims import Claim


def html_report(
    study: Study,
    tables: Sequence[StudyTable],
    figures: Sequence[Figure],
    claims: Mapping[str, Sequence[Claim]],
    configs: Mapping[str, str],
) -> str:
    """Tables that can be sorted, charts with tooltips, claims with their rules, and the config of every number.

    Args:
        study: what was measured.
        tables: of the same results, the claims last.
        figures: of the same results.
        claims: for each source.
        configs: text of the config of every result, by its key.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    *of_quantities, of_claims = tables
    return environment.get_template("report.html.jinja").render(
        version=__version__,
        sources={name: str(records) for name, records in study.sources.items()},
        tables=of_quantities,
        charts=[figure.title for figure in figures],
        specs=_script_json([figure.spec for figure in figures]),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;") if figures else "",
        claims=claims,
        claims_note=of_claims.caption,
        shown_strata=shown_strata,
        chance_text=chance_text,
        configs=configs,
        settings=study.settings,
    )


def _script_json(data: Any) -> str:
    """JSON that may stand inside a script element: nothing in it opens a tag or a comment."""
    return json.dumps(data).replace("<", "\\u003c")
