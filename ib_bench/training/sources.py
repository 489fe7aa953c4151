"""The code from outside this package that a result depends on.

A class is identified by the text of the modules that it is made of: those that define it and its bases, and all that
these import, as far as the user may edit them. Installed packages and Python's own modules are not followed; a class
that comes from an installed package counts all modules of that package.

In a notebook, a class has no module file. It is identified by the text of the cells that define it and all classes and
functions that it mentions, and by the plain values that it mentions.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import importlib.util
import json
import linecache
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from itertools import chain, count
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from ib_bench.constructors import constructor_parameters, is_hinted_as_code, is_path_of_code
from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.training.edits import codes, functions_of, import_source, require_unedited, require_up_to_date

_PACKAGE = __name__.partition(".")[0]

_CLASSES_BY_NAME = ("supervision", "length_distribution")
"""Arguments of :class:`StateTrackingData` that name a class although their type is ``str``."""

_VERSIONED = ("torch", "lightning")
"""Packages whose versions every trial's record holds: of their classes, only the defining modules are hashed."""

_NOTEBOOK = "__main__"

_NAMED = (type, FunctionType, BuiltinFunctionType)

_GLOBAL_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
"""Instructions of Python's that read a global name, or may."""


def is_ours(module: str) -> bool:
    """Whether a module is part of this package."""
    return module.partition(".")[0] == _PACKAGE


def source_digests(
    *specs: ClassSpec, data: SearchableData | None = None, model_files: Iterable[str | Path] = ()
) -> dict[str, str]:
    """A hash of the code behind every class from outside this package that specs name, and of every file that is read.

    An edited model is another model: its results are stored under other keys.

    Args:
        specs: classes named inside their arguments count too.
        data: that the specs lead to; the files that it names (:attr:`SearchableData.files`) count too.
        model_files: that the model read, see :func:`files_of`.

    Returns:
        32 hexadecimal digits by dotted path of a class, or by name of a file.

    Raises:
        BenchError: code or a file cannot be read, so that the measured code could not be identified later.
    """
    paths = sorted({path for spec in specs for path in _classes(spec) if not is_ours(path)})
    found = {path: _digest_of_class(ClassSpec(path).cls) for path in paths}
    files = {"data": getattr(data, "files", ()), "model": model_files}
    for reader, file in [(reader, Path(file)) for reader, own in files.items() for file in own]:
        found[_free_name(f"file {file.name}", found)] = _digest_of_file(file, reader)
    return found


def require_planned_code(experiment: Experiment) -> None:
    """Make sure that this process imports the code that an experiment was planned with.

    A process looks at each class once: it holds the code from then on, even if the file is edited. Classes of the
    running script have another name in other processes, and are not compared.

    Args:
        experiment: that is about to be measured.

    Raises:
        BenchError: the text of a class was edited in between.
    """
    for path, planned in experiment.source_digests.items():
        if path.startswith(("file ", f"{_NOTEBOOK}.")) or (path, planned) in _held:
            continue
        try:
            found = _digest_of_class(ClassSpec(path).cls)
        except Exception:  # it was imported before the edit, or cannot be at all, which building it explains
            found = planned
        if found != planned:
            raise BenchError(f"the code of {path} was edited after this was planned: run the command again")
        _held.add((path, planned))


_held: set[tuple[str, str]] = set()


def files_of(model: nn.Module) -> list[str]:
    """The files that a model says that it reads: ``files``, a list of paths, of itself or of modules in it."""
    listed = [vars(one).get("files", getattr(type(one), "files", None)) for one in model.modules()]
    paths = [path for files in listed if isinstance(files, list | tuple) for path in files]
    return list(dict.fromkeys(str(path) for path in paths if isinstance(path, str | Path)))


def _free_name(name: str, taken: Mapping[str, str]) -> str:
    """The name, with a number where another file is called alike."""
    names = (f"{name} ({number})" for number in count(2))
    return next(one for one in chain([name], names) if one not in taken)


