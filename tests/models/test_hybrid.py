"""Which blocks of a hybrid are what."""

from __future__ import annotations

import pytest
import torch

from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.models import Hybrid
from ib_bench.models.hybrid import AttentionMixer
from ib_bench.models.mamba2 import Mamba2Mixer


def test_every_third_block_is_attention() -> None:
    model = Hybrid(
        5,
        3,
        hidden_size=8,
        num_layers=6,
        attention_every=3,
        recurrence="mamba2",
        recurrence_arguments={"negative_eigenvalues": True, "state_size": 4},
    )
    mixers = [block.mixer for block in model.blocks]
    assert [type(mixer) for mixer in mixers] == 2 * [Mamba2Mixer, Mamba2Mixer, AttentionMixer]
    assert mixers[0].negative_eigenvalues
    states = model.decode(torch.zeros(1, 4, dtype=torch.int64))[1]
    assert states[2][0].shape == (1, 4, 4, 2)  # keys of 4 tokens


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recurrence": "lstm"}, "recurrence must be one of delta_net, mamba2, min_gru, slstm, got 'lstm'"),
        ({"attention_every": 1}, "attention_every must be an integer of at least 2, got 1"),
        ({"num_heads": 5}, "^num_heads must be a divisor of the layer's width 64, got 5"),
        ({"hidden_size": 0}, "^hidden_size must be"),
        ({"num_layers": -1}, "num_layers must be an integer of at least 1, got -1"),
        ({"recurrence_arguments": {"num_heads": 5}}, "^recurrence_arguments.num_heads must be a divisor"),
        (
            {"recurrence": "slstm", "recurrence_arguments": {"heads": 5}},
            "unknown argument of slstm in recurrence_arguments 'heads'.*known: num_heads",
        ),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        Hybrid(5, 3, **arguments)  # type: ignore[arg-type]


def test_a_mixer_has_no_learned_positions() -> None:
    with pytest.raises(InvalidOptionError, match="positions must be rotary, alibi or none"):
        AttentionMixer(8, 2, positions="learned")
