"""Suites and configs that went wrong: a sound one, in which something is changed, moved, added or left out."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import strategies as st

SUITES: list[Any] = [
    {
        "base": {
            "data": {"init_args": {"batch_size": 16, "supervision": "outcome"}},
            "trainer": {"precision": "32-true"},
            "search": {"learning_rates": [0.01], "seeds": [1], "max_steps": 2, "max_size": 4},
        },
        "axes": {
            "task": ["ModularAddition", {"class_path": "FiniteGroup", "init_args": {"group": "S3"}}],
            "modulus": [2, 3],
            "max_length": ["2..4", 6],
            "model": [
                "LSTM",
                {
                    "class_path": "DenseSSM",
                    "init_args": {"hidden_size": 4},
                    "overrides": {"search": {"seeds": [2]}, "trainer": {"gradient_clip_val": 1.0}},
                },
            ],
            "quantity": ["search", "sharing", "extrapolate"],
        },
    },
    {"base": {"data": {"class_path": "FlipFlop", "init_args": {}}, "model": "GRU"}, "axes": {"max_length": [3]}},
]

CONFIG: Any = {
    "model": {"class_path": "LSTM", "init_args": {"hidden_size": 4}},
    "data": {"class_path": "ModularAddition", "init_args": {"max_length": 4, "held_out_pairs": [[0, 1]]}},
    "trainer": {"precision": "32-true", "gradient_clip_val": 1.0},
    "search": {"learning_rates": [0.01], "seeds": [1], "max_steps": 2, "max_size": 4},
    "wandb": {"mode": "disabled", "tags": ["a"]},
}

_PLAIN: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 7, 2**31, 2**63, 10**30, 0.5, -0.5, 1e300, float("nan"), float("inf")),
    *(
        "",
        ".",
        "..x",
        "5",
        "x",
        "a.b",
        "LSTM",
        "ModularAddition",
        "os.path",
        "setup.cfg",
        "2..4",
        "4..2",
        "0..99999999",
    ),
    *("search", "disabled", "=", "x" * 300, "a\nb", "\x1b[31m", "\N{SNOWMAN}", [], {}, [1], [[1]], {"a": 1}, [None]),
    *({"class_path": "LSTM"}, {"class_path": 5}, {"init_args": []}, ["LSTM", "LSTM"], {"search": [1]}, [{}]),
]
_RAW = [
    "2020-01-01",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
    "2020-01-01 10:00:00",
    "!!omap [a: 1]",
    "!foo bar",
    "0x1F",
    "1:30",
]
_KEYS: list[Any] = [
    1,
    1.5,
    True,
    None,
    "",
    ".",
    "x",
    "seed",
    "modulus",
    "task",
    "class_path",
    "init_args",
    "search",
    "nope",
]
_MARK = "raw-value-"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = [path] if path else []
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            inner += _paths(one, (*path, key))
    return inner


@st.composite
def changed(draw: st.DrawFn, sound: list[Any]) -> str:
    """The text of one of some sound contents, with one to three changes."""
    content = copy.deepcopy(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 3))):
        paths = _paths(content)
        if not paths:
            break
        *way, last = draw(st.sampled_from(paths))
        holder = content
        for key in way:
            holder = holder[key]
        raw = st.integers(0, len(_RAW) - 1).map(lambda number: f"{_MARK}{number}")
        value = copy.deepcopy(draw(st.one_of(st.sampled_from(_PLAIN), raw)))
        how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "rename"]))
        if how == "remove":
            del holder[last]
        elif how == "replace":
            holder[last] = value
        elif isinstance(holder, list):
            holder.append(value)
        elif how == "add":
            holder[draw(st.sampled_from(_KEYS))] = value
        else:
            holder[draw(st.sampled_from(_KEYS))] = holder.pop(last)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    for number, raw in enumerate(_RAW):
        text = text.replace(f"{_MARK}{number}", raw)
    if draw(st.integers(0, 19)) == 0:  # no YAML any more
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["{", "]", "\t", "- ", ": ", "&a *a", "\0", "%", "'"])) + text[at:]
    return text