def _classes(spec: ClassSpec) -> Iterator[str]:
    """The dotted paths of the class of a spec and of the classes in its arguments."""
    yield spec.class_path
    for name, value in spec.init_args.items():
        yield from _nested_classes(value)
        if isinstance(value, str) and "." in value and _names_code(spec.cls, name, value):
            yield value
            arguments = spec.init_args.get(f"{name}_arguments")  # such as a mixer's
            if isinstance(arguments, Mapping):
                yield from _classes(ClassSpec(value, dict(arguments)))


def _nested_classes(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(value.get("class_path"), str) and "." in value["class_path"]:
        yield from _classes(ClassSpec(value["class_path"], dict(value.get("init_args") or {})))
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _nested_classes(item)


def _names_code(cls: type, argument: str, value: str) -> bool:
    """Whether the value of an argument is the dotted path of a class or function that a text identifies."""
    if issubclass(cls, StateTrackingData) and argument in _CLASSES_BY_NAME:
        return True
    if not is_path_of_code(cls, argument, value) or isinstance(ClassSpec(value).cls, BuiltinFunctionType):
        return False
    is_hinted = is_hinted_as_code(constructor_parameters(cls)[argument])
    return is_hinted or value.partition(".")[0] not in _VERSIONED


def _digest_of_class(cls: type | FunctionType) -> str:
    if cls.__module__ == _NOTEBOOK and getattr(sys.modules[_NOTEBOOK], "__file__", None) is None:
        return _digest("".join(_notebook_texts(cls)))
    own = cls.__module__.partition(".")[0]
    found = _followed([base.__module__ for base in getattr(cls, "__mro__", (cls,))], own)
    if not any(found.values()):
        raise BenchError(f"{_unreadable(f'{cls.__module__}.{cls.__qualname__}')}; put the class into a .py file")
    return _digest("".join(found[module] for module in sorted(found)))


def _followed(modules: Sequence[str], own: str) -> dict[str, str]:
    """The texts of those modules that count, and of all that these import, by name.

    Args:
        modules: names.
        own: package of the class that they identify.
    """
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found and _counts(module, own):
            found[module] = _text(module)
            if own not in _VERSIONED:
                waiting += _imported(module, found[module])
    for module in found:
        if module in sys.modules:
            require_up_to_date(sys.modules[module], found, _imported(module, found[module]))
    return found


def _unreadable(name: str) -> str:
    return f"the source of {name} cannot be read, so its results could not be distinguished from those of an edited one"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest_of_file(file: Path, reader: str) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:32]
    except OSError as error:
        raise BenchError(f"the {reader} read {str(file)!r}, which cannot be opened: {error.strerror}") from error


def _counts(module: str, own: str) -> bool:
    """Whether a module's text identifies a class of the package ``own``."""
    parent = module.rpartition(".")[0]
    if is_ours(module) or (parent and not _counts(parent, own)):
        return False
    if parent and (location := _location(parent)) is not None and not location.is_dir():
        return False  # a name in a file, which looking for a module of that name would run
    location = _location(module)
    if location is None:
        return False
    return module.partition(".")[0] == own or not _is_installed(location.parents[module.count(".")])


@cache
def _is_installed(folder: Path) -> bool:
    """Whether a folder of modules is Python's own, or one into which packages are installed."""
    libraries = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    return any(folder.is_relative_to(library) for library in libraries) or any(folder.glob("*.dist-info"))


def _is_library(file: Path) -> bool:
    """Whether a file of code is Python's own, or an installed package's; the cell of a notebook has no such file."""
    return file.is_absolute() and any(map(_is_installed, file.parents))


def _location(module: str) -> Path | None:
    """The file of a module, or the folder of a package without one; None if it has neither, or does not exist."""
    loaded = sys.modules.get(module)
    if loaded is None:
        parent = module.rpartition(".")[0]
        try:
            if parent and parent not in sys.modules:  # looking for the module by its name would run its package
                place = _location(parent)
                spec = _spec_in(place, module) if place is not None and place.is_dir() else None
            else:
                spec = importlib.util.find_spec(module)
        except (ImportError, AttributeError, ValueError):
            return None
        if spec is None:
            return None
        file, folders = (spec.origin if spec.has_location else None), spec.submodule_search_locations
    else:
        file, folders = getattr(loaded, "__file__", None), getattr(loaded, "__path__", None)
    if file is not None:
        found = Path(file).resolve()
        return found.parent if found.stem == "__init__" else found
    return Path(next(iter(folders))).resolve() if folders else None


