"""List tasks, supervision regimes, length distributions, models, quantities and suites."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench import catalogue
from ib_bench.cli.parsing import parse
from ib_bench.cli.suites import shipped_suites

_KINDS = (
    ("tasks (--data)", catalogue.TASKS, "class_name"),
    ("supervision (--data.supervision)", catalogue.SUPERVISION, "name"),
    ("length distributions (--data.length_distribution)", catalogue.LENGTH_DISTRIBUTIONS, "name"),
    ("models (--model)", catalogue.MODELS, "class_name"),
)


def main(command: str, arguments: Sequence[str]) -> int:
    """Print one line for each class, quantity and suite."""
    parse(ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False), arguments)
    console = Console()
    for title, package, shown in _KINDS:
        _print(console, title, [(getattr(entry, shown), entry.summary) for entry in catalogue.entries(package)])
    quantities = [(quantity.name, quantity.summary) for quantity in catalogue.quantities()]
    _print(console, "quantities (ib-bench NAME)", quantities)
    _print(console, "suites (ib-bench run)", shipped_suites())
    return 0


def _print(console: Console, title: str, rows: list[tuple[str, str]]) -> None:
    console.print(f"[bold]{title}[/bold]")
    width = max((len(name) for name, _ in rows), default=0)
    for name, summary in rows:
        console.print(f"  {name:{width}}  {summary}", soft_wrap=True, highlight=False)
    console.print()
