r"""Dense state-space model, or bilinear RNN: each token is a linear map of the state.

.. math:: h_t = \nu\big(A(x_t)\, h_{t-1}\big), \qquad A(x) = \sum_d e_d(x)\, W_d,

where :math:`e(x)` is the token's embedding, :math:`W` a three-way tensor, :math:`\nu` a normalisation, and the first
state :math:`h_0` is :math:`\nu` of a learned vector. By default there is no additive term: a group acts on the state,
which is what state tracking over a group asks for. ``write_term`` adds a vector :math:`b(x_t)` of each token before
:math:`\nu`.

A depends on the symbol, not on where it stands, so all symbols' maps are computed once per step and then looked up:
vocab_size products with W instead of batch x length ones.

Reference: arXiv 2602.18333, section 4; arXiv 2505.21749 (*Revisiting Bi-Linear State Transitions in RNNs*).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel, require_size

NORMALIZATIONS = ("rms", "unit", "none")

_PACKED_FROM = 64  # width; the steps of smaller models are too short for the padding to matter

_FEW_SYMBOLS = (
    32  # up to this number, applying every map to every state is faster than fetching one map each (on a CPU)
)


class DenseSSM(SequenceModel):
    """Bilinear recurrence with a learned initial state and a linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width of the state (the paper: 256).
        embedding_size: width of the embedding; null takes ``hidden_size``.
        normalization: of the state after every step: ``rms`` divides by the root mean square, ``unit`` by the norm,
            ``none`` leaves it. With ``unit`` the logits are too small for a loss of 1e-4 at most widths.
        learning_rate: learning rate of Adam.
        write_term: whether each token also adds a vector to the state, a linear map of its embedding, with a bias.

    Raises:
        InvalidOptionError: an unknown ``normalization``, or a size below 1.

    Reference: arXiv 2602.18333, section 4.
    """

    capturable = True
    packable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 256,
        embedding_size: int | None = None,
        normalization: str = "rms",
        learning_rate: float = 1e-3,
        write_term: bool = False,
    ) -> None:
        super().__init__(num_classes, learning_rate)
        self.save_hyperparameters()
        require(normalization in NORMALIZATIONS, "normalization", normalization, f"one of {', '.join(NORMALIZATIONS)}")
        if type(self) is DenseSSM:  # a derived class decides for itself
            self.packable = hidden_size >= _PACKED_FROM
        self.normalization = normalization
        embedding_size = hidden_size if embedding_size is None else embedding_size
        require_size("hidden_size", hidden_size)
        require_size("embedding_size", embedding_size)
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        # Entries of A(x) then have variance 1 / hidden_size: A(x) keeps the length of a random state.
        scale = 1 / math.sqrt(embedding_size * hidden_size)
        self.weight = nn.Parameter(scale * torch.randn(embedding_size, hidden_size, hidden_size))
        self.initial_state = nn.Parameter(torch.randn(hidden_size))
        self.head = nn.Linear(hidden_size, num_classes)
        self.write = nn.Linear(embedding_size, hidden_size) if write_term else None

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return self.decode(tokens)[0]

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """See :meth:`SequenceModel.packed_forward`; the batch shrinks as sequences end."""
        hidden = self._normalize(self.initial_state).expand(batch.num_rows, -1)
        steps = torch.split(batch.tokens, batch.num_active)
        visited = torch.cat(self._visit(self.transitions(), self._writes(), steps, hidden))
        return cast(Tensor, self.head(visited.index_select(0, batch.supervised)))

    def decode(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is all symbols' maps, what they write, and h."""
        if state is None:
            first = self._normalize(self.initial_state).expand(len(tokens), -1)
            state = self.transitions(), self._writes(), first
        transitions, writes, hidden = state
        visited = self._visit(transitions, writes, tokens.unbind(dim=1), hidden)
        return self.head(torch.stack(visited, dim=1)), (transitions, writes, visited[-1])

    def transitions(self) -> Tensor:
        """The map of every symbol, ``(vocab_size, hidden_size, hidden_size)``, indexed [symbol, from, to]."""
        return torch.einsum("vd,dij->vij", self.embedding.weight, self.weight)

    def _writes(self) -> Tensor | None:
        """What every symbol adds to the state, ``(vocab_size, hidden_size)``."""
        return None if self.write is None else self.write(self.embedding.weight)

    def _visit(
        self, transitions: Tensor, writes: Tensor | None, steps: Iterable[Tensor], hidden: Tensor
    ) -> list[Tensor]:
        """The states ``(rows, hidden_size)`` after each step, which has a symbol for all rows or for the first ones."""
        visited = []
        for symbols in steps:
            if len(symbols) < len(hidden):
                hidden = hidden[: len(symbols)]
            hidden = _apply(transitions, symbols, hidden)
            # the gradient of index_select would add up in any order on a GPU, that of an embedding always in the same
            hidden = self._normalize(hidden if writes is None else hidden + functional.embedding(symbols, writes))
            visited.append(hidden)
        return visited

    def _normalize(self, state: Tensor) -> Tensor:
        if self.normalization == "rms":
            return functional.rms_norm(state, state.shape[-1:])
        if self.normalization == "unit":
            return functional.normalize(state, dim=-1)
        return state


def _apply(transitions: Tensor, symbols: Tensor, state: Tensor) -> Tensor:
    """Each row's state through its symbol's map; ``(batch, hidden_size)`` to the same."""
    num_symbols, hidden_size, _ = transitions.shape
    if num_symbols > _FEW_SYMBOLS:
        own_maps = functional.embedding(symbols, transitions.flatten(1)).view(-1, hidden_size, hidden_size)
        return torch.bmm(state[:, None], own_maps).squeeze(1)
    through_all = state @ transitions.transpose(0, 1).reshape(hidden_size, num_symbols * hidden_size)
    own = symbols[:, None, None].expand(-1, 1, hidden_size)
    return through_all.view(-1, num_symbols, hidden_size).gather(1, own).squeeze(1)
