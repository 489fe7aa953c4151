"""A batch without its padding.

With lengths uniform on 2..L nearly half of a padded batch is padding, and only some of the rest is supervised. Here all
real tokens stand in one line, in the order of :class:`torch.nn.utils.rnn.PackedSequence`: the first token of every
sequence, then every second token, and so on, with the longest sequence first each time.

    sequences  a1 a2 a3 / b1 / c1 c2        packed      a1 c1 b1 a2 c2 a3
                                            positions    0  0  0  1  1  2
                                            num_active   3, 2, 1

- What treats every token alike (embeddings, norms, linear layers) works on the line as it is.
- A recurrence reads it step by step: ``torch.split(values, batch.num_active)``. The rows of a step are the first rows
  of the step before, so the state of the sequences that go on is ``state[:len(step)]``.
- Attention needs sequences side by side: :meth:`PackedBatch.pad` and :meth:`PackedBatch.unpad`.
- What only answers (a head, or the last block's MLP) needs only the tokens ``batch.supervised``.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ib_bench.supervision.supervision import IGNORE_INDEX, Batch


class PackedBatch:
    """The real tokens of a batch, in one line.

    A sequence ends at its last supervised position: nothing asks a causal model for what comes later. A sequence
    without any keeps its first token.

    Args:
        batch: padded on the right.

    Attributes:
        tokens: int64 ``(num_tokens,)``, values in ``[0, vocab_size)``.
        positions: int64 ``(num_tokens,)``, the place of each token in its sequence, from 0.
        num_active: number of sequences that have a token at each position; descending, their sum is ``num_tokens``.
        supervised: int64 ``(num_supervised,)``, the tokens at which something is asked, ascending.
        targets: int64 ``(num_supervised,)``, what is asked there, values in ``[0, num_classes)``.
    """

    def __init__(self, batch: Batch) -> None:
        self._mask = batch.mask
        num_rows, width = self._mask.shape
        position = torch.arange(width, device=self._mask.device)
        lengths = (self._mask * (position + 1)).amax(dim=1).clamp(min=1)
        lengths, order = lengths.sort(descending=True, stable=True)
        real = position[:, None] < lengths
        # in a grid (position, sequence), the longest sequence first
        self._cells = real.flatten().nonzero().squeeze(1)
        self.positions, self._rows = self._cells // num_rows, self._cells % num_rows
        self.num_active: list[int] = real.sum(dim=1)[: int(lengths[0])].tolist()
        self._source = order[self._rows] * width + self.positions  # in the batch as it came
        self.tokens = batch.tokens.flatten()[self._source]
        targets = batch.targets.flatten()[self._source]
        self.supervised = (targets != IGNORE_INDEX).nonzero().squeeze(1)
        self.targets = targets[self.supervised]

    @property
    def num_rows(self) -> int:
        """Number of sequences."""
        return len(self._mask)

    @property
    def width(self) -> int:
        """Length of the longest sequence."""
        return len(self.num_active)

    @property
    def is_all_supervised(self) -> bool:
        """Whether something is asked at every token."""
        return len(self.supervised) == len(self.tokens)

    def pad(self, values: Tensor) -> Tensor:
        """Put sequences side by side, the longest first.

        Args:
            values: ``(num_tokens, *)``.

        Returns:
            ``(num_rows, width, *)``, padded on the right with zeros.
        """
        return self._to_rows(values, self._cells, self.width)

    def unpad(self, rows: Tensor) -> Tensor:
        """The values ``(num_tokens, *)`` of rows as :meth:`pad` gives them, without the padding."""
        return self._to_line(rows, self._cells)

    def pad_supervised(self, values: Tensor) -> Tensor:
        """Pad supervised tokens only: ``(num_supervised, *)`` to ``(num_rows, most in a row, *)``; see :meth:`pad`."""
        return self._to_rows(values, *self._supervised_cells)

    def unpad_supervised(self, rows: Tensor) -> Tensor:
        """The values ``(num_supervised, *)`` of rows as :meth:`pad_supervised` gives them."""
        return self._to_line(rows, self._supervised_cells[0])

    def scatter(self, values: Tensor) -> Tensor:
        """Put values of supervised tokens where these were in the batch.

        Args:
            values: ``(num_supervised, *)``.

        Returns:
            ``(batch, width, *)``, zero elsewhere.
        """
        flat = _put(values, self._source[self.supervised], self._mask.numel())
        return flat.view(*self._mask.shape, *values.shape[1:])

    @cached_property
    def _supervised_cells(self) -> tuple[Tensor, int]:
        """Where supervised tokens are in a grid (how many came before, sequence), and how many steps it has."""
        so_far = self._mask.cumsum(dim=1)
        num_before = so_far.flatten()[self._source[self.supervised]] - 1
        return num_before * self.num_rows + self._rows[self.supervised], int(so_far[:, -1].max())

    def _to_rows(self, values: Tensor, cells: Tensor, width: int) -> Tensor:
        grid = _put(values, cells, width * self.num_rows)
        return grid.view(width, self.num_rows, *values.shape[1:]).transpose(0, 1)

    def _to_line(self, rows: Tensor, cells: Tensor) -> Tensor:
        return rows.transpose(0, 1).flatten(0, 1).index_select(0, cells)


def _put(values: Tensor, places: Tensor, num: int) -> Tensor:
    """``(num, *)`` with the values in the given places, zero elsewhere."""
    # no two values have one place; on a CPU adding is twice as fast as index_copy_
    return values.new_zeros(num, *values.shape[1:]).index_add_(0, places, values)
