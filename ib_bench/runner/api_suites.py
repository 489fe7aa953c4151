"""``ib_bench.run``: a suite, measured from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from ib_bench import catalogue
from ib_bench.drawing.notebook import Drawing
from ib_bench.errors import UnknownNameError, require
from ib_bench.execution.executor import Executor
from ib_bench.plain_text import number_of
from ib_bench.results.identity import Json
from ib_bench.runner.executors import executor_sections
from ib_bench.runner.given import (
    given_executor,
    output_options,
    parsed_options,
    placement_options,
    plain_config,
    require_importable,
    watcher,
    weights_option,
)
from ib_bench.runner.places import DEFAULT_STORE, require_writable_folder, with_home
from ib_bench.runner.results import Results, quantity_list, results_of
from ib_bench.runner.suite_run import FinishedSuite, add_suite_arguments, planned, run_suite
from ib_bench.runner.suites import find_suite
from ib_bench.studies.suite import Suite, read_suite, suite_of


def run(
    suite: str | Path | Mapping[str, Any],
    *,
    axes: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    fast_dev_run: bool = False,
    figures: str | Path | None = None,
    store: str | Path = DEFAULT_STORE,
    executor: str | Executor | None = None,
    workers: int | None = None,
    keep_weights: bool = False,
    wandb: Any = None,
    log_file: str | Path | None = None,
    progress: bool = True,
    name: str = "suite",
    **sections: Any,
) -> Results | Drawing:
    """Measure every cell of a suite; what the store holds already is not measured again.

    Args:
        suite: name of a shipped suite, path of a suite file, or its content: a mapping with ``base`` and ``axes``, in
            which classes may stand as in :func:`measure`.
        axes: keep only these values of an axis.
        dry_run: return how much there is to do, and do nothing.
        fast_dev_run: try every value of every axis once, for a few steps, storing nothing.
        figures: folder for the figure's files; None writes none, and neither does ``fast_dev_run``.
        store: see :func:`measure`, as for the other arguments that it has too.
        executor: likewise.
        workers: likewise.
        keep_weights: likewise.
        wandb: likewise.
        log_file: likewise.
        progress: likewise.
        name: of a suite that is a mapping.
        sections: of executors, such as ``ray``.

    Returns:
        The results of the suite, as :func:`ib_bench.read` returns those of a store. ``failures`` lists the jobs that
        have failed, of which a warning tells too. With ``dry_run``, a table that prints itself.

    Raises:
        BenchError: an option is wrong, or a cell cannot be measured; says why.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = run(
        ...         {
        ...             "base": {"data": "ModularAddition", "search": {"max_size": 16, "max_steps": 10, "seeds": [1]}},
        ...             "axes": {"modulus": [2, 3], "max_length": 4, "model": ["Oracle"]},
        ...         },
        ...         store=f"{folder}/store.sqlite",
        ...     )
        >>> [record.verdict for record in found["search"]]
        ['1', '1']
    """
    for section in sections:
        if section not in executor_sections():
            raise UnknownNameError("section", section, executor_sections())
    require(not (dry_run and fast_dev_run), "fast_dev_run", fast_dev_run, "False with dry_run")
    parser = ArgumentParser(exit_on_error=False)
    add_suite_arguments(parser)
    given: Json = {"axes": axes or {}, "dry_run": dry_run, "fast_dev_run": fast_dev_run, **sections}
    if figures is not None:
        given["figures"] = str(figures)
    options = {
        **output_options(store, wandb, log_file),
        **weights_option(True, keep_weights),
        **placement_options(executor, workers),
    }
    parsed = parsed_options(parser, {**plain_config(given), **options})
    chosen = _suite(suite, name, executor).narrowed(parsed.axes)
    if dry_run:
        return Drawing([planned(chosen, parsed)])
    draws = figures is not None and not fast_dev_run
    if draws:
        require_writable_folder("figures", parsed.figures)
    finished = run_suite(chosen, parsed, watcher(progress), given_executor(executor), f"ib_bench.run({chosen.name})")
    for figure in finished.figures() if draws else ():
        figure.save(Path(parsed.figures) / figure.name)
    if finished.errors:
        label, error = finished.errors[0]
        count = f"{len(finished.errors)} of {number_of(len(finished.plan.jobs), 'jobs')} not finished"
        warnings.warn(f"{count}; the first is {label}: {error}", stacklevel=2)
    return _results(finished)


def _suite(suite: str | Path | Mapping[str, Any], name: str, executor: object) -> Suite:
    if isinstance(suite, Mapping):
        content = plain_config(suite)
        require_importable(content, executor)
        return suite_of(name, content)
    return read_suite(find_suite(with_home("suite", str(suite))))


def _results(finished: FinishedSuite) -> Results:
    records = finished.source
    of_suite = {
        quantity.name: quantity_list(quantity, finished.results(quantity.name), records, finished.name)
        for quantity in catalogue.quantities()
    }
    trials = results_of(records, finished.name).kinds

    def draw() -> Drawing:
        return Drawing(list(finished.tables()), list(finished.figures()))

    return Results({**trials, **of_suite}, finished.name, draw, finished.errors)
