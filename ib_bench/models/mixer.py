"""Mixers: layers that carry information from token to token, ``(batch, length, width)`` to the same.

Any causal ``nn.Module`` that is built from a width alone is a mixer
(:class:`~ib_bench.models.mixer_model.MixerModel`). The shipped ones derive from :class:`Mixer`, or from
:class:`StepMixer` where the recurrence has no parallel form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.packing import PackedBatch

State = tuple[Tensor, ...]
"""What a recurrence carries from token to token; each tensor has a row for every sequence."""


def require_heads(num_heads: int, size: int, option: str = "num_heads") -> None:
    """Raise :class:`~ib_bench.errors.InvalidOptionError` unless a width can be split into so many heads."""
    require(num_heads >= 1 and size % num_heads == 0, option, num_heads, f"a divisor of the layer's width {size}")


class Mixer(nn.Module, ABC):
    """A layer that reads tokens in order and can read on from a state."""

    @abstractmethod
    def decode(self, hidden: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Read further tokens.

        Args:
            hidden: ``(batch, length, width)``, the next tokens.
            state: what the previous call returned; None at the start.

        Returns:
            ``(batch, length, width)``, and the state after these tokens.
        """

    def forward(self, hidden: Tensor) -> Tensor:
        """Read whole sequences, ``(batch, length, width)`` to the same."""
        return self.decode(hidden)[0]

    def packed_forward(self, hidden: Tensor, batch: PackedBatch) -> Tensor:
        """Read a batch without its padding, ``(num_tokens, width)`` to the same."""
        return batch.unpad(cast(Tensor, self(batch.pad(hidden))))


class StepMixer(Mixer):
    """A recurrence that is computed step by step.

    Attributes:
        projects_words: whether :meth:`project` costs so much that the first block, whose tokens are words of the
            vocabulary, computes it once for every word and not for every token.
    """

    projects_words: bool = False

    @abstractmethod
    def project(self, hidden: Tensor) -> State:
        """Compute each step's inputs from its token, ``(..., width)`` to tensors of shape ``(..., *)``."""

    @abstractmethod
    def initial_state(self, num_rows: int, like: Tensor) -> State:
        """The state before the first token, of the type and on the device of ``like``."""

    @abstractmethod
    def step(self, inputs: State, state: State) -> tuple[Tensor, State]:
        """One token of each sequence: output ``(rows, *)``, and the state after it."""

    def readout(self, visited: Tensor) -> Tensor:
        """From all steps' outputs ``(..., *)`` to ``(..., width)``."""
        return visited

    def decode(self, hidden: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """See :meth:`Mixer.decode`."""
        if state is None:
            state = self.initial_state(len(hidden), hidden)
        return self._read(self.project(hidden), state)

    def packed_forward(self, hidden: Tensor, batch: PackedBatch) -> Tensor:
        """See :meth:`Mixer.packed_forward`; the batch shrinks as sequences end."""
        return self._read_packed(self.project(hidden), self.initial_state(batch.num_rows, hidden), batch)

    def forward_words(self, words: Tensor, tokens: Tensor) -> Tensor:
        """Read sequences of words, ``(num_words, width)`` and ``(batch, length)`` to ``(batch, length, width)``."""
        return self._read(self._project_words(words, tokens), self.initial_state(len(tokens), words))[0]

    def packed_forward_words(self, words: Tensor, batch: PackedBatch) -> Tensor:
        """Read a batch of words without its padding, ``(num_words, width)`` to ``(num_tokens, width)``."""
        inputs = self._project_words(words, batch.tokens)
        return self._read_packed(inputs, self.initial_state(batch.num_rows, words), batch)

    def _project_words(self, words: Tensor, tokens: Tensor) -> State:
        """``project(words[tokens])``."""
        of_words = self.project(words)
        shapes = [values.shape[1:] for values in of_words]
        gathered = [functional.embedding(tokens, values.flatten(1)) for values in of_words]
        return tuple(torch.unflatten(values, -1, shape) for values, shape in zip(gathered, shapes, strict=True))

    def _read(self, inputs: State, state: State) -> tuple[Tensor, State]:
        steps = zip(*(values.unbind(dim=1) for values in inputs), strict=True)
        visited, state = self._visit(steps, state)
        return self.readout(torch.stack(visited, dim=1)), state

    def _read_packed(self, inputs: State, state: State, batch: PackedBatch) -> Tensor:
        steps = zip(*(torch.split(values, batch.num_active) for values in inputs), strict=True)
        visited, _ = self._visit(steps, state)
        return self.readout(torch.cat(visited))

    def _visit(self, steps: Iterable[State], state: State) -> tuple[list[Tensor], State]:
        visited = []
        for inputs in steps:
            num_rows = len(inputs[0])
            if num_rows < len(state[0]):
                state = tuple(values[:num_rows] for values in state)
            output, state = self.step(inputs, state)
            visited.append(output)
        return visited, state
