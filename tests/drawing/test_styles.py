from __future__ import annotations

import pytest

from ib_bench.drawing.styles import colours, models_in_order, style


def test_a_colour_belongs_to_a_name() -> None:
    before = colours(["LSTM", "Transformer"])
    after = colours(["GRU", "LSTM", "Transformer", "Attention", "DenseSSM"])
    assert before.items() <= after.items()
    assert after["GRU"] == colours(["GRU"])["GRU"] == style("GRU").colour


@pytest.mark.parametrize(
    ("model", "colour", "shape"),
    [("DenseSSM", "#D55E00", "square"), ("LSTM", "#0072B2", "circle"), ("Transformer", "#009E73", "triangle-up")],
)
def test_shipped_architectures_keep_their_colours(model: str, colour: str, shape: str) -> None:
    assert style(model) == style(f"my.{model}(hidden_size=8)") == (colour, shape)


def test_other_architectures_look_like_no_shipped_one() -> None:
    others = {style(f"Model{number}") for number in range(200)}
    assert len(others) == 30
    shipped = [style(name) for name in ("DenseSSM", "LSTM", "Transformer")]
    assert not {one.colour for one in others} & {one.colour for one in shipped}
    assert not {one.shape for one in others} & {one.shape for one in shipped}


def test_variants_of_one_architecture_are_shades_of_its_colour() -> None:
    shades = colours(["Transformer", "LSTM(hidden_size=8)", "LSTM(hidden_size=48)"])
    assert len(set(shades.values())) == 3
    assert shades["LSTM(hidden_size=48)"] == colours(["LSTM"])["LSTM"]  # the first in order has the colour itself


def test_shipped_architectures_come_first() -> None:
    assert models_in_order(["Zebra", "Transformer", "GRU", "LSTM", "GRU"]) == ["LSTM", "Transformer", "GRU", "Zebra"]
