"""Training steps as CUDA graphs: all kernels of a step are started at once.

A step of a small model is hundreds of kernels of a few microseconds each, and the GPU waits for Python to start them.
A CUDA graph records them once and starts them together. It computes what the step computes, with the same kernels in
the same order: fused Adam keeps its step count on the GPU, as does the scaler of ``16-mixed``, and dropout goes on in
the stream of random numbers of torch's generator.

A graph reads and writes fixed addresses, so there is one for each shape of a batch. The first steps of a shape are
taken as usual: they load kernels and fill caches, which must not happen while a graph is recorded.

Reference: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, NamedTuple, Protocol

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer, do_nothing_closure

from ib_bench.errors import BenchError
from ib_bench.supervision.supervision import Batch

_USUAL_STEPS = 3
"""Steps of a shape before it is recorded, as many as torch's documentation warms up with."""

_MAX_GRAPHS = 32


class Recorder(Protocol):
    """Records steps, and replays them."""

    def stream(self) -> AbstractContextManager[None]:
        """Around all steps, recorded or not."""

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """Record without computing anything; what is returned computes it."""


class CudaRecorder:
    """Records on a stream of its own; all graphs share the memory of their intermediate results.

    Nothing in that memory outlives a step: gradients are written again by each.
    """

    device_type = "cuda"

    def __init__(self) -> None:
        self._stream = _stream_of(torch.cuda.current_device())
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def stream(self) -> Iterator[None]:
        """See :class:`Recorder`."""
        outer = torch.cuda.current_stream()
        self._stream.wait_stream(outer)
        with torch.cuda.stream(self._stream):
            yield
        outer.wait_stream(self._stream)

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        """See :class:`Recorder`.

        Raises:
            torch.cuda.OutOfMemoryError: the memory does not suffice.
            RuntimeError: the call does what a graph cannot, such as waiting for the GPU.
        """
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                call()
        except RuntimeError as error:
            generator = torch.cuda.default_generators[torch.cuda.current_device()]
            generator.graphsafe_set_state(generator.clone_state())  # the old one still waits for the end of a recording
            raise _first_of(error) from None
        return graph.replay


@cache
def _stream_of(device: int) -> torch.cuda.Stream:
    """The same stream for all trials of a process: cuBLAS keeps memory for each."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class _Graph(NamedTuple):
    """A recorded step, and the batch that it reads."""

    batch: Batch
    replay: Callable[[], None]


class StepGraphs:
    """Takes a model's training steps, and replays those of a known shape.

    Args:
        recorder: makes what records, once it is needed.

    Attributes:
        num_replayed: how many steps have been replayed.
    """

    def __init__(self, recorder: Callable[[], Recorder] = CudaRecorder) -> None:
        self.num_replayed = 0
        self.device_type: str = getattr(recorder, "device_type", "cuda")
        self._make_recorder = recorder
        self._recorder: Recorder | None = None
        self._num_usual: Counter[tuple[int, ...]] = Counter()
        self._graphs: dict[tuple[int, ...], _Graph] = {}

    def take(
        self,
        batches: Sequence[Batch],
        gradients: Callable[[Batch], None],
        optimizer: LightningOptimizer,
        optimizer_step: Callable[[torch.optim.Optimizer, Callable[[], Any]], Any],
    ) -> None:
        """An optimizer step for each batch.

        Args:
            batches: on the device.
            gradients: replaces the gradients by those of a batch.
            optimizer: of the model, which counts steps.
            optimizer_step: takes a step of an optimizer, as the precision wants it.

        Raises:
            BenchError: the step cannot be recorded.
        """

        def step(batch: Batch) -> None:
            gradients(batch)
            optimizer_step(optimizer.optimizer, do_nothing_closure)
            torch.clear_autocast_cache()

        if self._recorder is None:
            self._recorder = self._make_recorder()
        with self._recorder.stream():
            for batch in batches:
                optimizer._on_before_step()
                self._take(batch, step, optimizer.optimizer, self._recorder)
                optimizer._on_after_step()

    def release(self) -> None:
        """Give up the graphs, with their memory."""
        self._graphs.clear()
        self._recorder = None

    def _take(
        self, batch: Batch, step: Callable[[Batch], None], optimizer: torch.optim.Optimizer, recorder: Recorder
    ) -> None:
        shape = *batch.tokens.shape, *batch.targets.shape
        is_new = shape not in self._graphs
        if is_new and (self._num_usual[shape] < _USUAL_STEPS or len(self._graphs) >= _MAX_GRAPHS):
            self._num_usual[shape] += 1
            step(batch)
            return
        if is_new:
            self._graphs[shape] = _recorded(batch, step, optimizer, recorder)
        graph = self._graphs[shape]
        graph.batch.tokens.copy_(batch.tokens)
        graph.batch.targets.copy_(batch.targets)
        graph.replay()
        self.num_replayed += 1


def _recorded(
    batch: Batch, step: Callable[[Batch], None], optimizer: torch.optim.Optimizer, recorder: Recorder
) -> _Graph:
    own = Batch(batch.tokens.clone(), batch.targets.clone())
    try:
        _set_capturable(optimizer, True)
        return _Graph(own, recorder.record(lambda: step(own)))
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise BenchError(
            f"the training step cannot be recorded as a CUDA graph ({reason}); use search.cuda_graph false"
        ) from error
    finally:
        _set_capturable(optimizer, False)


def _set_capturable(optimizer: torch.optim.Optimizer, value: bool) -> None:
    """Let the optimizer be recorded; fused Adam computes the same with and without, but asks for it."""
    for group in optimizer.param_groups:
        group["capturable"] = value


def _first_of(error: BaseException) -> BaseException:
    """The error that ended a recording; torch raises another one while it ends it."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    return error
