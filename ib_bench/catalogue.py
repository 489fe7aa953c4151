"""The shipped classes, found by reading the folders; no registration needed.

A file of ``tasks/``, ``supervision/``, ``data/length_distributions/``, ``models/`` or ``execution/`` holds one class of
the same name (``dense_ssm.py`` holds ``DenseSSM``), and that class is shipped. A folder counts as a file: one of the
files in ``execution/slurm/`` holds ``Slurm``. The files are parsed, not imported, so that ``ib-bench ls`` answers
without loading torch. A folder of ``quantities/`` is a quantity; entry points name quantities from elsewhere.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, UnknownNameError
from ib_bench.user_code import import_class, origin

TASKS = "ib_bench.tasks"
SUPERVISION = "ib_bench.supervision"
LENGTH_DISTRIBUTIONS = "ib_bench.data.length_distributions"
MODELS = "ib_bench.models"
EXECUTORS = "ib_bench.execution"
QUANTITIES = "ib_bench.quantities"
"""Also the group of entry points that name quantities from elsewhere."""


@dataclass(frozen=True)
class Entry:
    """One shipped class.

    Attributes:
        name: of the file without its ending, or of the folder, such as ``chain_of_thought``.
        class_name: such as ``ChainOfThought``.
        module: dotted path of the module that defines it.
        summary: first line of the class docstring.
    """

    name: str
    class_name: str
    module: str
    summary: str

    def load(self) -> Any:
        """Import and return the class."""
        return getattr(importlib.import_module(self.module), self.class_name)


@cache
def entries(package: str) -> tuple[Entry, ...]:
    """The classes that ``package`` ships, in alphabetical order of their names."""
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    found = []
    files = {path: (path.stem, path.stem) for path in folder.glob("*.py")}
    files |= {path: (path.parent.name, f"{path.parent.name}.{path.stem}") for path in folder.glob("*/*.py")}
    for path, (name, module) in files.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and _is_shipped(node, name):
                summary = (ast.get_docstring(node) or "").partition("\n")[0].replace("`", "")
                found.append(Entry(name, node.name, f"{package}.{module}", summary))
    return tuple(sorted(found, key=lambda entry: entry.name))


@cache
def quantities() -> tuple[Any, ...]:
    """The registered quantities: those of this package by stage and name, then those from elsewhere.

    Raises:
        BenchError: an entry point names something that is no quantity, or a name that is taken.
    """
    folder = Path(__file__).parent / "quantities"
    names = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    shipped = [importlib.import_module(f"{QUANTITIES}.{name}").QUANTITY for name in names]
    found = {quantity.name: quantity for quantity in sorted(shipped, key=lambda quantity: quantity.stage)}
    for point in sorted(entry_points(group=QUANTITIES), key=lambda point: point.name):
        try:
            quantity = point.load().QUANTITY
        except Exception as error:
            raise BenchError(f"quantity {point.value!r} cannot be imported: {type(error).__name__}: {error}") from error
        if "search" not in quantity.sections:
            raise BenchError(f"quantity {point.value!r} must have the section search, which says what a trial is")
        if quantity.name in found:
            raise BenchError(f"quantity {point.value!r} has the name {quantity.name!r}, which is taken")
        found[quantity.name] = quantity
    return tuple(found.values())


def quantity(name: str) -> Any:
    """The registered quantity called ``name``.

    Raises:
        UnknownNameError: there is none.
    """
    known = {quantity.name: quantity for quantity in quantities()}
    if name not in known:
        raise UnknownNameError("quantity", name, known)
    return known[name]


def load_class(package: str, class_name: str) -> Any:
    """The shipped class called ``class_name``; for a package's ``__getattr__``.

    Raises:
        AttributeError: the package ships no such class.
    """
    for entry in entries(package):
        if entry.class_name == class_name:
            return entry.load()
    raise AttributeError(f"module {package!r} has no attribute {class_name!r}")


def find_class(package: str, name: str, option: str, base: type) -> Any:
    """A shipped class by its file's name, or anybody's class by its dotted path.

    Args:
        package: where shipped classes of this kind live.
        name: such as ``chain_of_thought`` or ``my_package.MyRegime``.
        option: what is being named, for the error message.
        base: what the class must derive from.

    Raises:
        UnknownNameError: neither is found.
        BenchError: what is found cannot be imported, or is something else.
    """
    for entry in entries(package):
        if entry.name == name:
            return entry.load()
    if "." in name and all(part.isidentifier() for part in name.split(".")):
        try:
            found = import_class(name)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise BenchError(f"{option} {name!r} cannot be imported{origin(name)}: {reason}") from error
        if not (isinstance(found, type) and issubclass(found, base)):
            raise BenchError(f"{option} {name!r}{origin(name)} must be the dotted path of a {base.__name__}")
        return found
    raise UnknownNameError(option, name, [entry.name for entry in entries(package)])


def _is_shipped(node: ast.ClassDef, name: str) -> bool:
    abstract = any(isinstance(base, ast.Name) and base.id == "ABC" for base in node.bases)
    return node.name.lower() == name.replace("_", "") and not abstract
