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
    """A recurrence that is computed step by step."""

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
        inputs = [values.unbind(dim=1) for values in self.project(hidden)]
        visited, state = self._visit(zip(*inputs, strict=True), state)
        return self.readout(torch.stack(visited, dim=1)), state

    def packed_forward(self, hidden: Tensor, batch: PackedBatch) -> Tensor:
        """See :meth:`Mixer.packed_forward`; the batch shrinks as sequences end."""
        inputs = [torch.split(values, batch.num_active) for values in self.project(hidden)]
        visited, _ = self._visit(zip(*inputs, strict=True), self.initial_state(batch.num_rows, hidden))
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
