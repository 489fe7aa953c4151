"""The whole report, written into a folder: tables, figures, configs and one HTML file that holds everything."""

from __future__ import annotations

from pathlib import Path

from ib_bench.errors import BenchError
from ib_bench.report.html import html_report
from ib_bench.report.reproduction import config_text
from ib_bench.report.results import Results, loss_curves
from ib_bench.report.study_figures import loss_figure, study_figures
from ib_bench.report.study_tables import StudyTable, comma_separated, latex, markdown, study_tables
from ib_bench.studies.claims import Claim, check_claims


def html_of(results: Results) -> str:
    """The HTML report alone."""
    claims = {name: check_claims(records) for name, records in results.sources.items()}
    return html_report(results, study_tables(results, claims), claims, loss_curves(results.sources, None))


def write_report(
    results: Results, tables: list[StudyTable], claims: dict[str, list[Claim]], search: str | None, out: Path
) -> Path:
    """Write everything.

    Args:
        results: what was measured.
        tables: of the same results.
        claims: for each source.
        search: key, or its start, of the search whose loss curves are drawn; None takes the one with the most trials.
        out: the folder, made if it is missing.

    Returns:
        Path of the HTML file.

    Raises:
        BenchError: there is no such search, or a file cannot be written.
    """
    losses = loss_curves(results.sources, search)
    try:
        for folder in ("tables", "configs"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for table in tables:
            (out / "tables" / f"{table.name}.csv").write_text(comma_separated(table), encoding="utf-8")
            (out / "tables" / f"{table.name}.tex").write_text(latex(table), encoding="utf-8")
            text = markdown(table, link=lambda key: f"../configs/{key}.yaml")
            (out / "tables" / f"{table.name}.md").write_text(text, encoding="utf-8")
        for record in results.records:
            path = out / "configs" / f"{record.key}.yaml"
            path.write_text(config_text(record, f"configs/{path.name}"), encoding="utf-8")
        study_figures(results, out / "figures")
        if losses is not None:
            loss_figure(losses, out / "figures" / "losses")
        path = out / "report.html"
        path.write_text(html_report(results, tables, claims, losses), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"out must be a folder that can be written, got {str(out)!r}: {error.strerror}") from error
    return path