def _spec_in(package: Path, module: str) -> ModuleSpec | None:
    """Where a module in the folder of a package is that is not imported."""
    try:
        return PathFinder.find_spec(module, [str(package)])
    except KeyError:  # it is a folder without __init__.py, for which Python asks the imported package
        spec = ModuleSpec(module, None, is_package=True)
        spec.submodule_search_locations = [str(package / module.rpartition(".")[2])]
        return spec


def _text(module: str) -> str:
    """The text of a module; empty if there is none, as of one that is compiled.

    Raises:
        BenchError: the module was edited after it was imported, so that what runs is not what the text says.
    """
    location = _location(module)
    if location is None:
        return ""
    file = location / "__init__.py" if location.is_dir() else location
    if file.suffix != ".py" or not file.is_file():
        return ""
    linecache.checkcache(str(file))
    text = "".join(linecache.getlines(str(file)))
    if module in sys.modules and not _is_installed(location.parents[module.count(".")]):
        require_unedited(sys.modules[module], text)
    return text


@lru_cache(maxsize=256)
def _imported(module: str, text: str) -> tuple[str, ...]:
    """The modules that a module's text imports, wherever it does so, and the packages that they are in."""
    location = _location(module)
    is_package = location is not None and location.is_dir()
    package = module.split(".") if is_package else module.split(".")[:-1]
    if module == _NOTEBOOK:  # the script of `python -m package.script`
        package = [part for part in (sys.modules[module].__package__ or "").split(".") if part]
    found: dict[str, None] = {}  # in order, each once
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = import_source(node, package)
            names = [start, *(f"{start}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[:num]): None for num in range(1, len(parts) + 1)}
    return tuple(found)


def _notebook_texts(cls: type | FunctionType) -> list[str]:
    """The texts of the cells behind a class of a notebook, and the plain values that it mentions."""
    texts: dict[str, None] = {}  # in order, each once
    waiting: list[tuple[str, Any]] = [(cls.__qualname__, cls)]
    seen: set[int] = set()
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, _NAMED) and name not in (value.__name__, "__class__"):
            texts[f"{name} is {_path(value)}\n"] = None  # another name, which may mean something else later
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, ModuleType):
            texts |= _texts_of([value.__name__])
        elif isinstance(value, type | FunctionType):
            if value.__module__ == _NOTEBOOK:
                texts[_cell(name, value)] = None
                texts |= _texts_of(_imported_within(value))
                waiting += _mentioned(value)
            else:
                texts |= _texts_of([value.__module__])
        elif not isinstance(value, BuiltinFunctionType):
            texts[f"{name} = {_plain(name, value)}\n"] = None
    return list(texts)


def _texts_of(modules: Sequence[str]) -> dict[str, None]:
    """The texts of modules that a notebook has imported, and of what these import, each once."""
    found = _followed(modules, own="")
    return dict.fromkeys(found[module] for module in sorted(found))


def _cell(name: str, value: type | FunctionType) -> str:
    """The text of the cell that defines a class or function; a class without methods of its own is its plain values."""
    declared = _fields(value)
    functions = [function for function in _written(value) if not is_ours(function.__module__)]
    for function in functions:
        if lines := linecache.getlines(function.__code__.co_filename):
            return "".join(lines)
    if functions:
        raise BenchError(f"{_unreadable(name)}; put it into a .py file")
    start = "" if declared is None else f"{name} = {_plain(name, declared)}\n"
    if declared is not None and not is_dataclass(value):
        return start
    own = {key: one for key, one in vars(value).items() if not key.startswith(("__", "_abc_"))}
    own = {key: one for key, one in own.items() if key not in (declared or ())}
    texts = {key: _path(one) for key, one in own.items() if isinstance(one, _NAMED)}
    texts |= {key: _plain(f"{name}.{key}", one) for key, one in own.items() if not callable(one)}
    return start + "".join(f"{name}.{key} = {texts[key]}\n" for key in own if key in texts)


