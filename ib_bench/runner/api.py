"""The functions of ``import ib_bench`` that measure: the command line's options, checks, keys and records.

Each takes what the command of the same name takes. A section of a config is an argument: ``--search.seeds '[1, 2]'``
is ``search={"seeds": [1, 2]}`` here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ib_bench import catalogue
from ib_bench.errors import UnknownNameError, require
from ib_bench.execution.executor import Executor
from ib_bench.execution.main_module import leave_if_imported_again
from ib_bench.quantities.quantity import Quantity
from ib_bench.report.findings import Findings
from ib_bench.results.identity import Json
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.check import check_named
from ib_bench.runner.executors import executor_sections
from ib_bench.runner.given import (
    INLINE,
    class_name,
    given_executor,
    output_options,
    parsed_options,
    placement_options,
    plain_config,
    require_importable,
    watcher,
    weights_option,
)
from ib_bench.runner.measure import add_measurement_arguments, measured
from ib_bench.runner.places import DEFAULT_STORE, with_home
from ib_bench.studies.divergence import divergence_notes
from ib_bench.training.class_parser import ClassParser

if TYPE_CHECKING:
    from ib_bench.quantities.curve.record import CurveRecord
    from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
    from ib_bench.quantities.growth.record import Growth
    from ib_bench.quantities.search.record import SearchRecord
    from ib_bench.quantities.sharing.record import Sharing


def measure(
    quantity: str,
    model: Any,
    data: Any,
    *,
    store: str | Path = DEFAULT_STORE,
    executor: str | Executor | None = None,
    workers: int | None = None,
    keep_weights: bool = False,
    wandb: Any = None,
    log_file: str | Path | None = None,
    progress: bool = True,
    **sections: Any,
) -> Any:
    """Measure one quantity of one experiment; what the store holds already is not measured again.

    Args:
        quantity: ``search``, ``sharing``, ``extrapolate``, ``curve``, ``growth``, or the name of one of your own.
        model: a class, its name (shipped ones) or dotted path, ``functools.partial`` of a class with arguments, or
            both as in a config file: ``{"class_path": ..., "init_args": {...}}``.
        data: likewise; also an instance of a DataModule.
        store: path of the store; created if it does not exist.
        executor: where jobs run: ``inline`` (also None) is this process, one after the other; ``processes``, ``ray``
            and ``slurm``, for a quantity of several jobs, as on the command line; or an executor.
        workers: see ``--workers``.
        keep_weights: whether the best weights at the largest size are kept beside the store; not all quantities can.
            With it, and only then, ``extrapolate`` loads weights that were kept, instead of training again.
        wandb: a mapping of the options ``--wandb.*``, or :class:`~ib_bench.tracking.settings.WandbSettings`; None logs
            nothing.
        log_file: file that gets a line for each event; appended to.
        progress: whether progress is shown: bars in a notebook and on a terminal, elsewhere a line for each job.
        sections: further sections of a config file, such as ``trainer``, ``search`` and ``ray``: mappings, or instances
            of their settings class.

    Returns:
        The result, such as a :class:`~ib_bench.quantities.search.record.SearchRecord`. As the last value of a
        notebook's cell it shows its table and figure.

    Raises:
        BenchError: something is wrong with what is given; says what, and what is allowed.
    """
    leave_if_imported_again()
    wanted: Quantity[Any] = catalogue.quantity(quantity)
    known = ["trainer", *wanted.sections, *(executor_sections() if wanted.has_many_jobs else ())]
    for section in sections:
        if section not in known:
            raise UnknownNameError("section", section, known)
    allowed = f"False for {quantity}, which keeps no weights"
    require(wanted.keeps_weights or not keep_weights, "keep_weights", keep_weights, allowed)
    options: Json = {**output_options(store, wandb, log_file), **weights_option(wanted.keeps_weights, keep_weights)}
    if wanted.has_many_jobs:
        options |= placement_options(executor, workers)
    else:
        allowed = f"inline or an executor for {quantity}, which is one job"
        require(executor in (None, INLINE) or isinstance(executor, Executor), "executor", executor, allowed)
        require(workers is None, "workers", workers, f"None for {quantity}, which is one job")
    parser = ClassParser(exit_on_error=False)
    add_measurement_arguments(parser, wanted)
    config = plain_config({"model": model, "data": data, **sections})
    require_importable(config, executor)
    parsed = parsed_options(parser, {**config, **options})
    command = f"ib_bench.{quantity}({class_name(config['model'])}, {class_name(config['data'])})"
    result = measured(wanted, parser, parsed, watcher(progress), given_executor(executor), command)
    if result is None:
        raise SystemExit(0)  # this process has trained for another one, which has the result
    with Store(with_home("store", parsed.store)) as kept:
        for note in divergence_notes([result], lambda keys: kept.get_many(TrialRecord, keys)):
            warnings.warn(note, stacklevel=2)
    return result


def search(model: Any, data: Any, **options: Any) -> SearchRecord:
    """N*, the smallest training set with which a model learns a task; see :func:`measure` for the options.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = search(
        ...         "Oracle",
        ...         {"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 4}},
        ...         search={"max_size": 64, "max_steps": 10, "learning_rates": [0.01], "seeds": [1]},
        ...         store=f"{folder}/store.sqlite",
        ...     )
        >>> found.verdict
        '1'
    """
    return measure("search", model, data, **options)


def curve(model: Any, data: Any, **options: Any) -> CurveRecord:
    """The success curve of a model on a task, and N50 with an interval; see :func:`measure` for the options.

    Example:
        >>> import tempfile
        >>> from ib_bench.models import TabularLearner
        >>> from ib_bench.data import ModularAddition
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = curve(
        ...         TabularLearner,
        ...         ModularAddition(modulus=2, max_length=4),
        ...         search={"max_steps": 10, "learning_rates": [0.01]},
        ...         curve={"max_trials": 4},
        ...         store=f"{folder}/store.sqlite",
        ...     )
        >>> len(found.curve_trials)
        4
    """
    return measure("curve", model, data, **options)


def sharing(model: Any, data: Any, **options: Any) -> Sharing:
    """Kappa, the sharing factor: N* at each length alone over N* at all; see :func:`measure` for the options.

    Example:
        >>> import tempfile
        >>> quick = {"max_size": 16, "max_steps": 10, "learning_rates": [0.01], "seeds": [1]}
        >>> data = {"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 3}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = sharing("Oracle", data, search=quick, store=f"{folder}/store.sqlite")
        >>> sorted(found.parts)
        [2, 3]
    """
    return measure("sharing", model, data, **options)


def extrapolate(model: Any, data: Any, **options: Any) -> ExtrapolationRecord:
    """Accuracy at lengths beyond those of training; see :func:`measure` for the options.

    Example:
        >>> import tempfile
        >>> from ib_bench.data import ModularAddition
        >>> data = ModularAddition(modulus=3, max_length=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = extrapolate("Oracle", data, search={"max_steps": 10}, store=f"{folder}/store.sqlite")
        >>> found.at(2 * found.max_length).normalized_final_state_accuracy
        1.0
    """
    return measure("extrapolate", model, data, **options)


def growth(model: Any, data: Any, **options: Any) -> Growth:
    """How N50 grows with the maximal length or the number of states; see :func:`measure` for the options."""
    return measure("growth", model, data, **options)


def check(model: Any, data: Any = None) -> Findings:
    """Check that a model can be measured, without training it.

    Args:
        model: as in :func:`measure`.
        data: likewise; None takes sums modulo 5 of up to 8 numbers.

    Returns:
        A list of :class:`~ib_bench.results.integrity.Finding`; a search refuses models with a ``failure``.

    Raises:
        BenchError: model or data cannot be built.

    Example:
        >>> {finding.state for finding in check("GRU")}
        {'ok'}
    """
    config = plain_config({"model": model} if data is None else {"model": model, "data": data})
    return Findings(check_named(config), class_name(config["model"]))
