"""A user's own classes, named by their dotted paths: where they are looked for, and how they are imported.

Commands that build such classes look in the working folder too. Nothing but these classes and what they import comes
from there: a file ``ruamel.py`` in it does not stand in for a package that some library would like to have.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

_LOADERS = frozenset(
    {
        __name__,
        "ib_bench.training.sources",
        "lightning.pytorch.cli",
    }
)
"""Modules that import what a user has named."""

_JSONARGPARSE = ("jsonargparse", "import_object")
"""The package and the function, in any of its modules, that import a class_path of a config.

Its other functions look for optional packages, such as ruamel, and must find nothing in the working folder.
"""

_UNPICKLERS = frozenset({"cloudpickle", "multiprocessing", "pickle", "ray", "submitit"})
"""Packages that import the classes of objects that come from another process."""

_MACHINERY = ("importlib", "importlib._bootstrap", "importlib._bootstrap_external", "importlib.util")

_folders: list[str] = []
_own: set[str] = set()
"""Modules, by the first part of their name, that were found in one of the folders."""


def look_in(folder: str) -> None:
    """Look for a user's own classes in a folder, after all other places.

    Args:
        folder: absolute path. One that is on the import path already, as ``PYTHONPATH`` may have put it, stays there.
    """
    if folder not in sys.path:
        sys.path.append(folder)
        guard(folder)


def guard(folder: str) -> None:
    """Keep a folder for a user's own classes, if it is on the import path."""
    if folder not in sys.path:
        return
    if folder not in _folders:
        _folders.append(folder)
    if PathFinder in sys.meta_path:
        sys.meta_path[sys.meta_path.index(PathFinder)] = _OwnClassesOnly


def import_class(path: str) -> Any:
    """Import a class or function by its dotted path.

    A module whose text has no such name is not run.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such name.
    """
    module, _, name = path.rpartition(".")
    if not _may_define(module, name):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def origin(path: str) -> str:
    """The file of a dotted path's module, for an error about the class.

    A module of Python or of a package hides a file of the same name in the working folder.

    Args:
        path: of a class.

    Returns:
        Text to follow the name of the class; empty where no module was found.
    """
    parts = path.split(".")[:-1]
    if not parts:
        return ""
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    module = next((sys.modules[name] for name in names if name in sys.modules), None)
    file = _file_of(parts[0]) if module is None else getattr(module, "__file__", None)
    if file is None or not os.path.isfile(file):
        return ""
    hidden = [own for folder in (*_folders, os.getcwd()) for own in _own_files(folder, parts[0])]
    if not hidden or any(os.path.samefile(file, own) for own in hidden):
        return f" (read from {file})"
    return f" (read from {file}, which hides {hidden[0]}: rename that)"


def _file_of(module: str) -> str | None:
    spec = _OwnClassesOnly.find_spec(module)
    return None if spec is None else spec.origin


def _own_files(folder: str, module: str) -> list[str]:
    paths = (os.path.join(folder, f"{module}.py"), os.path.join(folder, module, "__init__.py"))
    return [path for path in paths if os.path.isfile(path)]


class _OwnClassesOnly(PathFinder):
    """Python's finder of modules; those of guarded folders it finds only for those who load a user's classes."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        others = [entry for entry in sys.path if entry not in _folders]
        if path is not None or len(others) == len(sys.path):
            return super().find_spec(fullname, path, target)
        spec = super().find_spec(fullname, others, target)
        if spec is not None or not _is_for_user_code():
            return spec
        spec = super().find_spec(fullname, _folders, target)
        if spec is not None:
            _own.add(fullname)
        return spec


def _is_for_user_code() -> bool:
    """Whether the module that imports something now may find it in a guarded folder.

    Raises:
        AttributeError: the module that would be imported lacks the class that is looked for.
    """
    frame = sys._getframe(2)  # of who called find_spec
    while frame.f_back is not None and frame.f_globals.get("__name__") in _MACHINERY:
        frame = frame.f_back
    importer = str(frame.f_globals.get("__name__"))
    package = importer.partition(".")[0]
    if package == _JSONARGPARSE[0] and frame.f_code.co_name == _JSONARGPARSE[1]:
        _require_class(_first_argument(frame))
        return True
    return importer in _LOADERS or package in _UNPICKLERS | _own


def _first_argument(frame: FrameType) -> object:
    """What a running function was called with."""
    return frame.f_locals.get(frame.f_code.co_varnames[0])


def _require_class(path: object) -> None:
    """Keep jsonargparse from running a module that does not define what it imports: ``setup.py`` has no ``setup.cfg``.

    Raises:
        AttributeError: the module has no such name.
    """
    module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if not _may_define(module, name):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _may_define(module: str, name: str) -> bool:
    """Whether a module's text binds a name; true where only running it would show that."""
    if module in sys.modules:
        return True
    locations: Sequence[str] | None = None
    spec = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        inner = _OwnClassesOnly.find_spec(".".join(parts[:count]), locations)
        if inner is None:  # no module, but maybe a class that has another one inside; the import says what is missing
            return spec is None or _binds(spec, parts[count - 1])
        spec = inner
        locations = list(spec.submodule_search_locations or ())
    return spec is None or _binds(spec, name)


def _binds(spec: ModuleSpec, name: str) -> bool:
    """Whether the text of a module that has not been run binds a name, as far as its text shows."""
    if spec.name in sys.modules or spec.origin is None or not spec.origin.endswith(".py"):
        return True
    try:
        nodes = list(ast.walk(ast.parse(Path(spec.origin).read_bytes())))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return True
    bound = {name for node in nodes for name in _bound(node)}
    return name in bound or not bound.isdisjoint({"*", "__getattr__"})


def _bound(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []
