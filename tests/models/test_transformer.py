"""Against Hugging Face's GPT-2 with the same weights."""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, GPT2Model

from ib_bench.errors import InvalidOptionError
from ib_bench.models import Transformer
from ib_bench.models.transformer import _dropout


def to_gpt2(model: torch.nn.Module, config: GPT2Config) -> GPT2Model:
    """GPT-2 with our weights; its linear layers hold theirs transposed."""
    gpt2, ours = GPT2Model(config).eval(), model.state_dict()
    names = {"wte": "token_embedding", "wpe": "position_embedding", "ln_f": "norm"}
    in_block = {
        "ln_1": "attention_norm",
        "ln_2": "mlp_norm",
        "attn.c_attn": "attention.query_key_value",
        "attn.c_proj": "attention.out",
        "mlp.c_fc": "mlp.expand",
        "mlp.c_proj": "mlp.out",
    }
    for i in range(config.n_layer):
        names |= {f"h.{i}.{theirs}": f"blocks.{i}.{mine}" for theirs, mine in in_block.items()}
    state = {}
    for name in gpt2.state_dict():
        module, _, kind = name.rpartition(".")
        if module in names:
            weight = ours[f"{names[module]}.{kind}"]
            state[name] = weight.T if ".c_" in name and kind == "weight" else weight
    missing = gpt2.load_state_dict(state, strict=False).missing_keys
    assert not [name for name in missing if not name.endswith(("attn.bias", "attn.masked_bias"))]
    return gpt2


@pytest.mark.parametrize(("num_layers", "hidden_size", "num_heads"), [(2, 48, 3), (6, 256, 4)])
def test_same_logits_as_gpt2(num_layers: int, hidden_size: int, num_heads: int) -> None:
    model = Transformer(
        vocab_size=11,
        num_classes=5,
        num_positions=32,
        num_layers=num_layers,
        hidden_size=hidden_size,
        num_heads=num_heads,
    ).eval()
    config = GPT2Config(vocab_size=11, n_positions=32, n_embd=hidden_size, n_layer=num_layers, n_head=num_heads)
    tokens = torch.randint(11, (3, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in model.parameters():  # also biases and norms, which start at 0 and 1
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
        theirs = to_gpt2(model, config)(tokens).last_hidden_state @ model.head.weight.T
        torch.testing.assert_close(model(tokens), theirs, rtol=1e-5, atol=1e-5)


def test_initialisation_is_gpt2s() -> None:
    model = Transformer(vocab_size=11, num_classes=5, num_layers=6)
    residual = model.blocks[0].mlp.out.weight.std().item()
    assert residual == pytest.approx(0.02 / 12**0.5, rel=0.02)
    assert model.blocks[0].mlp.expand.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.blocks[0].mlp.expand.bias.abs().sum() == 0
    assert torch.equal(model.norm.weight, torch.ones(256))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"num_heads": 5}, "num_heads must be a divisor of hidden_size"), ({"dropout": 1.0}, "dropout must be in")],
)
def test_bad_sizes(arguments: dict[str, int | float], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        Transformer(vocab_size=3, num_classes=2, **arguments)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9999999])
def test_the_fast_dropout_drops_as_often_and_keeps_the_mean(probability: float) -> None:
    dropout, values = torch.nn.Dropout(probability), torch.full((1001, 1001), 3.0, requires_grad=True)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        dropped = _dropout(values, dropout)
        again = _dropout(values, dropout)
    share_kept = (dropped != 0).double().mean().item()
    assert share_kept == pytest.approx(max(1 - probability, 2**-16), rel=0.02, abs=1e-5)
    assert dropped.max().item() == pytest.approx(3 / max(1 - probability, 2**-16), rel=1e-4)
    assert dropped.isfinite().all() and not torch.equal(dropped, again)
    (gradient,) = torch.autograd.grad(dropped.sum(), values)
    torch.testing.assert_close(3 * gradient, dropped.detach())
    assert _dropout(values, dropout.eval()) is values


def test_neighbours_are_dropped_independently() -> None:
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        kept = _dropout(torch.ones(400_000), torch.nn.Dropout(0.5)) != 0
    for distance in range(1, 9):
        both = (kept[distance:] & kept[:-distance]).double().mean().item()
        assert both == pytest.approx(0.25, abs=0.004)
