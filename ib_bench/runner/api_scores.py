"""``ib_bench.score``: a model, scored from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from ib_bench.errors import UnknownNameError
from ib_bench.execution.executor import Executor
from ib_bench.runner.executors import executor_sections
from ib_bench.runner.given import (
    class_name,
    given_executor,
    output_options,
    parsed_options,
    placement_options,
    plain_config,
    require_importable,
    watcher,
)
from ib_bench.runner.places import DEFAULT_STORE
from ib_bench.runner.scoring import add_score_arguments, model_config, score_models
from ib_bench.scoring.protocol import DEFAULT_BUDGET, DEFAULT_PROTOCOL
from ib_bench.scoring.score import Score


def score(
    model: Any,
    budget: str = DEFAULT_BUDGET,
    *,
    protocol: str | Path = DEFAULT_PROTOCOL,
    allow_lookahead: bool = False,
    store: str | Path = DEFAULT_STORE,
    executor: str | Executor | None = None,
    workers: int | None = None,
    wandb: Any = None,
    log_file: str | Path | None = None,
    progress: bool = True,
    **sections: Any,
) -> Score:
    """Score a model by a fixed protocol; what the store holds already is not measured again.

    Args:
        model: as in :func:`measure`; also a text with arguments, such as ``LSTM(hidden_size=64)``.
        budget: of the protocol, ``laptop`` or ``gpu``.
        protocol: name of a shipped protocol, or path of a file of your own.
        allow_lookahead: score a model although it looks ahead; its name then says so.
        store: see :func:`measure`, as for the other arguments that it has too.
        executor: likewise; ``processes`` measures cells side by side on all cores.
        workers: likewise.
        wandb: likewise.
        log_file: likewise.
        progress: likewise.
        sections: of executors, such as ``ray``.

    Returns:
        The score. ``print`` prints its card, which a notebook also shows.

    Raises:
        BenchError: something is wrong with what is given; says what, and what is allowed.
    """
    for section in sections:
        if section not in executor_sections():
            raise UnknownNameError("section", section, executor_sections())
    config = model_config(model)
    require_importable({"model": config}, executor)
    parser = ArgumentParser(exit_on_error=False)
    add_score_arguments(parser)
    given = {"budget": budget, "protocol": str(protocol), "allow_lookahead": allow_lookahead}
    options = {**output_options(store, wandb, log_file), **placement_options(executor, workers)}
    parsed = parsed_options(parser, {**given, **plain_config(sections), **options})
    command = f"ib_bench.score({class_name(config)})"
    scores, finished = score_models([config], parsed, watcher(progress), given_executor(executor), command)
    if finished.errors:
        raise finished.errors[0][1]
    (found,) = scores
    return found
