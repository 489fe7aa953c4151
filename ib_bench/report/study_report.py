"""The whole report: tables, figures, configs and one HTML file that holds everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ib_bench import catalogue
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study, study_of
from ib_bench.drawing.tables import StudyTable, comma_separated, latex, markdown
from ib_bench.errors import BenchError
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.quantity import Quantity
from ib_bench.quantities.search.futility import futility_notes
from ib_bench.report.cells import Found, cells_json
from ib_bench.report.claims_table import claims_table, pairs_table
from ib_bench.report.html import html_report
from ib_bench.report.reproduction import command_text, config_of, config_text
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import PAPER_PROTOCOL
from ib_bench.results.whole_file import write_text_whole
from ib_bench.scoring.league import League, league_figure, league_sentence, league_table
from ib_bench.studies.claims import Claim, check_claims


@dataclass(frozen=True)
class StudyReport:
    """Everything that a report holds.

    Attributes:
        study: the results.
        tables: leagues, those of every quantity, the pairs that the claims rest on, and the claims last.
        figures: leagues, and those of every quantity.
        claims: for each source.
        configs: text of the config of every result, by its key; the first lines are commands.
        found: every result, with its source and its quantity.
        first: sentences that its page begins with, before those about the results.
    """

    study: Study
    tables: Sequence[StudyTable]
    figures: Sequence[Figure]
    claims: Mapping[str, Sequence[Claim]]
    configs: Mapping[str, str]
    found: Found
    first: Sequence[str] = ()

    @property
    def html(self) -> str:
        """The report as one page."""
        return self.page()

    def page(self, version: str = "") -> str:
        """The report as one page.

        Args:
            version: of what a server shows; the page asks for another one now and then. Empty for a file.
        """
        cells = cells_json(self.study, self.found, self.configs)
        return html_report(self.study, self.tables, self.figures, self.claims, cells, version, self.first)

    def write(self, out: Path) -> Path:
        """Write everything.

        Args:
            out: the folder, made if it is missing.

        Returns:
            Path of the HTML file.

        Raises:
            BenchError: a file cannot be written.
        """
        try:
            for folder in ("tables", "configs"):
                (out / folder).mkdir(parents=True, exist_ok=True)
            for table in self.tables:
                write_text_whole(out / "tables" / f"{table.name}.csv", comma_separated(table))
                write_text_whole(out / "tables" / f"{table.name}.tex", latex(table))
                write_text_whole(out / "tables" / f"{table.name}.md", markdown(table, link="../configs/{}.yaml".format))
            for key, text in self.configs.items():
                write_text_whole(out / "configs" / f"{key}.yaml", text)
            path = out / "report.html"
            write_text_whole(path, self.html)
            for figure in self.figures:
                figure.save(out / "figures" / figure.name)
        except OSError as error:
            raise BenchError(f"out must be a folder that can be written, got {str(out)!r}: {error.strerror}") from error
        return path


def study_report(
    sources: Mapping[str, Records], search: str | None = None, leagues: Sequence[League] = ()
) -> StudyReport:
    """Make a report of everything that registered quantities find in records.

    Args:
        sources: the records, by the name of the store or archive that they are from.
        search: key, or its start, of the search whose loss curves are drawn; None takes the one with the most trials.
        leagues: shown before everything else.

    Raises:
        InvalidOptionError: there is no such search.
    """
    quantities = catalogue.quantities()
    found = {
        (source, quantity): quantity.results(records) for source, records in sources.items() for quantity in quantities
    }
    everything = [(source, one) for (source, _), results in found.items() for one in results]
    study = study_of(sources, everything, num_states, search)
    claims = {name: check_claims(records) for name, records in sources.items()}
    tables = [table for quantity in quantities for table in quantity.tables(study)]
    tables += [pairs_table(claims), claims_table(claims)]
    notes = futility_notes(one.result for one in study.results)
    return StudyReport(
        study=study,
        tables=[
            *(replace(league_table(own), is_whole=True) for own in leagues),
            *(replace(one, note="; ".join([one.note, *notes]), protocol=PAPER_PROTOCOL) for one in tables),
        ],
        figures=[
            *map(league_figure, leagues),
            *(figure for quantity in quantities for figure in quantity.figures(study)),
        ],
        claims=claims,
        configs=_configs((quantity, one) for (_, quantity), results in found.items() for one in results),
        found=[(source, quantity, one) for (source, quantity), results in found.items() for one in results],
        first=list(filter(None, map(league_sentence, leagues))),
    )


def _configs(results: Iterable[tuple[Quantity[Any], Any]]) -> dict[str, str]:
    """The config of every result by its key, with the commands that measure the results of this key."""
    configs: dict[str, Json] = {}
    commands: dict[str, dict[str, None]] = {}
    for quantity, result in results:
        if result.key not in configs:
            configs[result.key] = config_of(result, quantity.sections)
        own = commands.setdefault(result.key, {})
        if (options := quantity.options(result)) is not None:
            own[command_text(quantity.name, f"configs/{result.key}.yaml", options)] = None
    return {key: config_text(config, list(commands[key])) for key, config in configs.items()}
