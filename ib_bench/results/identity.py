"""The identity of a result: this module alone defines the content of a key.

A config is made of dataclasses and plain data. Its key is a hash of its *canonical form*, which leaves out every value
that is at its default. So a new option, or a new init argument of a shipped class, changes no key as long as it stays
at the default that means "as before". No list has to be edited for this.

Keys of protocol 2 were made before this rule. They hold every argument that existed then, also at its default.
:data:`_KEYED_IN_PROTOCOL_2` freezes those names so that every stored result is found again. Nothing is ever added to
it; a future protocol starts without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

PROTOCOL_VERSION = 2
"""Raised by a change to what a trial computes; results of another protocol are never reused.

A change of the last digits, such as another order of the same sum, does not raise it: a machine with another processor
changes them too. The record's versions tell such results apart.
"""

Json = dict[str, Any]

NOT_IDENTIFYING = {"identifies": False}
"""Metadata of a dataclass field that says where or how fast something runs: it is never part of a key."""

RETIRED = {"retired": True}
"""Metadata of a field that no command offers any more: it stays so that records made with it keep their keys."""

_KEYED_IN_PROTOCOL_2: dict[str, frozenset[str]] = {
    "ClassSpec": frozenset({"init_args"}),
    "DataSpec": frozenset({"init_args"}),
    "Experiment": frozenset({"trainer", "source_digests"}),
    "SearchSettings": frozenset(
        {"learning_rates", "seeds", "threshold", "max_steps", "max_size", "multiplier", "max_evaluations", "midpoint"}
        | {"relative_tolerance", "exhaustive", "val_check_interval", "num_threads"}
    ),
    "ExtrapolationSettings": frozenset({"multiples", "num_sequences"}),
    "StateTrackingData": frozenset({"supervision", "length_distribution", "max_length", "batch_size", "separator"}),
    "ModularAddition": frozenset({"modulus"}),
    "PermutationComposition": frozenset({"num_elements"}),
    "Transformer": frozenset({"num_layers", "hidden_size", "num_heads", "dropout"}),
    "LSTM": frozenset({"hidden_size", "num_layers"}),
    "DenseSSM": frozenset({"hidden_size", "embedding_size", "normalization"}),
}
"""For a class, the arguments that keys of protocol 2 hold even at their defaults. Frozen."""


def key_of(kind: str, canonical_config: Json, protocol: int = PROTOCOL_VERSION) -> str:
    """SHA-256 of a config in its canonical form, the first 32 hexadecimal digits.

    Args:
        kind: name of the config's class; configs of two kinds never share a key.
        canonical_config: as :func:`canonical` returns it.
        protocol: version of the protocol, at least 1.
    """
    text = _CANONICAL_JSON.encode({"kind": kind, "protocol": protocol, **canonical_config})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def canonical(value: Any) -> Any:
    """A value as plain data, without dataclass fields that are left at their defaults.

    Args:
        value: a dataclass, or plain data that may hold dataclasses.
    """
    if type(value) in _PLAIN_TYPES:  # the common case: listings check tens of thousands of keys
        return value
    if type(value) is dict:
        return {name: item if type(item) in _PLAIN_TYPES else canonical(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        owner = type(value).__name__
        items = ((name, getattr(value, name), default) for name, default in _identifying_fields(type(value)))
        return {name: canonical(item) for name, item, default in items if identifies(owner, name, item, default)}
    if isinstance(value, Mapping):
        return {name: canonical(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return value


def identifies(owner: str, name: str, value: Any, default: Any) -> bool:
    """Whether an argument is part of the canonical form.

    Args:
        owner: name of the class that takes the argument.
        name: of the argument.
        value: given, or filled in from the default.
        default: of the argument; ``dataclasses.MISSING`` if it has none.
    """
    return default is MISSING or value != default or name in _KEYED_IN_PROTOCOL_2.get(owner, ())


def options(value: Any) -> Json:
    """The identifying options of a dataclass by name, also those at their defaults.

    ``vars`` does not do: an object that was read from a store lacks attributes for what was left at its default.

    Args:
        value: a dataclass.
    """
    kind: type = type(value)
    return {name: getattr(value, name) for name, _ in _identifying_fields(kind)}


_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})


@cache
def _identifying_fields(kind: type) -> tuple[tuple[str, Any], ...]:
    """Name and default of those fields of a dataclass that can be part of a key; configs are read by the thousand."""
    return tuple(
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
        if field.metadata.get("identifies", True)
    )


_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
