"""Whether what was imported as a module is what its file says now.

A result is stored under a hash of the text of a module, so what runs must be that text. In a notebook, or a long
process, a file is edited after it was imported, and a module is reloaded without those that have taken something from
it. A digest refuses both.
"""

from __future__ import annotations

import ast
import sys
from abc import ABCMeta
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ib_bench.errors import BenchError

_IMMUTABLE = (bool, int, float, complex, str, bytes, tuple, type(None))


@dataclass
class _Load:
    """One load of a module; importing it again, or reloading it, gives it another spec."""

    spec: ModuleSpec | None
    text: str
    imported: dict[str, str]
    """Texts of the modules that it imports, as they were when a digest first followed it there."""


_loads: dict[str, _Load] = {}


@dataclass(frozen=True)
class _Scope:
    """What the body of a module or class binds.

    Attributes:
        once: names that it binds once, and that nothing rebinds later, as far as the text shows.
        values: ``repr`` of each of these that is a literal which cannot change.
        imports: these as they are called here, the statement that imports them, and their name there.
        classes: of these, the classes.
    """

    once: frozenset[str]
    values: Mapping[str, str]
    imports: tuple[tuple[str, ast.ImportFrom, str], ...]
    classes: Mapping[str, _Scope]


def require_unedited(module: ModuleType, text: str) -> None:
    """Make sure that what was imported as a module is this text, as far as can be seen.

    Functions and methods are compared with those of the text, and so are the numbers and texts that a module, a class
    or the default of an argument holds. Any other edit is seen if this has looked at the module before it.

    Args:
        module: that was imported.
        text: of its file.

    Raises:
        BenchError: what runs is not what the text says.
    """
    if not isinstance(module.__loader__, SourceFileLoader):
        return
    load = _loads.get(module.__name__)
    if load is None or load.spec is not module.__spec__:
        load = _loads[module.__name__] = _Load(module.__spec__, text, {})
    if load.text != text or not _same_functions(module, text):
        raise BenchError(f"{_file(module)} was edited after it was imported: {_REMEDY} the module")
    for name, written, value in _other_values(vars(module), _scope(text)):
        raise BenchError(
            f"{_file(module)} says {name} = {written}, but what was imported has {value!r}: {_REMEDY} the module"
        )


def require_up_to_date(module: ModuleType, texts: Mapping[str, str], imported: Iterable[str]) -> None:
    """Make sure that a module holds nothing that others of the user's modules had before they were reloaded.

    Args:
        module: that was imported, and has passed :func:`require_unedited`, as all others have.
        texts: of all modules that count, by name.
        imported: names of modules that this one imports.

    Raises:
        BenchError: another module was edited and reloaded, and this one was not.
    """
    load = _loads.get(module.__name__)
    if load is None:
        return
    loaded = [name for name in imported if name in texts and name in sys.modules]
    changed = [name for name in loaded if load.imported.setdefault(name, texts[name]) != texts[name]]
    for name in (*changed, *_taken_earlier(module, texts)):
        text = f"{_file(module)} was imported before {name} was reloaded, and still uses the old one"
        raise BenchError(f"{text}: {_REMEDY} {module.__name__} too")


_REMEDY = "restart Python, or reload"


def _file(module: ModuleType) -> str:
    return Path(str(module.__file__)).name


def import_source(node: ast.ImportFrom, package: Sequence[str]) -> str:
    """The absolute name of the module that ``from ... import`` names, in a module of a package."""
    parents = package[: len(package) - node.level + 1] if node.level else []
    return ".".join([*parents, *filter(None, [node.module])])


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and all within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def functions_of(value: type | FunctionType) -> list[FunctionType]:
    """A function, or the methods of a class."""
    if isinstance(value, FunctionType):
        return [value]
    members = [getattr(member, "fget", None) or getattr(member, "__func__", member) for member in vars(value).values()]
    return [member for member in members if isinstance(member, FunctionType)]


