r"""The decoder of GPT-2 (Radford et al., 2019).

Learned embeddings of tokens and positions, then blocks of

.. math:: x \leftarrow x + \mathrm{attention}(\mathrm{norm}(x)), \qquad x \leftarrow x + \mathrm{mlp}(\mathrm{norm}(x)),

a last norm and a linear head. Attention is causal. With the same weights the logits are those of Hugging Face's GPT-2.

With ``num_loops`` the blocks are applied again and again, with the same weights: a looped, or universal, transformer
(arXiv 1807.03819), without embeddings of the loop and with a fixed number of loops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.packing import PackedBatch
from ib_bench.models.positions import POSITIONS, alibi, rotated
from ib_bench.models.sequence_model import SequenceModel, require_size

_INIT_STD = 0.02

_KeysValues = tuple[Tensor, Tensor]


class Transformer(SequenceModel):
    """GPT-2 with a head of its own in place of the tied one.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        num_positions: longest sequence that can be read with learned positions, in tokens (GPT-2: 1024); the command
            line fills in what the data's longest evaluation needs.
        num_layers: number of blocks (the paper: 6, also 2).
        hidden_size: width (the paper: 256); the MLP is four times as wide.
        num_heads: attention heads, a divisor of ``hidden_size`` (4 keep GPT-2's head size of 64 at width 256).
        dropout: probability, in [0, 1), in the three places where GPT-2 has it.
        learning_rate: learning rate of Adam.
        positions: how attention learns where tokens are: ``learned`` embeddings as GPT-2, ``rotary``, ``alibi`` or
            ``none`` (the causal mask alone). Rotary needs an even head size.
        num_loops: how many times all blocks are applied, with the same weights.

    Raises:
        InvalidOptionError: a size below 1, ``num_heads`` does not divide ``hidden_size``, ``dropout`` lies outside
            [0, 1), or unknown ``positions``.

    Reference: arXiv 2602.18333, section 4.
    """

    capturable = True
    packable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        num_positions: int = 1024,
        num_layers: int = 6,
        hidden_size: int = 256,
        num_heads: int = 4,
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        positions: str = "learned",
        num_loops: int = 1,
    ) -> None:
        super().__init__(num_classes, learning_rate)
        self.save_hyperparameters()
        for option, size in (
            ("num_positions", num_positions),
            ("num_layers", num_layers),
            ("hidden_size", hidden_size),
            ("num_loops", num_loops),
        ):
            require_size(option, size)
        divides = num_heads >= 1 and hidden_size % num_heads == 0
        require(divides, "num_heads", num_heads, f"a divisor of hidden_size, which is {hidden_size}")
        require(0 <= dropout < 1, "dropout", dropout, "in [0, 1)")
        self.token_embedding = nn.Embedding(vocab_size, hidden_size)
        self.position_embedding = nn.Embedding(num_positions, hidden_size) if positions == "learned" else None
        self.num_loops = num_loops
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(hidden_size, num_heads, dropout, positions) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_size)
        self.head = nn.Linear(hidden_size, num_classes, bias=False)
        self._initialize(num_layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`.

        Raises:
            InvalidOptionError: positions are learned, and there are more tokens than ``num_positions``.
        """
        return self.decode(tokens)[0]

    def packing_pays(self, num_positions: int, num_tokens: int, num_supervised: int) -> bool:
        """See :meth:`SequenceModel.packing_pays`; in the last block only supervised positions are computed."""
        return super().packing_pays(num_positions, num_tokens, num_supervised) or 2 * num_supervised <= num_tokens

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """See :meth:`SequenceModel.packed_forward`; only attention sees padding."""
        self._require_positions(batch.width)
        hidden = _dropout(self._embedded(batch.tokens, batch.positions), self.dropout)
        places = torch.arange(batch.width, device=hidden.device)
        blocks = self._visited_blocks()
        bias = blocks[0].attention.packed_bias(places[:, None] - places, hidden, batch.num_rows)
        for block in blocks[:-1]:
            hidden = block.packed_forward(hidden, batch, bias)
        if batch.is_all_supervised:
            hidden = blocks[-1].packed_forward(hidden, batch, bias)
        else:
            asked = batch.pad_supervised(batch.positions[batch.supervised])
            bias = blocks[-1].attention.packed_bias(asked[..., None] - places, hidden, batch.num_rows)
            hidden = blocks[-1].packed_answers(hidden, batch, bias)
        return cast(Tensor, self.head(self.norm(hidden)))

    def decode(self, tokens: Tensor, state: list[_KeysValues] | None = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is every block's keys and values, in every loop."""
        blocks = self._visited_blocks()
        past: Sequence[_KeysValues | None] = state or [None] * len(blocks)
        start = 0 if state is None else state[0][0].shape[2]
        self._require_positions(start + tokens.shape[1])
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        hidden = self.dropout(self._embedded(tokens, positions))
        present = []
        for block, keys_values in zip(blocks, past, strict=True):
            hidden, keys_values = block(hidden, keys_values)
            present.append(keys_values)
        return self.head(self.norm(hidden)), present

    def _visited_blocks(self) -> list[_Block]:
        """The blocks in the order in which they are applied."""
        return list(cast(Sequence[_Block], self.blocks)) * self.num_loops

    def _require_positions(self, length: int) -> None:
        if self.position_embedding is not None:
            num_positions = self.position_embedding.num_embeddings
            require(length <= num_positions, "num_positions", num_positions, f"at least {length}, the number of tokens")

    def _embedded(self, tokens: Tensor, positions: Tensor) -> Tensor:
        embedded: Tensor = self.token_embedding(tokens)
        return embedded if self.position_embedding is None else embedded + self.position_embedding(positions)

    def _initialize(self, num_layers: int) -> None:
        """GPT-2's: normal weights, zero biases, and less for what is added to the residual stream by every layer."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith("out.weight"):
                nn.init.normal_(parameter, std=_INIT_STD / math.sqrt(2 * num_layers))
            elif "norm" not in name:
                nn.init.normal_(parameter, std=_INIT_STD)


class _Block(nn.Module):
    def __init__(self, hidden_size: int, num_heads: int, dropout: float, positions: str) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.attention = CausalAttention(hidden_size, num_heads, dropout, positions)
        self.mlp_norm = nn.LayerNorm(hidden_size)
        self.mlp = _MLP(hidden_size, dropout)

    def forward(self, hidden: Tensor, past: _KeysValues | None) -> tuple[Tensor, _KeysValues]:
        attended, present = self.attention(self.attention_norm(hidden), past)
        hidden = hidden + attended
        return hidden + self.mlp(self.mlp_norm(hidden)), present

    def packed_forward(self, hidden: Tensor, batch: PackedBatch, bias: Tensor) -> Tensor:
        """Map all tokens, ``(num_tokens, hidden_size)``, to the same shape."""
        return self._packed_mlp(hidden + self.attention.packed_forward(self.attention_norm(hidden), batch, bias))

    def packed_answers(self, hidden: Tensor, batch: PackedBatch, bias: Tensor) -> Tensor:
        """Map all tokens to the supervised ones, ``(num_supervised, hidden_size)``; the others give keys and values."""
        attended = self.attention.packed_answers(self.attention_norm(hidden), batch, bias)
        return self._packed_mlp(hidden.index_select(0, batch.supervised) + attended)

    def _packed_mlp(self, hidden: Tensor) -> Tensor:
        return hidden + _dropout(self.mlp.transform(self.mlp_norm(hidden)), self.mlp.dropout)


class CausalAttention(nn.Module):
    """Attention of every token to itself and what came before.

    Args:
        hidden_size: width.
        num_heads: a divisor of ``hidden_size``.
        dropout: probability, of weights and of the output.
        positions: one of :data:`~ib_bench.models.positions.POSITIONS`.

    Raises:
        InvalidOptionError: unknown ``positions``, or ``rotary`` with an odd head size.
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout: float = 0.0, positions: str = "none") -> None:
        super().__init__()
        require(positions in POSITIONS, "positions", positions, f"one of {', '.join(POSITIONS)}")
        odd = hidden_size // num_heads % 2
        require(positions != "rotary" or not odd, "num_heads", num_heads, "such that rotary has an even head size")
        self.num_heads = num_heads
        self.is_rotary, self.is_alibi = positions == "rotary", positions == "alibi"
        self.query_key_value = nn.Linear(hidden_size, 3 * hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, past: _KeysValues | None) -> tuple[Tensor, _KeysValues]:
        """Read on, ``(batch, length, hidden_size)`` to the same, after the keys and values of earlier tokens."""
        heads = self.query_key_value(hidden).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, length, head size)
        num_past, num_new = 0 if past is None else past[0].shape[2], key.shape[2]
        places = torch.arange(num_past + num_new, device=key.device)
        if self.is_rotary:
            query, key = rotated(query, places[num_past:]), rotated(key, places[num_past:])
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        mask = None
        if past is not None or self.is_alibi:
            mask = self._bias(places[num_past:, None] - places, query)
        dropout = self.dropout.p if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal=mask is None)
        return self.dropout(self.out(attended.transpose(1, 2).flatten(2))), (key, value)

    def packed_forward(self, hidden: Tensor, batch: PackedBatch, bias: Tensor) -> Tensor:
        """Map all tokens, ``(num_tokens, hidden_size)``, to the same shape; ``bias`` is that of :meth:`packed_bias`."""
        projected = self._turned(self.query_key_value(hidden), batch.positions, num_parts=2)
        query, key, value = self._heads(batch.pad(projected))
        return self._packed_out(batch.unpad(self._attend(query, key, value, bias)))

    def packed_answers(self, hidden: Tensor, batch: PackedBatch, bias: Tensor) -> Tensor:
        """Map all tokens to the supervised ones, ``(num_supervised, hidden_size)``."""
        size = self.query_key_value.in_features
        of_query, of_key_value = torch.split(self.query_key_value.weight, [size, 2 * size])
        query_bias, key_value_bias = torch.split(self.query_key_value.bias, [size, 2 * size])
        queries = functional.linear(hidden.index_select(0, batch.supervised), of_query, query_bias)
        keys_values = functional.linear(hidden, of_key_value, key_value_bias)
        queries = self._turned(queries, batch.positions[batch.supervised], num_parts=1)
        keys_values = self._turned(keys_values, batch.positions, num_parts=1)
        (query,), (key, value) = self._heads(batch.pad_supervised(queries)), self._heads(batch.pad(keys_values))
        return self._packed_out(batch.unpad_supervised(self._attend(query, key, value, bias)))

    def packed_bias(self, distance: Tensor, like: Tensor, num_rows: int) -> Tensor:
        """The bias for the scores of padded rows.

        Args:
            distance: position of the query minus that of the key, ``(query length, length)``, or for each row.
            like: gives the type.
            num_rows: number of rows.

        Returns:
            Broadcasts to ``(num_rows * heads, query length, length)``.
        """
        bias = self._bias(distance, like)
        if bias.dim() == 2:
            return bias
        if distance.dim() == 2:
            return bias.repeat(num_rows, 1, 1)
        return bias.expand(-1, self.num_heads, -1, -1).flatten(0, 1)

    def _bias(self, distance: Tensor, like: Tensor) -> Tensor:
        """Minus infinity for future keys, and ALiBi's share; for each head if it has one, or if rows differ."""
        future = _minus_infinity(distance < 0, like)
        if self.is_alibi:
            return future[..., None, :, :] + alibi(distance, self.num_heads).to(like.dtype)
        return future if distance.dim() == 2 else future[:, None]

    def _turned(self, projected: Tensor, positions: Tensor, num_parts: int) -> Tensor:
        """Rotary's turn of the first parts of ``(num_tokens, n * hidden_size)``, where there is one."""
        if not self.is_rotary:
            return projected
        size = self.query_key_value.in_features
        turned, rest = projected[:, : num_parts * size], projected[:, num_parts * size :]
        heads = turned.reshape(len(turned), num_parts * self.num_heads, -1)
        return torch.cat([rotated(heads, positions[:, None]).flatten(1), rest], dim=1)

    def _packed_out(self, attended: Tensor) -> Tensor:
        return _dropout(self.out(attended.flatten(1)), self.dropout)

    def _heads(self, projected: Tensor) -> tuple[Tensor, ...]:
        """Split ``(rows, length, n * hidden_size)`` into n times ``(rows * heads, length, head size)``."""
        rows, length, size = projected.shape
        num = size // self.query_key_value.in_features
        each = projected.view(rows, length, num, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        return each.reshape(num, rows * self.num_heads, length, -1).unbind()

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """What each query sees, ``(rows, query length, heads, head size)``.

        With dropout, scaled_dot_product_attention takes a third longer on a CPU at the lengths that are studied here.

        Args:
            query: ``(rows * heads, query length, head size)``.
            key: ``(rows * heads, length, head size)``.
            value: as ``key``.
            bias: as of :meth:`packed_bias`.
        """
        num_queries, head_size = query.shape[1:]
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=head_size**-0.5)
        seen = torch.bmm(_dropout(scores.softmax(dim=-1), self.dropout), value)
        return seen.view(-1, self.num_heads, num_queries, head_size).transpose(1, 2)


class _MLP(nn.Module):
    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(hidden_size, 4 * hidden_size)
        self.out = nn.Linear(4 * hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        return cast(Tensor, self.dropout(self.transform(hidden)))

    def transform(self, hidden: Tensor) -> Tensor:
        """The MLP without dropout."""
        return cast(Tensor, self.out(functional.gelu(self.expand(hidden), approximate="tanh")))


def _minus_infinity(where: Tensor, like: Tensor) -> Tensor:
    """Minus infinity where it is said, else 0, of the type of ``like``."""
    return like.new_zeros(where.shape).masked_fill_(where, -math.inf)


def _dropout(values: Tensor, dropout: nn.Dropout) -> Tensor:
    """What ``dropout`` does, up to 2^-17 in its probability, and four times as fast on a CPU.

    Torch draws a double for every element there, which takes a tenth of a small model's step; 16 bits are enough.
    """
    if not (dropout.training and dropout.p):
        return values
    num_dropped = min(round(dropout.p * 2**16), 2**16 - 1)
    bits = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=values.device).random_(-(2**63), None)
    kept = bits.view(torch.int16)[: values.numel()].view(values.shape) >= num_dropped - 2**15
    return values * kept.to(values.dtype).mul_(2**16 / (2**16 - num_dropped))
