"""Whole batches, sliced from tensors.

Collating samples one by one would cost more than a small model's training step. Here a few dozen batches' worth of
sequences is gathered and encoded at once and then cut into batches, which are views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ib_bench.data.sequence_pool import Sequences, stream_generator
from ib_bench.supervision.supervision import Batch

_BATCHES_PER_CHUNK = 64
_SHUFFLE_STREAM = 2**30

MAX_KEPT_SEQUENCES = 2**17
"""Size of the largest held-out set that is kept encoded."""


class EpochShuffle:
    """A new order of the training set in every epoch, a function of seed and epoch alone.

    Lightning calls :meth:`set_epoch`, as it does for any sampler.

    Args:
        num: number of sequences.
        seed: determines the orders.
    """

    def __init__(self, num: int, seed: int) -> None:
        self.num = num
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, whose order :meth:`order` returns."""
        self.epoch = epoch

    def order(self) -> Tensor:
        """A permutation of ``0..num-1``, int64."""
        return torch.randperm(self.num, generator=stream_generator(self.seed, _SHUFFLE_STREAM + self.epoch))


class TrainBatches:
    """The training set in batches, reshuffled every epoch; the last one may be smaller.

    Lightning keeps :meth:`state_dict` in checkpoints, so that a resumed run goes on in the middle of an epoch.

    Args:
        sequences: the training set.
        encode: how sequences become a batch.
        batch_size: sequences per batch, at least 1.
        sampler: the order of each epoch.
    """

    def __init__(
        self, sequences: Sequences, encode: Callable[[Sequences], Batch], batch_size: int, sampler: EpochShuffle
    ) -> None:
        self.sequences = sequences
        self.encode = encode
        self.batch_size = batch_size
        self.sampler = sampler
        self._num_taken = 0  # batches of the newest epoch
        self._resumed: dict[str, int] = {}  # where a run that goes on had stopped

    def __len__(self) -> int:
        return -(-len(self.sequences.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        is_same_epoch = self._resumed.get("epoch") == self.sampler.epoch
        self._num_taken, self._resumed = self._resumed["num_taken"] if is_same_epoch else 0, {}
        order = self.sampler.order()[self._num_taken * self.batch_size :]
        for rows in torch.split(order, self.batch_size * _BATCHES_PER_CHUNK):
            tokens, targets = self.encode(self.sequences.select(rows))
            for batch in map(Batch, torch.split(tokens, self.batch_size), torch.split(targets, self.batch_size)):
                self._num_taken += 1
                yield batch

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many of its batches have been taken."""
        return {"epoch": self.sampler.epoch, "num_taken": self._num_taken % len(self)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where :meth:`state_dict` was called, if the next epoch is the same one: a limit may have ended it.

        Args:
            state: that it returned, for a training set of the same size.
        """
        self._resumed = state


class EvalBatches:
    """A held-out set in batches, sorted by length, to pad little.

    They are encoded once and read many times. Only of a very large set, such as all sequences that exist, is each batch
    encoded whenever it is read, as all of them would not fit into memory.

    Args:
        sequences: the held-out set.
        encode: how sequences become a batch.
        batch_size: sequences per batch, at least 1.
    """

    @torch.inference_mode(False)  # Lightning asks in inference mode, but a training may read the same batches
    def __init__(self, sequences: Sequences, encode: Callable[[Sequences], Batch], batch_size: int) -> None:
        self._sequences, self._encode = sequences, encode
        self._rows = torch.split(sequences.lengths.argsort(stable=True), batch_size)
        is_kept = len(sequences.lengths) <= MAX_KEPT_SEQUENCES
        self._batches = list(self._encoded()) if is_kept else None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Batch]:
        return self._encoded() if self._batches is None else iter(self._batches)

    def last(self) -> Batch:
        """The last batch, which holds the longest sequences."""
        return self._encode(self._sequences.select(self._rows[-1])) if self._batches is None else self._batches[-1]

    def _encoded(self) -> Iterator[Batch]:
        return (self._encode(self._sequences.select(rows)) for rows in self._rows)
