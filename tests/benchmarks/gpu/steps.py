"""A training step on a GPU: as it is, compiled, as a CUDA graph, without padding; in a trial; and its memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.checks import Check, NotRunError
from benchmarks.measurement import Measurement
from benchmarks.training_step import unseen
from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch
from ib_bench.training.acceleration import MIN_COMPILED_STEPS, c_compiler
from ib_bench.training.fitting import train
from ib_bench.training.global_state import fresh_global_state

_NUM_BATCHES = 20
_WARM_UP = 3
_ROUNDS = 3
_GB = 1e9


@dataclass(frozen=True)
class Size:
    """An architecture with a width.

    Attributes:
        model: name of the class.
        arguments: of its constructor.
        is_small: whether the target for width 64 holds for it.
    """

    model: str
    arguments: dict[str, Any]
    is_small: bool = False

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.model}, width {self.arguments['hidden_size']}"

    def build(self, data: ModularAddition, **arguments: Any) -> SequenceModel:
        """A model for data."""
        kind = getattr(models, self.model)
        built: SequenceModel = kind(data.vocab_size, data.num_classes, **self.arguments, **arguments)
        return built


SMALL = (
    Size("LSTM", {"hidden_size": 64}, is_small=True),
    Size("DenseSSM", {"hidden_size": 64}, is_small=True),
    Size("Transformer", {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "dropout": 0.0}, is_small=True),
)
PAPER = (
    Size("LSTM", {"hidden_size": 768}),
    Size("DenseSSM", {"hidden_size": 256}),
    Size("Transformer", {"hidden_size": 256, "num_layers": 6, "num_heads": 4, "dropout": 0.0}),
)
"""The paper's; without dropout, so that two ways to compute a step can be compared."""


def step_checks(device: torch.device, sizes: Sequence[Size], max_s: float, max_length: int = 20) -> list[Check]:
    """Steps as they are, as CUDA graphs, in trials and compiled; the slowest to prepare come last.

    Args:
        device: where models are.
        sizes: of the models.
        max_s: seconds for each timing.
        max_length: of the sequences, all of which have it.
    """
    data = partial(_data, max_length, "fixed")
    kinds: dict[str, _Measure] = {
        "step": _plain_step,
        "step as a CUDA graph": _graphed_step,
        "trial against bare loop": _trial_step,
        "compiled step": _compiled_step,
    }
    return [
        Check(f"{size.name}: {title}", partial(measure, device, size, data, max_s))
        for title, measure in kinds.items()
        for size in sizes
    ]


def padding_checks(device: torch.device, sizes: Sequence[Size], max_s: float, max_length: int = 20) -> list[Check]:
    """Steps without padding against padded ones, of every model that offers both."""
    return [
        Check(
            f"{size.name}, {supervision}: without padding against padded",
            partial(_packed_step, device, size, partial(_data, max_length, "uniform", supervision), max_s),
        )
        for size in sizes
        for supervision in ("aligned_chain_of_thought", "outcome")
    ]


def memory_checks(device: torch.device, sizes: Sequence[Size], max_length: int = 30) -> list[Check]:
    """What a step takes of the GPU's memory at most, with chain of thought, whose sequences are the longest."""
    data = partial(_data, max_length, "fixed", "chain_of_thought")
    return [Check(f"{size.name}: memory of a step", partial(_step_memory, device, size, data)) for size in sizes]


_Data = Callable[[], ModularAddition]
_Measure = Callable[[torch.device, Size, _Data, float], Iterator[Measurement]]


class PeakMemory:
    """The most memory that tensors take on a GPU within a context, in bytes, beside what is there already.

    Args:
        device: the GPU.

    Raises:
        NotRunError: it is none.
    """

    def __init__(self, device: torch.device) -> None:
        if device.type != "cuda":
            raise NotRunError("torch counts no memory of a CPU")
        self._device = device

    def __enter__(self) -> PeakMemory:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)
        return self

    def __exit__(self, *_: object) -> None:
        self.num_bytes = torch.cuda.max_memory_allocated(self._device) - self._before

    def measurement(self, benchmark: str, what: str) -> Measurement:
        """With the whole memory of the GPU as its target."""
        total = torch.cuda.get_device_properties(self._device).total_memory
        return Measurement(benchmark, what, self.num_bytes / _GB, "GB", total / _GB)


def seconds_per_call(call: Callable[[], object], device: torch.device, max_s: float) -> float:
    """The median over a few rounds of as many calls as fit into a time, once the first calls are over.

    Args:
        call: what is timed; what it starts on the device counts.
        device: that it computes on.
        max_s: seconds for all rounds.
    """
    _timed(call, _WARM_UP, device)
    num = max(1, int(max_s / _ROUNDS / _timed(call, 1, device)))
    return statistics.median(_timed(call, num, device) / num for _ in range(_ROUNDS))


