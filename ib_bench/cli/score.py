"""``ib-bench score``: how good a model is, by a fixed protocol, as a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench.cli.cards import CARD_FILES, put_cards
from ib_bench.cli.parsing import parse
from ib_bench.cli.run import list_failures
from ib_bench.drawing.terminal import console_beside, show
from ib_bench.errors import require
from ib_bench.runner.display import display
from ib_bench.runner.protocols import require_card_file
from ib_bench.runner.scoring import add_score_arguments, model_config, planned_scores, score_models
from ib_bench.scoring.shelf import shelf

CardFormat = Literal["table", "markdown", "json"]


def main(command: str, arguments: Sequence[str]) -> int:
    """Score models, and print their cards."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Score models by a fixed protocol: success curves, kappa, extrapolation and slope in L, of a few "
        "small cells; results in the store are not measured again.",
        exit_on_error=False,
    )
    parser.add_argument(
        "models",
        type=str,
        nargs="*",
        default=[],
        help="Names of shipped models or dotted paths of your own, also with arguments: 'LSTM(hidden_size=64)'.",
    )
    parser.add_argument(
        "--shelf",
        action="store_true",
        help="Score every shipped model at the size that it has in the league, besides those that are named.",
    )
    add_score_arguments(parser)
    parser.add_argument("--format", type=CardFormat, default="table", help="Output format.")
    parser.add_argument("--out", type=str | None, help="File for the card of one model: .svg, .md or .json.")
    options = parse(parser, arguments)
    models = [*options.models, *(shelf() if options.shelf else [])]
    require(bool(models), "models", [], "at least one model, or left out with --shelf")
    if options.out is not None:
        require(len(models) == 1, "out", options.out, f"left out for {len(models)} models")
        require_card_file(options.out, CARD_FILES, options.store)
    configs = [model_config(model) for model in models]
    console = Console()
    if options.dry_run:
        show(planned_scores(configs, options), console)
        return 0
    scores, finished = score_models(configs, options, display)
    put_cards(scores, options.format, options.out)
    return list_failures(finished, console_beside(options.format))
