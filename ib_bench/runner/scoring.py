"""Scores of models, measured: what ``ib_bench.score`` and ``ib-bench score`` do."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.console import Group

from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.execution.executor import Executor
from ib_bench.results.identity import Json
from ib_bench.runner.executors import add_executor_arguments, chosen_executor
from ib_bench.runner.given import plain_config
from ib_bench.runner.jobs import MakeWatcher
from ib_bench.runner.outputs import add_output_arguments, chosen_output
from ib_bench.runner.plan import Plan, make_plan
from ib_bench.runner.protocols import add_protocol_arguments
from ib_bench.runner.suite_run import FinishedSuite, planned_work, run_plan
from ib_bench.scoring.card import logged_card
from ib_bench.scoring.league import among_shipped
from ib_bench.scoring.protocol import Budget, read_budget, suite_cells
from ib_bench.scoring.score import Score, scores_of
from ib_bench.studies.suite import Suite, merged
from ib_bench.tracking.settings import WandbSettings


def add_score_arguments(parser: Any) -> None:
    """Everything that can be said about scores, on the command line and from Python, but for the models."""
    add_protocol_arguments(parser)
    parser.add_argument("--allow_lookahead", action="store_true", help="Score models although they look ahead.")
    parser.add_argument("--dry_run", action="store_true", help="Print how much there is to do, and run nothing.")
    add_executor_arguments(parser)
    add_output_arguments(parser)


def score_models(
    models: Sequence[Json],
    options: Namespace,
    make_watcher: MakeWatcher | None,
    executor: Executor | None = None,
    command: str | None = None,
) -> tuple[list[Score], FinishedSuite]:
    """Measure every cell of a protocol for some models, except what the store holds, and log their cards.

    Args:
        models: as :func:`model_config` returns them.
        options: of :func:`add_score_arguments`.
        make_watcher: makes a display, or None.
        executor: where the jobs run; None takes the one of the options.
        command: see :class:`~ib_bench.runner.jobs.Output`.

    Returns:
        The scores, as far as their cells are there, with their place in the shipped league, and how the jobs have
        ended.

    Raises:
        BenchError: an option is wrong, or a model cannot be measured.
    """
    budget = read_budget(options.protocol, options.budget)
    executor = executor or chosen_executor(options)
    output = replace(chosen_output(options, group=budget.title), command=command)
    plan = score_plan(models, budget, output.store, options.allow_lookahead)
    finished = run_plan(budget.title, plan, executor, output, make_watcher)
    scores = among_shipped(scores_of(finished.source, budget), budget)
    for score in scores:
        _log_quietly(score, output.wandb)
    return scores, finished


def planned_scores(models: Sequence[Json], options: Namespace) -> Group:
    """The remaining work for the scores of models; runs nothing. Arguments as above."""
    budget = read_budget(options.protocol, options.budget)
    executor = chosen_executor(options)
    store = chosen_output(options).store
    plan = score_plan(models, budget, store, options.allow_lookahead)
    return planned_work(budget.title, plan, store, executor)


def model_config(model: Any) -> Json:
    """A model as a section of a config.

    Args:
        model: as of :func:`ib_bench.measure`; a text may have arguments, as tables write them, such as
            ``LSTM(hidden_size=64)``.

    Raises:
        BenchError: it is none of these.
    """
    if not isinstance(model, str):
        section: Json = plain_config({"model": model})["model"]
        return {"init_args": {}, **section}
    name, bracket, _ = model.partition("(")
    try:
        call = ast.parse(model if bracket else f"{name}()", mode="eval").body
        path = ast.unparse(call.func) if isinstance(call, ast.Call) and not call.args else None
    except _NOT_PYTHON as error:
        raise InvalidOptionError("model", model, _MODEL) from error
    if not isinstance(call, ast.Call) or path != name.strip():
        raise InvalidOptionError("model", model, _MODEL)
    return {"class_path": name.strip(), "init_args": _arguments(call, model)}


def _arguments(call: ast.Call, model: str) -> Json:
    """The arguments of a class as a text names them.

    Raises:
        InvalidOptionError: they are no plain data, or have no name of their own.
    """
    names = [one.arg or "**" for one in call.keywords]
    if "**" in names or len(set(names)) < len(names):
        raise InvalidOptionError("model", model, f"{_MODEL}; each argument once, by its name")
    try:
        arguments = {name: ast.literal_eval(one.value) for name, one in zip(names, call.keywords, strict=True)}
        json.dumps(arguments, allow_nan=False)
    except _NOT_PYTHON as error:
        allowed = f"{_MODEL}; finite numbers, texts in quotes, lists in []"
        raise InvalidOptionError("model", model, allowed) from error
    return arguments


_MODEL = "a class, or a class with arguments such as 'LSTM(hidden_size=64)'"
_NOT_PYTHON = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
"""What Python raises for texts that are no calls, or whose arguments are no plain data."""


def score_plan(models: Sequence[Json], budget: Budget, store: Path, allow_lookahead: bool = False) -> Plan:
    """The jobs of a protocol for some models.

    Args:
        models: as :func:`model_config` returns them.
        budget: of the protocol.
        store: path of the store.
        allow_lookahead: measure models although they look ahead; their name then says so.

    Raises:
        BenchError: a model cannot be measured.
    """
    cells = []
    for model in models:
        changes = {"model": model, "search": {"allow_lookahead": allow_lookahead}}
        for suite, _, _ in budget.suites:
            cells += [replace(cell, config=merged(cell.config, changes)) for cell in suite_cells(suite)]
    try:
        return make_plan(Suite(budget.title, {}, {}, ()), cells, store, keep_weights=False)
    except BenchError as error:
        raise error.__cause__ or error from error


def _log_quietly(score: Score, settings: WandbSettings) -> None:
    """Log a card unless W&B is disabled or has it; an error there becomes a warning."""
    if settings.is_disabled:
        return
    from ib_bench.tracking.replay import log_run  # noqa: PLC0415 (wandb takes a second to import)
    from ib_bench.tracking.runs import logged_runs, resolved_mode  # noqa: PLC0415

    try:
        logged = logged_card(score)
        if resolved_mode(settings) != "disabled" and logged.run_id not in logged_runs(settings):
            log_run(logged, "score", settings, score.budget.title)
    except Exception as error:
        warnings.warn(f"W&B failed, the card is not logged there: {error!r}", stacklevel=2)
