"""Rank the models that were scored by one protocol, your own beside those that ship with the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from ib_bench.cli.cards import CARD_FILES, put_cards
from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.tables import comma_separated, markdown, narrowed, rich_table
from ib_bench.drawing.terminal import console_beside, say, show
from ib_bench.errors import BenchError, UnknownNameError, require
from ib_bench.results.archive import Records
from ib_bench.results.whole_file import write_text_whole
from ib_bench.runner.places import DEFAULT_STORE
from ib_bench.runner.protocols import add_protocol_arguments, require_card_file
from ib_bench.scoring.league import (
    SHIPPED,
    League,
    league,
    league_figure,
    league_json,
    league_records,
    league_table,
    shipped_archive,
)
from ib_bench.scoring.protocol import read_budget
from ib_bench.scoring.score import scores_called

LeagueFormat = Literal["table", "markdown", "csv", "json"]

_FILES: dict[str, Callable[[League], str]] = {
    ".svg": lambda own: league_figure(own).svg,
    ".md": lambda own: markdown(league_table(own)),
    ".csv": lambda own: comma_separated(league_table(own)),
    ".json": lambda own: json_text(league_json(own)),
}
_FORMATS = {"markdown": ".md", "csv": ".csv", "json": ".json"}


def main(command: str, arguments: Sequence[str]) -> int:
    """Print the league."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    parser.add_argument(
        "sources",
        type=str,
        nargs="*",
        default=[],
        help=f"Stores, archives and folders of submissions; default: {DEFAULT_STORE}, if it exists.",
    )
    add_protocol_arguments(parser)
    parser.add_argument("--own_only", action="store_true", help="Leave out the scores that ship with the package.")
    parser.add_argument(
        "--sort",
        type=str,
        default="size",
        help="Number to rank by: size, kappa, slope, accuracy_2x, accuracy_8x, parameters, state, step_ms (of scores "
        "from one kind of device), or a cell such as abelian_outcome.",
    )
    parser.add_argument(
        "--card",
        type=str | None,
        help="Print the card of this model instead: its name in the league, or the start of the names of several.",
    )
    parser.add_argument("--format", type=LeagueFormat, default="table", help="Output format; a card has no csv.")
    parser.add_argument("--out", type=str | None, help="File for the league or card: .svg, .md, .json, or .csv.")
    options = parse(parser, arguments)
    if options.card is not None:
        require(options.format != "csv", "format", options.format, "table, markdown or json for a card")
    if options.out is not None:
        require_card_file(options.out, _FILES if options.card is None else CARD_FILES)
    budget = read_budget(options.protocol, options.budget)
    own = league(_sources(options.sources, budget.protocol, options.own_only), budget, options.sort)
    if not own.places:
        raise BenchError(f"there are no scores of {budget.title}; `ib-bench score MODEL` measures one")
    if options.card is not None:
        return _print_cards(own, options)
    console = Console()
    if options.format == "table":
        table = league_table(own)
        show(rich_table(narrowed(table, console.width) if console.is_terminal else table), console)
    else:
        print(_FILES[_FORMATS[options.format]](own), end="")
    if options.out is not None:
        write_text_whole(Path(options.out), _FILES[Path(options.out).suffix](own))
        say(f"league: {options.out}", console_beside(options.format))
    return 0


def _print_cards(own: League, options: Namespace) -> int:
    called = scores_called((place.score for place in own.places), options.card)
    places = [place for place in own.places if place.score in called]
    if not places:
        raise UnknownNameError("model", options.card, (place.score.name for place in own.places))
    names = ", ".join(f"{place.score.name} of {place.source}" for place in places)
    require(options.out is None or len(places) == 1, "card", options.card, f"the name of one model with --out: {names}")
    scores = [replace(place.score, standing=own.standing(place, " of the league")) for place in places]
    put_cards(scores, options.format, options.out)
    return 0


def _sources(named: Sequence[str], protocol: str, own_only: bool) -> dict[str, Records]:
    """The records, by the name of where they are from."""
    sources: dict[str, Any] = {}
    archive = None if own_only else shipped_archive(protocol)
    if archive is not None:
        sources[SHIPPED] = league_records(archive)
    default = [DEFAULT_STORE] if Path(DEFAULT_STORE).exists() else []
    for source in named or default:
        sources[source] = league_records(Path(source))
    return sources
