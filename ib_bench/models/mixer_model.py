"""A mixer of your own, compared as most papers do: with everything around it the same."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from ib_bench.constructors import with_code
from ib_bench.errors import BenchError
from ib_bench.models.residual import CONTRACT, ResidualModel, stacked
from ib_bench.models.sequence_model import require_size


class MixerModel(ResidualModel):
    """A mixer of your own between embedding, pre-norm residual blocks and head.

    A mixer is a causal ``nn.Module`` whose constructor takes the width first and whose call maps
    ``(batch, length, width)`` to the same. One that derives from :class:`~ib_bench.models.mixer.Mixer` can also read on
    from a state.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        mixer: the mixer's class, by its dotted path on the command line.
        mixer_arguments: what else its constructor takes, by name; classes and functions by their dotted paths.
        hidden_size: width.
        num_layers: number of blocks, each with a mixer of its own.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size below 1, or ``mlp_factor`` below 0.
        BenchError: the mixer's constructor does not take a width and the arguments, or, when it is called, what it
            returns is no tensor of the shape of its input.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        mixer: type[nn.Module],
        mixer_arguments: dict[str, Any] | None = None,
        hidden_size: int = 64,
        num_layers: int = 2,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        require_size("hidden_size", hidden_size)
        arguments = with_code(mixer, mixer_arguments or {})
        _require_width(mixer, hidden_size, arguments)
        mixers = stacked(num_layers, lambda: mixer(hidden_size, **arguments))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters(ignore=["mixer"])  # a checkpoint holds plain data: pass the class when loading


def _require_width(mixer: type[nn.Module], width: int, arguments: Mapping[str, Any]) -> None:
    try:
        inspect.signature(mixer).bind(width, **arguments)
    except TypeError as error:
        given = ", ".join([str(width), *(f"{name}={value!r}" for name, value in arguments.items())])
        raise BenchError(f"{mixer.__name__}({given}) cannot be built ({error}): {CONTRACT}") from error
    except ValueError:  # a constructor that says nothing of its parameters
        return