def _same_functions(module: ModuleType, text: str) -> bool:
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    functions = [one for value in own if isinstance(value, type | FunctionType) for one in functions_of(value)]
    written, defaults = _written_functions(text, str(module.__file__))
    for function in functions:
        code = function.__code__
        if code.co_filename == module.__file__:
            if code not in written:
                return False
            literals = defaults.get((code.co_name, code.co_firstlineno), [])
            if any(_differs(value, one) for value, one in zip(_defaults(function), literals, strict=False)):
                return False
    return True


def _defaults(function: FunctionType) -> list[object]:
    by_name = function.__kwdefaults__ or {}
    code = function.__code__
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return [*(function.__defaults__ or ()), *(by_name[name] for name in named if name in by_name)]


@lru_cache(maxsize=256)
def _written_functions(text: str, file: str) -> tuple[set[CodeType], dict[tuple[str, int], list[str | None]]]:
    """The functions of a text, and the literals among the defaults of their arguments, by name and first line."""
    written = set(codes(compile(text, file, "exec", dont_inherit=True)))
    defaults = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            given = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
            defaults[node.name, first] = [_literal(one) for one in given]
    return written, defaults


def _literal(node: ast.expr | None) -> str | None:
    """``repr`` of the value of a literal that cannot change; None if it is anything else."""
    try:
        value = ast.literal_eval(node) if node is not None else []
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return repr(value) if _is_immutable(value) else None


def _is_immutable(value: object) -> bool:
    return type(value) in _IMMUTABLE and (not isinstance(value, tuple) or all(map(_is_immutable, value)))


def _differs(value: object, written: str | None) -> bool:
    return written is not None and _is_immutable(value) and repr(value) != written


@lru_cache(maxsize=256)
def _scope(text: str) -> _Scope:
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    changing = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    changing |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)}
    return _scope_of(tree.body, changing)


def _scope_of(body: list[ast.stmt], changing: set[str]) -> _Scope:
    """What a body binds, without the names that are ``changing`` later, or bound more than once."""
    bound = [name for statement in body for name in _bound(statement)]
    once = frozenset(name for name in bound if bound.count(name) == 1 and name not in changing)
    values: dict[str, str] = {}
    imports: list[tuple[str, ast.ImportFrom, str]] = []
    classes: dict[str, _Scope] = {}
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and (literal := _literal(node.value)) is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values |= {one.id: literal for one in targets if isinstance(one, ast.Name) and one.id in once}
        elif isinstance(node, ast.ImportFrom):
            names = [(alias.asname or alias.name, alias.name) for alias in node.names]
            imports += [(own, node, name) for own, name in names if own in once]
        elif isinstance(node, ast.ClassDef) and node.name in once:
            classes[node.name] = _scope_of(node.body, changing)
    return _Scope(once, values, tuple(imports), classes)


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds, rebinds or deletes in its own scope, each as often as it does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _other_values(members: Mapping[str, Any], scope: _Scope, start: str = "") -> Iterator[tuple[str, str, object]]:
    """Name, text and value of what the text gives another value."""
    for name, written in scope.values.items():
        if name in members and _differs(members[name], written):
            yield f"{start}{name}", written, members[name]
    for name, inner in scope.classes.items():
        if type(members.get(name)) in (type, ABCMeta):  # another one may change what the class holds
            yield from _other_values(vars(members[name]), inner, f"{start}{name}.")


def _taken_earlier(module: ModuleType, texts: Mapping[str, str]) -> Iterator[str]:
    """The modules from which this one has taken a name, or the base of a class, that is something else there now."""
    members, scope = vars(module), _scope(texts[module.__name__])
    taken = []
    for own, node, name in scope.imports:
        if own in members:
            taken.append((import_source(node, str(module.__package__ or "").split(".")), name, members[own]))
    for name in scope.classes:
        bases = getattr(members.get(name), "__mro__", ())[1:]
        taken += [(base.__module__, base.__qualname__, base) for base in bases]
    for source, name, value in taken:
        if source == module.__name__ or source not in texts or source not in sys.modules:
            continue  # a class may have a base of its own name, such as a namedtuple
        there = vars(sys.modules[source]).get(name)  # of a package, a submodule may have come in the place of a name
        is_known = there is not None and not isinstance(there, ModuleType) and name in _scope(texts[source]).once
        if is_known and there is not value:
            yield source