def _timed(call: Callable[[], object], num: int, device: torch.device) -> float:
    _wait_for(device)
    start = time.perf_counter()
    for _ in range(num):
        call()
    _wait_for(device)
    return time.perf_counter() - start


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _data(max_length: int, lengths: str, supervision: str = "aligned_chain_of_thought") -> ModularAddition:
    return ModularAddition(
        modulus=5,
        max_length=max_length,
        length_distribution=lengths,
        supervision=supervision,
        num_train_sequences=64 * _NUM_BATCHES,
    )


def _batches(data: ModularAddition, device: torch.device) -> list[Batch]:
    return [Batch(batch.tokens.to(device), batch.targets.to(device)) for batch in data.train_dataloader()]


def _copied(model: SequenceModel, size: Size, data: ModularAddition) -> SequenceModel:
    """The same model once more; ``copy.deepcopy`` would leave the weights of cuDNN's LSTM in many pieces."""
    copied = size.build(data).to(model.device)
    copied.load_state_dict(model.state_dict())
    return copied


def _padded_loss(model: SequenceModel, batch: Batch) -> Tensor:
    return cross_entropy(model(batch.tokens), batch.targets)


def _packed_loss(model: SequenceModel, batch: Batch) -> Tensor:
    packed = PackedBatch(batch)
    return cross_entropy(model.packed_forward(packed), packed.targets)


class _Step:
    """An optimizer step of a model.

    Args:
        model: on its device.
        loss: of a batch.
    """

    def __init__(self, model: SequenceModel, loss: Callable[[SequenceModel, Batch], Tensor] = _padded_loss) -> None:
        self.model, self._loss = model, loss
        self._optimizer = model.configure_optimizers()

    def __call__(self, batch: Batch) -> None:
        self._optimizer.zero_grad()
        self._loss(self.model, batch).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


class _GraphedStep:
    """The same step as a CUDA graph: its kernels are started all at once.

    Args:
        model: on a GPU; takes a few steps on the batch already here.
        batch: with the shape of all batches.
    """

    def __init__(self, model: SequenceModel, batch: Batch) -> None:
        self.model = model
        self._batch = Batch(batch.tokens.clone(), batch.targets.clone())
        optimizer = torch.optim.Adam(model.parameters(), model.learning_rate, fused=True, capturable=True)

        def step() -> None:
            _padded_loss(model, self._batch).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                optimizer.zero_grad()
                step()
        torch.cuda.current_stream().wait_stream(stream)
        optimizer.zero_grad()  # the graph has gradients of its own, which every replay writes again
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            step()

    def __call__(self, batch: Batch) -> None:
        self._batch.tokens.copy_(batch.tokens)
        self._batch.targets.copy_(batch.targets)
        self._graph.replay()


def _ms(step: Callable[[Batch], None], batches: Sequence[Batch], device: torch.device, max_s: float) -> float:
    stream = cycle(batches)
    return 1000 * seconds_per_call(lambda: step(next(stream)), device, max_s)


def _plain_step(device: torch.device, size: Size, make_data: _Data, max_s: float) -> Iterator[Measurement]:
    data = make_data()
    step_ms = _ms(_Step(size.build(data).to(device)), _batches(data, device), device, max_s)
    yield Measurement("steps", f"{size.name}: step", step_ms, "ms")


def _graphed_step(device: torch.device, size: Size, make_data: _Data, max_s: float) -> Iterator[Measurement]:
    if device.type != "cuda":
        raise NotRunError("a CPU has no CUDA graphs")
    data = make_data()
    batches = _batches(data, device)
    plain = _Step(size.build(data).to(device))
    graphed = _GraphedStep(_copied(plain.model, size, data), batches[0])
    for batch in [batches[0]] * _WARM_UP:
        plain(batch)
    for batch in batches[1:6]:
        plain(batch)
        graphed(batch)
    with torch.no_grad():
        own, other = (float(_padded_loss(step.model, batches[0])) for step in (plain, graphed))
    plain_ms, graphed_ms = (_ms(step, batches, device, max_s) for step in (plain, graphed))
    note = f"{plain_ms:.3f} against {graphed_ms:.3f} ms; losses after 8 steps {own:.6f} and {other:.6f}"
    yield Measurement(
        "steps",
        f"{size.name}: step against CUDA graph",
        plain_ms / graphed_ms,
        "x",
        2.0 if size.is_small else None,
        at_least=True,
        note=note,
        same=abs(own - other) <= 1e-3 * own,
    )


