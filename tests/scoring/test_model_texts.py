"""Models as ``ib-bench score`` takes them: a class, or a class with arguments."""

from __future__ import annotations

import pytest

from ib_bench.errors import InvalidOptionError
from ib_bench.runner.scoring import model_config


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("LSTM", {}),
        ("LSTM()", {}),
        ("my.Own(sizes=[1, 2.5], name='x', note=None)", {"sizes": [1, 2.5], "name": "x", "note": None}),
    ],
)
def test_a_class_with_arguments(model: str, arguments: dict[str, object]) -> None:
    assert model_config(model) == {"class_path": model.partition("(")[0], "init_args": arguments}


@pytest.mark.parametrize(
    "model",
    [
        "LSTM(hidden_size={[1]})",
        "LSTM(hidden_size={1})",
        "LSTM(hidden_size=b'x')",
        "LSTM(hidden_size=1e999)",
        "LSTM(hidden_size=4, hidden_size=8)",
        "LSTM(**{'hidden_size': 4})",
        "LSTM(4)",
        "LSTM(hidden_size=x)",
        "LSTM(hidden_size=",
        "LSTM(hidden_size=" + "[" * 5000 + "]" * 5000 + ")",
        "LSTM(hidden_size=" + "-" * 5000 + "1)",
        "LSTM(hidden_size=" + "9" * 5000 + ")",
        "LSTM(hidden_size=4)(hidden_size=4)",
        "LS\x00TM(hidden_size=4)",
        "",
    ],
)
def test_what_is_none_is_said_in_one_sentence(model: str) -> None:
    with pytest.raises(InvalidOptionError, match=r"^model must be a class, or a class with arguments"):
        model_config(model)
