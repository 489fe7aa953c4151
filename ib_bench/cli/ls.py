"""List tasks, supervision regimes, length distributions, models, quantities and suites; or look at one task.

`ib-bench ls FiniteGroup` describes the task's examples, `ib-bench ls FiniteGroup --group A5` the machine with these
arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench import catalogue
from ib_bench.cli.parsing import parse
from ib_bench.drawing.terminal import say
from ib_bench.errors import UnknownNameError
from ib_bench.runner.suites import shipped_suites

if TYPE_CHECKING:
    from ib_bench.tasks.finite_state_machine import FiniteStateMachine

_KINDS = (
    ("tasks (--data, ib-bench ls TASK)", catalogue.TASKS, "class_name"),
    ("supervision (--data.supervision)", catalogue.SUPERVISION, "name"),
    ("length distributions (--data.length_distribution)", catalogue.LENGTH_DISTRIBUTIONS, "name"),
    ("models (--model)", catalogue.MODELS, "class_name"),
)


def main(command: str, arguments: Sequence[str]) -> int:
    """Print one line for each class, quantity and suite, or for each machine of one task."""
    if arguments and not arguments[0].startswith("-"):
        return _describe(command, arguments[0], arguments[1:])
    parse(ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False), arguments)
    console = Console()
    for title, package, shown in _KINDS:
        _print(console, title, [(getattr(entry, shown), entry.summary) for entry in catalogue.entries(package)])
    quantities = [(quantity.name, quantity.summary) for quantity in catalogue.quantities()]
    _print(console, "quantities (ib-bench NAME)", quantities)
    _print(console, "suites (ib-bench run)", shipped_suites())
    return 0


def _describe(command: str, name: str, arguments: Sequence[str]) -> int:
    """Print the properties of a task's machines: those of its examples, or the one that the arguments describe."""
    found = {entry.class_name: entry for entry in catalogue.entries(catalogue.TASKS)}
    if name not in found:
        raise UnknownNameError("task", name, found)
    task_class = found[name].load()
    parser = ArgumentParser(prog=f"ib-bench {command} {name}", description=found[name].summary, exit_on_error=False)
    own = parser.add_class_arguments(task_class, None)
    options = parse(parser, arguments)
    tasks = [task_class(**{option: options[option] for option in own})]
    if not arguments:
        tasks = [example.task for example in task_class.examples()]
    _print(Console(), f"{name}: {found[name].summary}", [_row(task) for task in tasks])
    return 0


def _row(task: FiniteStateMachine) -> tuple[str, str]:
    return str(task), ", ".join(f"{name} {value}" for name, value in task.properties().items())


def _print(console: Console, title: str, rows: list[tuple[str, str]]) -> None:
    say(title, console, style="bold")
    width = max((len(name) for name, _ in rows), default=0)
    for name, summary in rows:
        say(f"  {name:{width}}  {summary}", console)
    console.print()