def _compiled_step(device: torch.device, size: Size, make_data: _Data, max_s: float) -> Iterator[Measurement]:
    if device.type == "cuda" and c_compiler() is None:
        raise NotRunError("there is no C compiler (gcc or clang, or what CC names)")
    data = make_data()
    batches = _batches(data, device)
    plain = _Step(size.build(data).to(device), SequenceModel.loss)
    compiled = _Step(_copied(plain.model, size, data), SequenceModel.loss)
    compiled.model.compile_steps(data.batch_size)
    _wait_for(device)
    start = time.perf_counter()
    with unseen():  # torch warns of its own ways
        compiled(batches[0])
    _wait_for(device)
    compile_s = time.perf_counter() - start
    plain(batches[0])
    with torch.no_grad():
        own, other = (float(_padded_loss(step.model, batches[0])) for step in (plain, compiled))
    plain_ms, compiled_ms = (_ms(step, batches, device, max_s) for step in (plain, compiled))
    saved_ms = plain_ms - compiled_ms
    losses = f"losses after a step {own:.6f} and {other:.6f}"
    note = f"{plain_ms:.3f} against {compiled_ms:.3f} ms; compiled in {compile_s:.0f} s; {losses}"
    what, same = f"{size.name}: step against compiled step", abs(own - other) <= 1e-3 * own
    yield Measurement("steps", what, plain_ms / compiled_ms, "x", note=note, same=same)
    repaid = 1000 * compile_s / saved_ms if saved_ms > 0 else float("inf")
    what = f"{size.name}: steps after which compiling has repaid itself"
    yield Measurement("steps", what, repaid, "", MIN_COMPILED_STEPS, note="search.compile auto goes by this")


def _step_memory(device: torch.device, size: Size, make_data: _Data) -> Iterator[Measurement]:
    data = make_data()
    with PeakMemory(device) as peak:
        step = _Step(size.build(data).to(device))
        for batch in _batches(data, device)[:_WARM_UP]:
            step(batch)
    yield peak.measurement("memory", f"{size.name}, chain of thought, L = {data.max_length}: memory of a step")


def _trial_step(device: torch.device, size: Size, make_data: _Data, max_s: float) -> Iterator[Measurement]:
    """Both read batches from the CPU's memory; without what setting the Trainer up takes."""
    data = make_data()
    batches = list(data.train_dataloader())

    def bare(num_steps: int) -> None:
        step = _Step(size.build(data).to(device))
        for _, batch in zip(range(num_steps), cycle(batches), strict=False):
            step(Batch(batch.tokens.to(device), batch.targets.to(device)))

    def trial(num_steps: int) -> None:
        with unseen(), fresh_global_state(seed=0, num_threads=1):
            model = size.build(data)
            train(model, data, num_steps, 10 * num_steps, [], accelerator=device.type, devices=1)

    few = 5
    rough_s = _timed(partial(bare, few), _WARM_UP, device) / _WARM_UP / few
    num = max(few, int(max_s / rough_s))
    trial(few)
    start_s, bare_s = (_timed(partial(bare, num_steps), 1, device) for num_steps in (few, few + num))
    trial_start_s, trial_s = (_timed(partial(trial, num_steps), 1, device) for num_steps in (few, few + num))
    bare_ms, trial_ms = 1000 * (bare_s - start_s) / num, 1000 * (trial_s - trial_start_s) / num
    note = f"{trial_ms:.3f} against {bare_ms:.3f} ms per step"
    yield Measurement("steps", f"{size.name}: trial against bare loop", trial_ms / bare_ms, "x", 1.1, note=note)


def _packed_step(device: torch.device, size: Size, make_data: _Data, max_s: float) -> Iterator[Measurement]:
    if not vars(getattr(models, size.model)).get("packable", False):
        raise NotRunError(f"{size.model} offers no packed_forward")
    data = make_data()
    batches = _batches(data, device)
    padded = _Step(size.build(data).to(device))
    packed = _Step(_copied(padded.model, size, data), _packed_loss)
    with torch.no_grad():
        own, other = (float(loss(padded.model, batches[0])) for loss in (_padded_loss, _packed_loss))
    padded_ms, packed_ms = (_ms(step, batches, device, max_s) for step in (padded, packed))
    regime = type(data.supervision).__name__
    what = f"{size.name}, {regime}, uniform lengths: without padding against padded"
    note = f"{packed_ms:.3f} against {padded_ms:.3f} ms; losses {own:.6f} and {other:.6f}"
    same = abs(own - other) <= 1e-4 * own
    yield Measurement("padding", what, packed_ms / padded_ms, "x", 1.0, note=note, same=same)
