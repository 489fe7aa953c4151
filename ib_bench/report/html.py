"""The report as one HTML file, which needs neither a network nor other files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from ib_bench import __version__
from ib_bench.report.charts import study_charts
from ib_bench.report.reproduction import commands_of, config_text
from ib_bench.report.results import LossCurves, Results
from ib_bench.report.study_tables import StudyTable
from ib_bench.studies.claims import Claim


def html_report(
    results: Results, tables: Sequence[StudyTable], claims: dict[str, list[Claim]], losses: LossCurves | None
) -> str:
    """Tables that can be sorted, charts with tooltips, claims with their rules, and the config of every number.

    Args:
        results: what was measured.
        tables: of the same results.
        claims: for each source.
        losses: a search whose validation losses are drawn.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    charts = study_charts(results, losses)
    configs = {record.key: _reproduction(record) for record in results.records}
    return environment.get_template("report.html.jinja").render(
        version=__version__,
        sources={name: str(records) for name, records in results.sources.items()},
        tables=[table for table in tables if table.name != "claims"],
        charts=[title for title, _ in charts],
        specs=_script_json([spec for _, spec in charts]),
        vega=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;") if charts else "",
        claims=claims,
        claims_note=next(table.note for table in tables if table.name == "claims"),
        configs=configs,
        settings=results.settings,
    )


def _reproduction(record: Any) -> dict[str, Any]:
    path = f"configs/{record.key}.yaml"
    return {"commands": commands_of(record, path), "config": config_text(record, path)}


def _script_json(data: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data).replace("</", "<\\/")
