"""Jsonargparse's errors as one sentence that names the option, the value and what is allowed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise

from jsonargparse import ArgumentError, ArgumentParser

from ib_bench import catalogue
from ib_bench.constructors import constructor_parameters
from ib_bench.errors import BenchError, UnknownNameError, nearest, reason_of, shortened, shown
from ib_bench.user_code import origin

_SHORT_NAMES = {"model": catalogue.MODELS, "data": catalogue.TASKS}
_OPTIMIZERS = ("optimizer", "lr_scheduler")
_SIMILAR = 0.7  # difflib's ratio from which on a name counts as a mistyped one


def unreadable(arguments: Sequence[str], error: UnicodeDecodeError) -> BenchError:
    """The error for a config file that holds no text."""
    return BenchError(f"config {_config_files(arguments)} is not valid YAML: {error}")


def option_names(parser: ArgumentParser) -> list[str]:
    """All options of a parser, such as ``--search.seeds``."""
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]


def explained(error: ArgumentError, arguments: Sequence[str] = (), options: Sequence[str] = ()) -> BenchError:
    """Jsonargparse's message, which can be a dozen lines about type unions, as one sentence.

    Args:
        error: as jsonargparse raised it.
        arguments: what was parsed, to name the config file.
        options: the options there are, to name the nearest one to an unknown one.
    """
    message = str(error)
    if found := re.search(r"unrecognized arguments: (\S+)", message):
        return _unknown_option(found[1].partition("=")[0], options)
    if found := re.match(r"Option '([^']+)' is not accepted", message):
        return _unknown_option(f"--{found[1]}", options)
    if found := re.search(r"Group '([^']+)' does not accept option '([^']+)'", message):
        return _unknown_option(f"--{found[1]}.{found[2]}", options)
    if found := re.search(r"Problems parsing config: (.*)", message, re.DOTALL):
        return BenchError(f"config {_config_files(arguments)} is not valid YAML: {' '.join(found[1].split())}")
    if found := re.search(r"Unexpected config: (.*)", message, re.DOTALL):
        content = " ".join(found[1].split()) or "nothing"
        return BenchError(f"config {_config_files(arguments)} must be a mapping of options, it holds {content}")
    if found := re.search(r"File does not exist: (.*)", message):
        return BenchError(f"config {found[1]} does not exist")
    if found := re.search(r"unrecognized arguments:(.*)", message, re.DOTALL):
        return BenchError(f"unknown argument {shown(found[1].strip())}")
    if found := re.search(r"Key must be a string, got: (.*)\.|Empty nested key: (.*)\.", message):
        return BenchError(f"config {_config_files(arguments)} must have texts as keys, got {found[1] or found[2]}")
    path = ".".join(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', message)))
    if found := re.match(r"--(\S+)\.help: (?:Expected a dot import path string: (\S+)|\"(.*)\" is not a)", message):
        return _unknown_class(found[1], found[2] or found[3])
    if found := re.search(r"Unable to load config '(.*)'\n", message, re.DOTALL):
        section = path.partition(".")[0]
        return BenchError(f"{section} must be options or a config file with them, got {shown(found[1])}")
    if is_no_class := _no_class(path, message, arguments):
        return is_no_class
    if found := re.search(r"Problem with given class_path '([^']+)':\s+Option '([^']+)' is not accepted", message):
        return _unknown_parameter(path, *found.groups())
    if found := re.search(r"class_path '([^']+)':\s+the following arguments are required: ([^\n]*)", message):
        return _missing_arguments(path, *found.groups())
    if found := re.search(r"the following arguments are required: ([^\n]*)", message):
        return not_given([name.rpartition(".")[2] for name in found[1].split(", ")])
    if nested := re.search(r"Subtypes: \[<class 'str'>.*NestedArg\(key='([^']+)'", message, re.DOTALL):
        return _unknown_option(f"--{path}.{nested[1]}", options)
    is_whole_class = path in _SHORT_NAMES
    path, value = _given(path, message)
    if found := re.search(r"Expected an import path corresponding to a (\S+)\.", message):
        kind = found[1].removesuffix("]").rpartition(".")[2]
        return BenchError(f"{path} must be the dotted path of a class derived from {kind}, got {shown(value)}")
    unusable = re.search(r"Errors:\s+- (.*?)\n\s+- Expected a <class 'NoneType'>", message, re.DOTALL)
    if is_whole_class and value is not None and unusable:
        reason = shortened(" ".join(unusable[1].rpartition("':\n")[2].split()))
        if reason.endswith("has no attribute 'keys'"):
            return BenchError(f"{path} must be a class with init_args that are a mapping, got {shown(value)}")
        if reason.startswith("Import path does not correspond"):
            reason = f"it is no {_base(path)}"
        return BenchError(f"{path} {shown(value)}{origin(value)} cannot be used: {reason}")
    # An optional class adds "or None" to the errors of everything inside it: only what the innermost key says counts.
    innermost = message.rpartition('Parser key "')[2].partition("Given value type")[0]
    innermost = innermost.partition("Got value")[0]
    expected = dict.fromkeys(re.findall(r"Expected an? ((?:<class|typing\.).*?[>\]])", innermost))
    if path and expected and value is not None:
        return BenchError(f"{path} must be {' or '.join(filter(None, map(_readable, expected)))}, got {shown(value)}")
    if path and value is not None:
        return BenchError(f"{path} cannot be {shown(value)}{_first_reason(innermost)}")
    return BenchError(reason_of(error))


def not_given(names: Sequence[str]) -> BenchError:
    """The error for required arguments that are not given.

    Args:
        names: of the arguments; a model and data are options.
    """
    given = [f"--{name}" if name in _SHORT_NAMES else name for name in names]
    listed = "; `ib-bench ls` lists what there is" if set(names) & set(_SHORT_NAMES) else ""
    return BenchError(f"the following arguments are required: {', '.join(given)}{listed}")


def _first_reason(message: str) -> str:
    """Why the first type that was tried does not take a value; later ones are alternatives."""
    found = re.search(r"- ([^\n]+)", message)
    return "" if found is None else f": {found[1].strip().rstrip('.')}"


def _given(path: str, message: str) -> tuple[str, str | None]:
    """The option that a message is about, as precisely as it says, and the value that was given."""
    found = re.search(r"(?:Got value|Given value): (.*)", message)
    if found is None:
        return path, None
    if nested := re.match(r"NestedArg\(key='([^']+)', val='?(.*?)'?\)$", found[1]):
        return path if path.endswith(f".{nested[1]}") else f"{path}.{nested[1]}", nested[2]
    spec = re.match(r"(?:Namespace\(class_path=|\{.*'class_path': )'([^']*)'", found[1])
    return path, spec[1] if spec else found[1]


_MISSING = r"Problem with given class_path '([^']+)':\s+(No module named .*|module .* has no attribute .*)"
_OTHER_CLASS = "Import path does not correspond to a subclass"
_BAD_PATH = re.compile(r"(?:Expected a? ?dot import path string|Unexpected import path format): ?(\S*)")


def _no_class(path: str, message: str, arguments: Sequence[str]) -> BenchError | None:
    """The error about an option that is a class, or a list of classes, and was given what is no dotted path.

    Args:
        path: of the option.
        message: jsonargparse's.
        arguments: what was parsed; jsonargparse replaces the name of a file by its content.

    Returns:
        The error, or None if it is about something else.
    """
    innermost = message.rpartition('Parser key "')[2]
    if missing := re.search(_MISSING, innermost):
        return None if path in _SHORT_NAMES else BenchError(f"{path} {shown(missing[1])} cannot be used: {missing[2]}")
    found = _BAD_PATH.search(innermost)
    is_other_class = _OTHER_CLASS in innermost and path not in _SHORT_NAMES
    is_no_class = found or is_other_class or "Not a valid subclass" in innermost
    if not is_no_class or "Problem with given class_path" in innermost:
        return None
    path, value = _given(path, message)
    value = dict(pairwise(word for one in arguments for word in one.split("=", 1))).get(f"--{path}", value)
    if found and (value is None or (path in _SHORT_NAMES and value.startswith("{"))):
        value = found[1]
    value = value or ""
    subtypes = re.search(r"Subtypes: \[(.*)\]", innermost)
    if path in _SHORT_NAMES or subtypes is None:
        return _unknown_class(path, value)
    kinds = {
        "a list of such classes": re.search(r"\b(?:list|Iterable)\[", subtypes[1]),
        "a name": "<class 'str'>" in subtypes[1],
        "true or false": "<class 'bool'>" in subtypes[1],
        "null": "<class 'NoneType'>" in subtypes[1],
    }
    allowed = ["the dotted path of a class", *(kind for kind, is_allowed in kinds.items() if is_allowed)]
    return BenchError(f"{path} must be {', '.join(allowed[:-1])} or {allowed[-1]}, got {shown(value)}")


def _missing_arguments(option: str, class_path: str, names: str) -> BenchError:
    given = [f"--{option}.{name}" for name in names.split(", ")]
    verb = "has" if len(given) == 1 else "have"
    text = f"{option} {class_path.rpartition('.')[2]} needs {' and '.join(given)}, which {verb} no default"
    if option == "model":
        text += "; what is filled in from the data is called vocab_size, num_classes and num_positions"
        if "learning_rate" in names.split(", "):
            text += ", and learning_rate, which a search sets, must have a default in the constructor"
    return BenchError(text)


def _unknown_option(option: str, options: Sequence[str]) -> BenchError:
    """Says what to use instead: the nearest option of the same section, or what a search offers for it."""
    if not option.startswith("-"):
        is_store = option.endswith(".sqlite") and "--store" in options
        named = f"; a store is named by --store {option}" if is_store else ""
        return BenchError(f"unexpected argument {option}{named}")
    first = option.removeprefix("--").partition(".")[0]
    if first in _OPTIMIZERS:
        return BenchError(
            f"unknown option {option}: a model brings its optimizer and scheduler, Adam and none unless its class "
            f"overrides configure_optimizers; learning rates are search.learning_rates, or model.learning_rate in fit"
        )
    section, _, name = option.rpartition(".")
    siblings = [known.rpartition(".")[2] for known in options if known.rpartition(".")[0] == section]
    siblings = [
        sibling for sibling in siblings if not sibling.endswith("+")
    ]  # jsonargparse's suffix for extending a list
    if not section or not siblings:
        return BenchError(f"unknown option {option}{nearest(option, options)}")
    instead = _set_by_a_search() if section == "--trainer" else {}
    match = next(iter(get_close_matches(name, [*siblings, *instead], n=1, cutoff=_SIMILAR)), "")
    if match in siblings:
        return BenchError(f"unknown option {option}, did you mean '{section}.{match}'?")
    if match:
        return BenchError(f"unknown option {option}; a search sets {section}.{match} itself, {instead[match]}")
    return BenchError(f"unknown option {option}; {section} takes {', '.join(siblings)}")


def _set_by_a_search() -> dict[str, str]:
    from ib_bench.training.fitting import INSTEAD  # noqa: PLC0415 (loads torch, which listing a store does not need)

    return INSTEAD


def _config_files(arguments: Sequence[str]) -> str:
    words = [word for argument in arguments for word in argument.split("=", 1)]
    return ", ".join(value or "''" for flag, value in pairwise(words) if flag in ("-c", "--config"))


def _unknown_class(option: str, name: str) -> BenchError:
    if option not in _SHORT_NAMES:
        return BenchError(f"{option} must be the dotted path of a class, got {shown(name)}")
    return UnknownNameError(option, name, [entry.class_name for entry in catalogue.entries(_SHORT_NAMES[option])])


def _unknown_parameter(option: str, class_path: str, name: str) -> BenchError:
    module, _, class_name = class_path.rpartition(".")
    if class_name == option.title():  # what stands for all classes of this kind
        return BenchError(f"--{option}.{name} needs --{option} before it, which says what {option} to take")
    known = constructor_parameters(getattr(importlib.import_module(module), class_name))
    return UnknownNameError(f"option {option}.{name}: {class_name} has no", name, known)


def _base(option: str) -> str:
    return "LightningDataModule" if option == "data" else "nn.Module"


def _readable(kind: str) -> str:
    if kind.startswith("typing.Literal"):
        names = re.findall(r"'([^']+)'", kind)
        return "one of " + ", ".join(names) if names else ""
    name = re.sub(r"<class '([^']+)'>", r"\1", kind)
    articles = {
        "int": "an integer",
        "float": "a number",
        "bool": "true or false",
        "NoneType": "null",
        "list": "a list such as '[1, 2]'",
        "dict": "a mapping",
    }
    return articles.get(name, name)
