"""The arguments that say where searches run; the executors are found in the folder ``execution/``."""

from __future__ import annotations

from typing import Any, Literal

from jsonargparse import Namespace

from ib_bench import catalogue
from ib_bench.errors import BenchError, require
from ib_bench.execution.executor import Executor, SharedOptions

_MAX_WORKERS = 1024


def add_executor_arguments(parser: Any) -> None:
    """The arguments of :func:`chosen_executor`."""
    found = catalogue.entries(catalogue.EXECUTORS)
    parser.add_argument(
        "--executor",
        type=Literal[tuple(entry.name for entry in found)],
        default="processes",
        help="Where searches run. " + " ".join(f"{entry.name}: {entry.summary}" for entry in found),
    )
    parser.add_argument(
        "--workers",
        type=int | None,
        help=f"How many searches run at once{_only_for('workers')}; if left out, as many as there are GPUs, or else "
        "CPU cores.",
    )
    for entry in found:
        if (settings := entry.load().settings_class) is not None:
            parser.add_class_arguments(settings, entry.name)
    parser.add_argument(
        "--collect",
        action="store_true",
        help=f"Collect finished searches; submit nothing, and do not wait{_only_for('collect')}.",
    )


def executor_sections() -> list[str]:
    """The names of the executors that have settings, which are sections of options."""
    return [name for name, kind in _executors().items() if kind.settings_class is not None]


def chosen_executor(options: Namespace) -> Executor:
    """The executor that the arguments ask for.

    Raises:
        BenchError: options of another executor are given, or something that it needs is missing.
    """
    name, workers = options.executor, options.workers
    require(workers is None or 1 <= workers <= _MAX_WORKERS, "workers", workers, f"an integer in 1..{_MAX_WORKERS}")
    executors = _executors()
    settings = {
        other: kind.settings_class(**options[other])
        for other, kind in executors.items()
        if kind.settings_class is not None
    }
    for other, given in settings.items():
        if other != name and given != type(given)():
            raise BenchError(f"{other}.* options only apply to --executor {other} (got --executor {name})")
    for option, is_given in {"workers": workers is not None, "collect": options.collect}.items():
        if is_given and option not in executors[name].takes:
            raise BenchError(f"--{option} only applies{_only_for(option, ' to')} (got --executor {name})")
    shared = SharedOptions(workers, options.collect, call_id=lambda remote: remote.job.key)
    return executors[name].from_settings(settings.get(name), shared)


def _executors() -> dict[str, type[Executor]]:
    return {entry.name: entry.load() for entry in catalogue.entries(catalogue.EXECUTORS)}


def _only_for(option: str, preposition: str = ", with") -> str:
    """Which executors take an option."""
    names = [name for name, kind in _executors().items() if option in kind.takes]
    return f"{preposition} --executor {' or '.join(names)}"
