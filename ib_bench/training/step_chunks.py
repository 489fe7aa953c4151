"""Many optimizer steps in one call of Lightning's loop.

Lightning's bookkeeping around a training step (hooks, profiler, progress) takes about half a millisecond, as much as a
quarter of a small model's step. A trial has no use for it between two validations, so its Trainer is handed chunks of
batches, and the model takes a step for each (:meth:`ib_bench.models.sequence_model.SequenceModel.training_step`). The
steps are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle, islice

from ib_bench.data.batches import TrainBatches
from ib_bench.supervision.supervision import Batch

_MAX_CHUNK = 64


class StepChunks:
    """The batches of one epoch after the other, cut into chunks that end wherever a validation is due.

    Args:
        batches: the training set.
        interval: optimizer steps between validations, at least 1.
        num_steps: optimizer steps in all, at least 1.

    Attributes:
        chunks_per_interval: number of chunks from one validation to the next.
    """

    def __init__(self, batches: TrainBatches, interval: int, num_steps: int) -> None:
        self.batches = batches
        self.num_steps = num_steps
        self.chunks_per_interval = -(-interval // _MAX_CHUNK)
        ends = [interval * (i + 1) // self.chunks_per_interval for i in range(self.chunks_per_interval)]
        self._sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]  # as equal as can be

    def __len__(self) -> int:
        return sum(1 for _ in self._chunk_sizes())

    def __iter__(self) -> Iterator[list[Batch]]:
        stream = self._stream()
        for size in self._chunk_sizes():
            yield list(islice(stream, size))

    def _chunk_sizes(self) -> Iterator[int]:
        left = self.num_steps
        for size in cycle(self._sizes):
            if left <= 0:
                return
            yield min(size, left)
            left -= size

    def _stream(self) -> Iterator[Batch]:
        for epoch in count():
            self.batches.sampler.set_epoch(epoch)
            yield from self.batches
