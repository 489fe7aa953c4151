"""What constructors take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ib_bench.constructors import constructor_parameters, takes_any_keyword, with_code
from ib_bench.models import LSTM, MixerModel
from ib_bench.results.records import ClassSpec
from ib_bench.training.sources import source_digests


class Passing(LSTM):
    def __init__(self, scale: int = 1, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class Looking(nn.Module):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.width = kwargs.get("width", 3)


class Keeping(nn.Module):
    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__()
        self.options = kwargs
        self.width = kwargs.get("width", 3)


class BelowKeeping(Keeping):
    def __init__(self, depth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Ignoring(nn.Module):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("cls", "names", "takes_any"),
    [
        (LSTM, {"hidden_size", "num_layers", "vocab_size", "num_classes", "learning_rate"}, False),
        (Passing, {"scale", "hidden_size", "num_layers", "vocab_size", "num_classes", "learning_rate"}, False),
        (Looking, {"width"}, False),
        (Keeping, {"size", "width"}, True),
        (BelowKeeping, {"depth", "size", "width"}, True),
        (Ignoring, set(), True),
    ],
)
def test_keywords_are_followed(cls: type, names: set[str], takes_any: bool) -> None:
    assert set(constructor_parameters(cls)) == names
    assert takes_any_keyword(cls) is takes_any


def test_defaults_and_hints_are_those_of_the_constructor() -> None:
    parameters = constructor_parameters(Passing)
    assert parameters["hidden_size"].default == 768 and parameters["hidden_size"].annotation is int


class Choosing(nn.Module):
    def __init__(self, width: int, norm: type[nn.Module] = nn.LayerNorm, function=torch.tanh, note: str = "") -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.norm, self.function, self.note = norm(width), function, note


def test_paths_become_classes_and_functions_where_these_are_taken() -> None:
    given = {"norm": "torch.nn.RMSNorm", "function": "torch.relu", "note": "torch.nn.GELU"}
    assert with_code(Choosing, given) == {"norm": nn.RMSNorm, "function": torch.relu, "note": "torch.nn.GELU"}
    model = MixerModel(5, 5, Choosing, given, hidden_size=4)
    assert isinstance(model.blocks[0].mixer.norm, nn.RMSNorm)


def test_the_code_of_a_mixers_arguments_counts() -> None:
    arguments = {"function": f"{__name__}.is_even"}
    spec = ClassSpec("ib_bench.models.MixerModel", {"mixer": f"{__name__}.Choosing", "mixer_arguments": arguments})
    assert set(source_digests(spec)) == {f"{__name__}.Choosing", f"{__name__}.is_even"}


def is_even(number: int) -> bool:
    return number % 2 == 0
