"""The arguments that say where results go."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from jsonargparse import Namespace

from ib_bench.runner.jobs import Output
from ib_bench.runner.places import DEFAULT_STORE, require_writable_file, with_home
from ib_bench.tracking.settings import WandbSettings

KeepWeights = Literal["none", "best"]


def add_output_arguments(parser: Any) -> None:
    """The arguments of :func:`chosen_output`."""
    parser.add_class_arguments(WandbSettings, "wandb")
    parser.add_argument(
        "--store", type=str, default=DEFAULT_STORE, help="Path of the store; created if it does not exist."
    )
    parser.add_argument("--log_file", type=str | None, help="File to which a line is appended for each event.")


def add_keep_weights(parser: Any) -> None:
    """The argument of commands that keep weights; see :class:`~ib_bench.quantities.quantity.Quantity`."""
    parser.add_argument(
        "--keep_weights",
        type=KeepWeights,
        default="none",
        help="Keep the weights of the best trial at the largest size, beside the store. extrapolate loads weights that "
        "were kept only where it is given this option too; otherwise it trains again.",
    )


def chosen_output(options: Namespace, group: str | None = None) -> Output:
    """The chosen destinations of results.

    Args:
        options: of :func:`add_output_arguments`.
        group: name of the suite, or None.

    Raises:
        BenchError: a file cannot be written, or is the store.
    """
    store = Path(with_home("store", options.store)).absolute()
    log_file = None if options.log_file is None else with_home("log_file", options.log_file)
    if log_file is not None:
        require_writable_file("log_file", log_file, store)
    return Output(store, WandbSettings(**options.wandb), group, log_file)
