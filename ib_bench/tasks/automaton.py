"""Any deterministic automaton, read from a YAML file.

A file names the symbols, the states, the initial state and where each symbol leads from each state. Names are free and
are numbered in the order in which they are listed. A symbol that is left out in a state cannot follow there: data hold
only sequences without such steps. ``answers`` says what is to be answered in each state; without it, the answer is the
state::

    symbols: [push, coin]
    states: [locked, unlocked]
    initial: locked
    transition:
      locked: {push: locked, coin: unlocked}
      unlocked: {push: locked, coin: unlocked}
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.limited_yaml import read_yaml
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

_REQUIRED = ("symbols", "states", "initial", "transition")


class Automaton(FiniteStateMachine):
    """Any deterministic automaton, from a YAML file; parity and even_pairs are shipped.

    Args:
        file: path of a ``.yaml`` file with the symbols, states, transition and initial state, or the name of a shipped
            one: ``parity`` or ``even_pairs``.

    Raises:
        BenchError: the file cannot be read, or holds no automaton.
    """

    def __init__(self, file: str = "parity") -> None:
        self.file = file
        path = Path(os.path.expanduser(file)) if Path(file).suffix in (".yaml", ".yml") else _shipped(file)
        self.files = (path,)
        machine = _read(path)
        self.symbol_names: list[Any] = machine["symbols"]
        self.state_names: list[Any] = machine["states"]
        self.num_symbols, self.num_states = len(self.symbol_names), len(self.state_names)
        self.initial_state = self.state_names.index(machine["initial"])
        self._steps: list[list[Any]] = [
            [machine["transition"][state].get(symbol) for symbol in self.symbol_names] for state in self.state_names
        ]
        allowed = torch.tensor([[following is not None for following in row] for row in self._steps])
        self.allowed = None if allowed.all() else allowed
        if "answers" in machine:
            named = [machine["answers"][state] for state in self.state_names]
            self.answer_names = list(dict.fromkeys(named))
            self.answer_of_state = torch.tensor([self.answer_names.index(answer) for answer in named])

    def _build_transition(self) -> Tensor:
        number = {name: index for index, name in enumerate(self.state_names)}
        return torch.tensor(
            [
                [state if following is None else number[following] for following in row]
                for state, row in enumerate(self._steps)
            ]
        )

    @classmethod
    def examples(cls) -> list[Example]:
        """Parity of 1011; the first and last symbols of abba."""
        return [
            Example(cls("parity"), symbols=[1, 0, 1, 1], states=[1, 1, 0, 1]),
            Example(cls("even_pairs"), symbols=[0, 1, 1, 0], states=[1, 2, 2, 1]),
        ]


def _shipped(name: str) -> Path:
    folder = Path(__file__).parent
    path = folder / f"{name}.yaml"
    if not path.is_file():
        names = " or ".join(sorted(shipped.stem for shipped in folder.glob("*.yaml")))
        raise InvalidOptionError("file", name, f"the path of a .yaml file, or {names}")
    return path


def _read(path: Path) -> dict[str, Any]:
    """The content of a file that holds an automaton.

    Raises:
        BenchError: it holds none.
    """
    try:
        content = read_yaml(path)
    except OSError as error:
        raise BenchError(f"automaton {str(path)!r} cannot be opened: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BenchError(f"automaton {str(path)!r} is not valid YAML: {' '.join(str(error).split())}") from error
    if fault := _fault(content):
        raise BenchError(f"automaton {str(path)!r} {fault}")
    return dict(content)


def _fault(content: Any) -> str | None:
    """What is wrong with the content of a file, to be read after its name; None if nothing is."""
    if not isinstance(content, dict) or not set(_REQUIRED) <= set(content) <= {*_REQUIRED, "answers"}:
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        return f"must have {', '.join(_REQUIRED)} and may have answers, got {found}"
    for kind in ("symbols", "states"):
        if fault := _fault_of_names(kind, content[kind]):
            return fault
    states, symbols = content["states"], content["symbols"]
    if content["initial"] not in states:
        return f"has the initial state {content['initial']!r}, which is not one of its states"
    for kind in ("transition", "answers"):
        if fault := _fault_of_keys(kind, content.get(kind, dict.fromkeys(states)), states):
            return fault
    for state, answer in content.get("answers", {}).items():
        if isinstance(answer, list | dict | None):
            return f"must have a name as the answer in {state!r}, got {answer!r}"
    for state, steps in content["transition"].items():
        if not isinstance(steps, dict):
            return f"must say where each symbol leads from {state!r}, got {steps!r}"
        for symbol, following in steps.items():
            if symbol not in symbols:
                return f"has a transition from {state!r} by {symbol!r}, which is not one of its symbols"
            if following not in states:
                return f"leads from {state!r} by {symbol!r} to {following!r}, which is not one of its states"
    return None


def _fault_of_names(kind: str, names: Any) -> str | None:
    if not isinstance(names, list) or len(names) < 2 or any(isinstance(name, list | dict | None) for name in names):
        return f"must list at least two {kind}, got {names!r}"
    repeated = [name for name in names if names.count(name) > 1]
    return f"lists {repeated[0]!r} among its {kind} more than once" if repeated else None


def _fault_of_keys(kind: str, given: Any, states: list[Any]) -> str | None:
    if not isinstance(given, dict):
        return f"must have a value for each state in {kind}, got {given!r}"
    if missing := [state for state in states if state not in given]:
        return f"must have a value for each state in {kind}, but lacks one for {missing[0]!r}"
    if surplus := [state for state in given if state not in states]:
        return f"has {surplus[0]!r} in {kind}, which is not one of its states"
    return None
