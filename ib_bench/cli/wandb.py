"""``ib-bench wandb``: a store into Weights & Biases, and the project's dashboard there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jsonargparse import ArgumentParser

from ib_bench.cli.parsing import parse
from ib_bench.cli.sources import add_source_arguments, chosen_sources
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import say
from ib_bench.errors import BenchError, UnknownNameError, reason_of, require
from ib_bench.plain_text import number_of
from ib_bench.results.whole_file import write_text_whole
from ib_bench.runner.places import require_writable_file
from ib_bench.runner.wandb_logging import log_results
from ib_bench.tracking.settings import MODES, WandbSettings

_OUT = "workspace.json"

SUBCOMMANDS = {
    "sync-store": "log every finished result of a store that is not in W&B yet",
    "workspace": "build the project's dashboard",
}


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a subcommand."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, SUBCOMMANDS))
        lines = [f"  {name:{width}}  {summary}" for name, summary in SUBCOMMANDS.items()]
        print("\n".join([f"usage: ib-bench {command} SUBCOMMAND ...", "", *lines]))
        return 0
    subcommand, *rest = arguments
    if subcommand not in SUBCOMMANDS:
        raise UnknownNameError("subcommand of wandb", subcommand, SUBCOMMANDS)
    return (_sync_store if subcommand == "sync-store" else _workspace)(f"ib-bench {command} {subcommand}", rest)


@contextmanager
def _explained() -> Iterator[None]:
    """What W&B raises becomes one sentence.

    Raises:
        BenchError: W&B does not answer, or refuses.
    """
    try:
        yield
    except BenchError:
        raise
    except Exception as error:  # of W&B's client, of GraphQL or of the network
        raise BenchError(f"W&B failed: {reason_of(error)}") from error


def _sync_store(prog: str, arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog=prog, description=SUBCOMMANDS["sync-store"], exit_on_error=False)
    add_source_arguments(parser, "Log")
    parser.add_argument("--group", type=str | None, help="Name of the suite that the results belong to.")
    parser.add_class_arguments(WandbSettings, "wandb")
    options = parse(parser, arguments)
    settings = WandbSettings(**options.wandb)
    os.environ.setdefault("WANDB_SILENT", "true")  # otherwise its login contacts the server
    from ib_bench.tracking.runs import has_api_key, resolved_mode  # noqa: PLC0415 (only now it is silent)

    mode = resolved_mode(settings)
    if mode == "disabled":
        raise BenchError("wandb.mode and WANDB_MODE must be online or offline to log a store, got 'disabled'")
    named = MODES.get(os.environ.get("WANDB_MODE", ""), mode)  # with another one, W&B looks for no key
    if mode == named == "online" and not has_api_key():
        raise BenchError(
            "wandb.mode online needs an API key: run `wandb login`, or set WANDB_API_KEY; offline keeps the runs here"
        )
    exit_code = 0
    for name, records in chosen_sources(options).items():
        with _explained():
            logged, there, failures = log_results(records, settings, options.group)
        failed = f", {len(failures):,} failed ({next(iter(failures.values()))})" if failures else ""
        say(f"{name}: {number_of(logged, 'runs')} logged, {there:,} already there{failed}")
        exit_code = max(exit_code, int(bool(failures)))
    return exit_code


def _workspace(prog: str, arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog=prog, description=SUBCOMMANDS["workspace"], exit_on_error=False)
    parser.add_argument(
        "--entity", type=str | None, help="User or team; default: WANDB_ENTITY, or the account's default."
    )
    parser.add_argument("--project", type=str | None, help="Project of the runs; default: WANDB_PROJECT, or ib_bench.")
    parser.add_argument("--dry_run", action="store_true", help="Write the definition to a file instead of to W&B.")
    parser.add_argument("--out", type=str | None, help=f"File for --dry_run; {_OUT} if left out.")
    options = parse(parser, arguments)
    require(options.dry_run or options.out is None, "out", options.out, "left out without --dry_run")
    settings = WandbSettings(project=options.project, entity=options.entity)
    out = _OUT if options.out is None else options.out
    if options.dry_run:
        require_writable_file("out", out)
    from ib_bench.tracking.workspace import default_entity, definition, workspace  # noqa: PLC0415 (as above)

    with _explained():
        entity = settings.entity_name or ("ENTITY" if options.dry_run else default_entity())
    dashboard = workspace(entity, settings.project_name)
    if options.dry_run:
        write_text_whole(Path(out), json_text(definition(dashboard)))
        say(f"definition: {out}")
        return 0
    with _explained():
        dashboard.save()
    say(f"dashboard: {dashboard.url}")
    return 0
