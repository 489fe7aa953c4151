"""``ib-bench wandb``: a store into Weights & Biases, and the project's dashboard there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from ib_bench.cli.counting import counted
from ib_bench.cli.parsing import parse, require_writable_file
from ib_bench.cli.sources import add_source_arguments, chosen_sources
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import say
from ib_bench.errors import BenchError, UnknownNameError
from ib_bench.results.archive import Records
from ib_bench.results.whole_file import write_text_whole
from ib_bench.tracking.settings import WandbSettings

_SUBCOMMANDS = {
    "sync-store": "log every finished result of a store that is not in W&B yet",
    "workspace": "build the project's dashboard",
}


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a subcommand."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, _SUBCOMMANDS))
        lines = [f"  {name:{width}}  {summary}" for name, summary in _SUBCOMMANDS.items()]
        print("\n".join([f"usage: ib-bench {command} SUBCOMMAND ...", "", *lines]))
        return 0
    subcommand, *rest = arguments
    if subcommand not in _SUBCOMMANDS:
        raise UnknownNameError("subcommand of wandb", subcommand, _SUBCOMMANDS)
    return (_sync_store if subcommand == "sync-store" else _workspace)(f"ib-bench {command} {subcommand}", rest)


def log_results(
    records: Records, settings: WandbSettings, group: str | None, with_suite: bool = True
) -> tuple[int, int]:
    """Log what is not in W&B yet: searches, kappas, extrapolations, and a run for all of them together.

    Args:
        records: of one or several results.
        settings: where to.
        group: name of the suite, or None.
        with_suite: whether there is to be a run for everything together.

    Returns:
        How many runs were logged, and how many were there already.
    """
    from ib_bench.report.study_report import study_report  # noqa: PLC0415 (as below)
    from ib_bench.tracking.replay import replay  # noqa: PLC0415 (wandb takes a second to import)

    report = study_report({group or "store": records}).html if with_suite else None
    with counted("W&B runs") as on_count:
        return replay(records, settings, group, report, on_count)


def log_quietly(records: Records, settings: WandbSettings, group: str | None) -> None:
    """Log the results of a command unless W&B is disabled; an error there becomes a warning.

    Args:
        records: of the command.
        settings: where to.
        group: name of the suite, or None; only a suite gets a run for everything together.
    """
    if settings.mode == "disabled":
        return
    try:
        log_results(records, settings, group, with_suite=group is not None)
    except Exception as error:
        warnings.warn(f"W&B failed, these results are not all logged there: {error!r}", stacklevel=2)


def _sync_store(prog: str, arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog=prog, description=_SUBCOMMANDS["sync-store"], exit_on_error=False)
    add_source_arguments(parser)
    parser.add_argument("--group", type=str | None, help="Name of the suite that the results belong to.")
    parser.add_class_arguments(WandbSettings, "wandb")
    options = parse(parser, arguments)
    settings = WandbSettings(**options.wandb)
    from ib_bench.tracking.runs import resolved_mode  # noqa: PLC0415 (as above)

    if resolved_mode(settings) == "disabled":
        raise BenchError("wandb.mode and WANDB_MODE must be online or offline to log a store, got 'disabled'")
    for name, records in chosen_sources(options).items():
        logged, there = log_results(records, settings, options.group)
        say(f"{name}: {logged} runs logged, {there} were there already")
    return 0


def _workspace(prog: str, arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog=prog, description=_SUBCOMMANDS["workspace"], exit_on_error=False)
    parser.add_argument("--entity", type=str | None, help="User or team; WANDB_ENTITY or the account's default else.")
    parser.add_argument("--project", type=str | None, help="Project of the runs; WANDB_PROJECT or ib_bench else.")
    parser.add_argument("--dry_run", action="store_true", help="Write the definition to a file instead of to W&B.")
    parser.add_argument("--out", type=str, default="workspace.json", help="That file.")
    options = parse(parser, arguments)
    settings = WandbSettings(project=options.project, entity=options.entity)
    if options.dry_run:
        require_writable_file("out", options.out)
    from ib_bench.tracking.workspace import default_entity, definition, workspace  # noqa: PLC0415 (as above)

    entity = settings.entity_name or ("ENTITY" if options.dry_run else default_entity())
    dashboard = workspace(entity, settings.project_name)
    if options.dry_run:
        write_text_whole(Path(options.out), json_text(definition(dashboard)))
        say(f"definition: {options.out}")
        return 0
    dashboard.save()
    say(f"dashboard: {dashboard.url}")
    return 0