_GENERATED = "<string>"
"""Where the methods of dataclasses and named tuples are from, which their module makes."""


def _fields(value: type | FunctionType) -> dict[str, Any] | None:
    """What a dataclass, a named tuple or an enumeration declares; None of anything else."""
    if not isinstance(value, type):
        return None
    if is_dataclass(value):
        default = {field.name: None if field.default is MISSING else field.default for field in fields(value)}
        return {field.name: [str(field.type), default[field.name]] for field in fields(value)}
    if issubclass(value, Enum):
        return {member.name: member.value for member in value}
    if issubclass(value, tuple) and hasattr(value, "_fields"):
        return {"fields": value._fields, "defaults": getattr(value, "_field_defaults", {})}
    return None


def _path(value: type | FunctionType | BuiltinFunctionType) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _written(value: type | FunctionType) -> Iterator[FunctionType]:
    """A function, or the methods of a class, as somebody wrote them.

    That is, without decorators of installed packages, and without the methods that are made of what a class declares.
    """
    is_declared = _fields(value) is not None
    for function in functions_of(value):
        inner: object = function
        while inner is not None:
            if isinstance(inner, FunctionType) and not _is_library(Path(inner.__code__.co_filename)):
                is_made = inner.__code__.co_filename == _GENERATED and inner.__name__.startswith("__")
                if not (is_declared and is_made):
                    yield inner
            inner = getattr(inner, "__wrapped__", None)


def _mentioned(value: type | FunctionType) -> list[tuple[str, Any]]:
    """The bases of a class, what it keeps, and what its methods or a function take from the notebook or close over."""
    found: list[tuple[str, Any]] = []
    if isinstance(value, type):
        kept = [(name, one) for name, one in vars(value).items() if isinstance(one, type)]
        methods = [(function.__name__, function) for function in _written(value)]  # one may be of another cell
        found = [*((base.__name__, base) for base in value.__bases__), *kept, *methods]
        if is_dataclass(value):
            found += [(one.name, one.default_factory) for one in fields(value) if one.default_factory is not MISSING]
    for function in _written(value):
        if not is_ours(function.__module__):
            names = _names(function.__code__) & function.__globals__.keys()
            for name in sorted(names):
                found += [(name, function.__globals__[name]), *_parts(function.__globals__[name], function.__code__)]
        for name, closed in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            content = closed.cell_contents
            if isinstance(content, type | FunctionType) or not is_ours(function.__module__):
                found.append((name, content))
    return found


def _parts(value: object, code: CodeType) -> list[tuple[str, Any]]:
    """The modules in a user's package whose names some code has as attributes, such as ``layers`` of ``pkg.layers``."""
    if not isinstance(value, ModuleType) or not hasattr(value, "__path__") or not _counts(value.__name__, own=""):
        return []
    names = {name for inner in codes(code) for name in inner.co_names}
    start = f"{value.__name__}."
    inside = sorted(name for name in sys.modules if name.startswith(start))
    return [(name, sys.modules[name]) for name in inside if names.issuperset(name.removeprefix(start).split("."))]


def _names(code: CodeType) -> set[str]:
    """The global names that a function and what is written in it read; names of attributes are others."""
    instructions = chain.from_iterable(dis.get_instructions(inner) for inner in codes(code))
    return {one.argval for one in instructions if one.opname in _GLOBAL_READS}


def _imported_within(value: type | FunctionType) -> list[str]:
    """The modules that methods or a function import when they run."""
    found: dict[str, None] = {}
    for function in _written(value):
        module = ""
        for one in chain.from_iterable(map(dis.get_instructions, codes(function.__code__))):
            if one.opname == "IMPORT_NAME":
                module = one.argval
                parts = module.split(".")
                found |= {".".join(parts[:num]): None for num in range(1, len(parts) + 1)}
            elif one.opname == "IMPORT_FROM":
                found[f"{module}.{one.argval}"] = None
    return list(found)


def _plain(name: str, value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise BenchError(
            f"{name} is an object of the notebook that a class to be measured mentions; its results could not be "
            f"distinguished from those with another {name}. Make it an argument of the class, or put both into a .py "
            f"file"
        ) from error
