"""The interface that a search needs from a DataModule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import lightning.pytorch as pl
from torch import Tensor


class SearchableData(pl.LightningDataModule):
    """A DataModule whose training set can be as large as a search wants it.

    Its ``__init__`` takes, among others, ``num_train_sequences`` (null: all there are) and ``seed``, and its batches
    are :class:`~ib_bench.supervision.supervision.Batch`.

    Attributes:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        num_positions: tokens in the longest sequence of any evaluation.
        max_train_sequences: the largest training set there can be.
        solution: answers right at every position, for models that take it; None if the data know none.
        files: that the data read. A hash of their contents is part of every key, so results change with them.
    """

    vocab_size: int
    num_classes: int
    num_positions: int
    max_train_sequences: int
    solution: Callable[[Tensor], Tensor] | None = None
    files: Sequence[str | Path] = ()
