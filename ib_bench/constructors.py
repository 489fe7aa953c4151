"""The parameters of a constructor, also where it passes ``*args`` and ``**kwargs`` on to another one."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any, get_args, get_origin

# Private, and without a replacement: inspect.signature finds fewer parameters, which would change the keys of records.
from jsonargparse._parameter_resolvers import get_signature_parameters


@cache
def constructor_parameters(cls: Any) -> Mapping[str, Parameter]:
    """The parameters of a class's constructor by name, with those that ``**kwargs`` leads to.

    Args:
        cls: a class. Where its source cannot be read, ``**kwargs`` is taken to lead to its bases.
    """
    try:
        found = get_signature_parameters(cls, logger=False)
    except Exception:  # a signature that jsonargparse does not understand
        return inspect.signature(cls).parameters
    parameters = (
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=one.annotation) for one in found
    )
    return MappingProxyType({one.name: one for one in parameters})


@cache
def takes_any_keyword(cls: Any) -> bool:
    """Whether a constructor keeps its ``**kwargs``, or passes them on to code that hides their names."""
    for base in cls.__mro__:
        constructor = vars(base).get("__init__")
        if constructor is None:
            continue
        signature = inspect.signature(constructor).parameters
        keywords = next((name for name, one in signature.items() if one.kind is Parameter.VAR_KEYWORD), None)
        if keywords is None or base.__module__.partition(".")[0] in ("torch", "lightning"):
            return False
        if constructor_parameters(cls).keys() <= signature.keys() or _keeps(constructor, keywords):
            return True
    return False


def _keeps(constructor: Any, keywords: str) -> bool:
    """Whether a constructor does more with its ``**kwargs`` than to pass them on or to look single ones up."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(constructor)))
    except (OSError, SyntaxError):
        return False
    understood = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg is None]
    understood += [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("get", "pop")
    ]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == keywords]
    return any(use not in understood for use in uses)


def is_hinted_as_code(parameter: Parameter) -> bool:
    """Whether the type hint of a parameter says that its value is a class or a function."""
    hint = parameter.annotation
    return any(one is type or get_origin(one) is type or is_of_functions(one) for one in (hint, *get_args(hint)))


def with_code(cls: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a class with dotted paths replaced by the classes and functions that they name.

    Args:
        cls: whose constructor takes them.
        arguments: plain data, by name.

    Raises:
        ImportError: there is no such module.
        AttributeError: the module has no such class or function.
    """
    return {name: _object(value) if is_path_of_code(cls, name, value) else value for name, value in arguments.items()}


def is_path_of_code(cls: Any, name: str, value: Any) -> bool:
    """Whether the value of an argument is the dotted path of a class or function."""
    parameter = constructor_parameters(cls).get(name)
    if parameter is None or not isinstance(value, str) or "." not in value:
        return False
    return is_hinted_as_code(parameter) or is_code(parameter.default)


def _object(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def is_code(value: Any) -> bool:
    """Whether a value is a class or a function, and not an object that can be called."""
    return value is not Parameter.empty and isinstance(value, type | FunctionType | BuiltinFunctionType)


def is_named(function: Any) -> bool:
    """Whether a class or function can be found by its dotted path, which a lambda cannot."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module is None:  # some of torch's own functions do not say where they are
        return hasattr(importlib.import_module("torch"), getattr(function, "__name__", ""))
    return "<" not in name


def is_of_functions(hint: Any) -> bool:
    """Whether a type hint is ``Callable``, with or without arguments."""
    origin = get_origin(Callable[..., Any])
    return hint in (Callable, origin) or get_origin(hint) is origin
