"""Against Hugging Face's GPT-2 with the same weights."""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, GPT2Model
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ib_bench.errors import InvalidOptionError
from ib_bench.models import Transformer
from ib_bench.models.positions import alibi, rotated
from ib_bench.models.transformer import CausalAttention, _dropout


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
    [
        ({"num_heads": 5}, "num_heads must be a divisor of hidden_size"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"positions": "sinusoidal"}, "positions must be one of learned, rotary, alibi, none, got 'sinusoidal'"),
        ({"positions": "rotary", "hidden_size": 12}, "num_heads must be such that rotary has an even head size, got 4"),
        ({"num_loops": 0}, "num_loops must be an integer of at least 1, got 0"),
    ],
)
def test_bad_sizes(arguments: dict[str, int | float | str], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        Transformer(vocab_size=3, num_classes=2, **arguments)


def test_rotary_is_hugging_faces() -> None:
    query, key = (torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    angle = torch.arange(7.0, 12)[:, None] * 10_000 ** (-torch.arange(4) / 4)
    both = torch.cat([angle, angle], dim=-1)
    theirs = apply_rotary_pos_emb(query, key, both.cos()[None], both.sin()[None])
    torch.testing.assert_close((rotated(query, torch.arange(7, 12)), rotated(key, torch.arange(7, 12))), theirs)


def test_alibi_is_hugging_faces() -> None:
    """Bloom leaves out what is the same for all keys of a query."""
    theirs = build_alibi_tensor(torch.ones(1, 6), num_heads=4, dtype=torch.float32).view(4, 1, 6)
    places = torch.arange(6)
    ours = alibi(places[:, None] - places, num_heads=4)
    torch.testing.assert_close(ours + ours[:, :, :1].neg(), theirs.expand(-1, 6, -1) - theirs[..., :1])


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
def test_attention_without_learned_positions(positions: str) -> None:
    """Against scores written out, for each query and key."""
    attention = CausalAttention(8, num_heads=2, positions=positions).double()
    hidden = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    query, key, value = attention.query_key_value(hidden[0]).view(6, 3, 2, 4).unbind(dim=1)
    expected = torch.zeros(6, 2, 4, dtype=torch.float64)
    for head in range(2):
        for t in range(6):
            scores = []
            for s in range(t + 1):
                q, k = query[t, head], key[s, head]
                if positions == "rotary":  # only the distance counts
                    q, k = rotated(q, torch.tensor(100 + t)), rotated(k, torch.tensor(100 + s))
                scores.append(q @ k / 2 - (positions == "alibi") * 2.0 ** (-4 * (head + 1)) * (t - s))
            expected[t, head] = torch.stack(scores).softmax(dim=0) @ value[: t + 1, head]
    torch.testing.assert_close(attention(hidden, None)[0][0], attention.out(expected.flatten(1)))


def test_without_learned_positions_sequences_may_be_longer_than_num_positions() -> None:
    tokens = torch.zeros(1, 20, dtype=torch.int64)
    for positions in ("rotary", "alibi", "none"):
        model = Transformer(3, 2, num_positions=4, num_layers=1, hidden_size=8, positions=positions)
        assert model(tokens).shape == (1, 20, 2)
        assert not [name for name, _ in model.named_parameters() if "position" in name]


def test_too_many_tokens_for_learned_positions_are_one_sentence() -> None:
    model, tokens = Transformer(5, 3, num_positions=4, hidden_size=8, num_heads=2), torch.zeros(1, 3, dtype=torch.int64)
    _, state = model.decode(tokens)
    with pytest.raises(InvalidOptionError, match="num_positions must be at least 6, the number of tokens, got 4"):
        model.decode(tokens, state)


def test_loops_apply_the_same_blocks_again() -> None:
    looped = Transformer(5, 3, num_layers=2, hidden_size=8, dropout=0.0, num_loops=3)
    deep = Transformer(5, 3, num_layers=6, hidden_size=8, dropout=0.0)
    assert len(looped.blocks) == 2
    state = looped.state_dict()
    for name in deep.state_dict():
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            state[name] = state[f"blocks.{int(number) % 2}.{rest}"]
    deep.load_state_dict(state)
    tokens = torch.randint(5, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(looped(tokens), deep(tokens))


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
