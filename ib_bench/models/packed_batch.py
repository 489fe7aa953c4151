"""A batch without its padding.

With lengths uniform on 2..L nearly half of a padded batch is padding, and only some of the rest is supervised. Here all
real tokens stand in one line, in the order of :class:`torch.nn.utils.rnn.PackedSequence`: the first token of every
sequence, then every second token, and so on, with the longest sequence first each time.

    sequences  a1 a2 a3 / b1 / c1 c2        padded  a1 a2 a3   packed  a1 c1 b1 a2 c2 a3
                                                    b1  .  .           position 0 0 0 1 1 2
                                                    c1 c2  .           num_active 3 2 1

- What treats every token alike (embeddings, norms, linear layers) works on the line as it is.
- A recurrence reads it step by step: ``torch.split(values, batch.num_active)``. The rows of a step are the first rows
  of the step before, so the state of the sequences that go on is ``state[:len(step)]``.
- Attention needs sequences side by side: :meth:`PackedBatch.pad` and :meth:`PackedBatch.unpad`.
- What only answers (a head, or the last block's MLP) needs only the tokens ``batch.supervised``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from ib_bench.supervision.supervision import IGNORE_INDEX, Batch

_NUM_GROUPS = 2


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
        mask = batch.mask
        num_rows, width = mask.shape
        position = torch.arange(width, device=mask.device)
        lengths, self._order = (mask * (position + 1)).amax(dim=1).clamp(min=1).sort(descending=True, stable=True)
        real = position[:, None] < lengths
        self._lengths: list[int] = lengths.tolist()
        self.num_active: list[int] = real.sum(dim=1)[: self._lengths[0]].tolist()
        cells = real.flatten().nonzero().squeeze(1)
        self.positions, self._rows = cells // num_rows, cells % num_rows
        self._shape = num_rows, width
        self._source = self._order[self._rows] * width + self.positions
        self.tokens = batch.tokens.flatten()[self._source]
        targets = batch.targets.flatten()[self._source]
        self.supervised = (targets != IGNORE_INDEX).nonzero().squeeze(1)
        self.targets = targets[self.supervised]
        self._mask = mask

    @property
    def is_all_supervised(self) -> bool:
        """Whether something is asked at every token."""
        return len(self.supervised) == len(self.tokens)

    def pad(self, values: Tensor) -> list[Tensor]:
        """Put sequences side by side, in groups of similar length, to be padded less.

        Args:
            values: ``(num_tokens, *)``.

        Returns:
            For each group ``(rows, width, *)``, padded on the right with zeros.
        """
        return self._all.pad(values)

    def unpad(self, groups: Sequence[Tensor]) -> Tensor:
        """The values ``(num_tokens, *)`` of groups as :meth:`pad` gives them, without the padding."""
        return self._all.unpad(groups)

    def pad_supervised(self, values: Tensor) -> list[Tensor]:
        """As :meth:`pad` with the same rows, but only the supervised tokens' ``values``, ``(num_supervised, *)``."""
        return self._asked.pad(values)

    def unpad_supervised(self, groups: Sequence[Tensor]) -> Tensor:
        """The values ``(num_supervised, *)`` of groups as :meth:`pad_supervised` gives them."""
        return self._asked.unpad(groups)

    @cached_property
    def future(self) -> list[Tensor]:
        """For each group, which tokens come after one: bool ``(width, width)``."""
        device = self.tokens.device
        return [torch.ones(width, width, dtype=torch.bool, device=device).triu(1) for _, width in self._all.shapes]

    @cached_property
    def future_of_supervised(self) -> list[Tensor]:
        """For each group, which tokens come after a supervised one: bool ``(rows, 1, asked width, width)``."""
        asked = self.pad_supervised(self.positions[self.supervised])
        widths = [width for _, width in self._all.shapes]
        return [
            torch.arange(width, device=one.device) > one[:, None, :, None]
            for one, width in zip(asked, widths, strict=True)
        ]

    def scatter(self, supervised: Tensor) -> Tensor:
        """Put values of the supervised tokens where these were in the batch.

        Args:
            supervised: ``(num_supervised, *)``.

        Returns:
            ``(batch, width, *)``, zero elsewhere.
        """
        num_rows, width = self._shape
        flat = _put(supervised, self._source[self.supervised], num_rows * width)
        return flat.view(num_rows, width, *supervised.shape[1:])

    @cached_property
    def _all(self) -> _Groups:
        return _Groups(self._rows, self.positions, self._lengths)

    @cached_property
    def _asked(self) -> _Groups:
        so_far = self._mask.cumsum(dim=1)
        places = so_far.flatten()[self._source[self.supervised]] - 1
        return _Groups(self._rows[self.supervised], places, so_far[self._order, -1].tolist())


class _Groups:
    """Where tokens stand if the sequences, sorted by length, are cut into groups that are padded one by one.

    Args:
        rows: int64 ``(num,)``, the sequence of each token.
        places: int64 ``(num,)``, the column of each token.
        lengths: number of columns that each sequence needs.
    """

    def __init__(self, rows: Tensor, places: Tensor, lengths: list[int]) -> None:
        size = -(-len(lengths) // _NUM_GROUPS)
        self.shapes: list[tuple[int, int]] = []
        starts: list[int] = []
        start = 0
        for first in range(0, len(lengths), size):
            group = lengths[first : first + size]
            width = max(group)
            self.shapes.append((len(group), width))
            starts += range(start, start + len(group) * width, width)
            start += len(group) * width
        self._num_cells = start
        self._cells = torch.tensor(starts, device=rows.device)[rows] + places

    def pad(self, values: Tensor) -> list[Tensor]:
        cells = _put(values, self._cells, self._num_cells)
        parts = torch.split(cells, [rows * width for rows, width in self.shapes])
        return [part.view(*shape, *values.shape[1:]) for part, shape in zip(parts, self.shapes, strict=True)]

    def unpad(self, groups: Sequence[Tensor]) -> Tensor:
        return torch.cat([group.flatten(0, 1) for group in groups]).index_select(0, self._cells)


def _put(values: Tensor, places: Tensor, num: int) -> Tensor:
    """``(num, *)`` with the values in the given places, zero elsewhere."""
    # no two values have one place; on a CPU adding is twice as fast as index_copy_
    return values.new_zeros(num, *values.shape[1:]).index_add_(0, places, values)
