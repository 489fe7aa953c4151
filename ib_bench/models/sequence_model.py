"""The base class of architectures: training, validation and metrics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from ib_bench.errors import require
from ib_bench.models.cuda_graphs import StepGraphs
from ib_bench.models.full_precision import full_precision
from ib_bench.models.metrics import LOSS, StateTrackingMetrics, cross_entropy, metric_key
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sharding import RankRandomness, share_of
from ib_bench.supervision.supervision import Batch


def require_size(option: str, value: int) -> None:
    """Raise :class:`~ib_bench.errors.InvalidOptionError` unless a width or a number of layers is at least 1."""
    require(value >= 1, option, value, "an integer of at least 1")


class SequenceModel(pl.LightningModule, ABC):
    """A causal model that reads tokens and names a state at every position.

    A subclass takes ``vocab_size`` and ``num_classes`` (the command line fills them in from the data), its own sizes
    and ``learning_rate``, and defines :meth:`forward`.

    Where several processes train one model (``--trainer.strategy ddp``), each must be handed the whole batch (a Trainer
    of one's own wants ``use_distributed_sampler=False``), and takes its share of the rows; losses and metrics are those
    of the whole batch. Evaluation is in float32 also under mixed precision.

    Args:
        num_classes: number of different answers, at least 2.
        learning_rate: of Adam (betas 0.9 and 0.999; no decay, schedule or clipping), above 0.

    Attributes:
        capturable: whether training steps can be replayed as a CUDA graph (:mod:`ib_bench.models.cuda_graphs`): what
            ``forward`` and ``loss`` do depends on nothing but parameters and the batch's shape and never waits for the
            GPU (no ``if`` about a tensor's value, no ``item()``). A class has to say so itself; it is not inherited.
        packable: whether :meth:`packed_forward` works and is faster, so that losses and metrics use it in place of
            ``forward``. A class has to say so itself: a derived class may compute something else, so this is not
            inherited. An instance may set it to False.

    Reference: arXiv 2602.18333, section 4.
    """

    capturable: ClassVar[bool] = False
    packable: bool = False

    def __init__(self, num_classes: int, learning_rate: float = 1e-3) -> None:
        super().__init__()
        require(0 < learning_rate < math.inf, "learning_rate", learning_rate, "a finite number above 0")
        self.learning_rate = learning_rate
        self._compiled_batch_size: int | None = None
        self._graphs: StepGraphs | None = None
        self._randomness: RankRandomness | None = None
        self.metrics = torch.nn.ModuleDict({split: StateTrackingMetrics(num_classes) for split in ("val", "test")})

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Score the states at every position, from the tokens up to there.

        Args:
            tokens: int64 ``(batch, length)``, values in ``[0, vocab_size)``.

        Returns:
            Logits ``(batch, length, num_classes)``.
        """

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """The logits of :meth:`forward` at supervised positions, computed without padding.

        Optional, see :attr:`packable`. Values and gradients must be the same up to rounding, without dropout; dropout
        may draw other random numbers.

        Args:
            batch: the real tokens of at least one sequence.

        Returns:
            Logits ``(num_supervised, num_classes)``, in the order of ``batch.supervised``.
        """
        raise NotImplementedError(f"{type(self).__name__} is packable but defines no packed_forward")

    def packing_pays(self, num_positions: int, num_tokens: int, num_supervised: int) -> bool:
        """Whether :meth:`packed_forward` is likely to be faster for a batch; it has more, but smaller operations.

        Args:
            num_positions: of the padded batch, rows times width.
            num_tokens: up to the last supervised position of each row.
            num_supervised: positions at which something is asked.
        """
        return num_tokens <= _PACKED_SHARE * num_positions

    def compile_steps(self, batch_size: int) -> None:
        """Compile the forward and backward pass of training steps (``torch.compile``); validation is left as it is.

        Compiled code belongs to shapes and is shared by all models of a class and its sizes in a process.

        Args:
            batch_size: of the batches that are worth it; others, such as the last of an epoch, are not compiled.
        """
        self._compiled_batch_size = batch_size

    def replay_steps(self, graphs: StepGraphs | None) -> None:
        """Take training steps by CUDA graphs, where the Trainer hands over many batches at once.

        Args:
            graphs: that take them; None for the usual way.
        """
        self._graphs = graphs

    def decode(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Read on: score further tokens after those that have been read already.

        This one reads everything again. A model that can carry on from a recurrent state or cached keys and values
        overrides it, so that generating n tokens costs O(n) calls of constant cost, or of cost O(n) with attention.

        Args:
            tokens: int64 ``(batch, length)``, the next tokens.
            state: what the previous call returned; None at the start.

        Returns:
            Logits ``(batch, length, num_classes)`` of the given tokens, and the state after them.
        """
        seen = tokens if state is None else torch.cat([state, tokens], dim=1)
        return self(seen)[:, -tokens.shape[1] :], seen

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, in its fused form: one kernel for all parameters, on CPUs and GPUs alike.

        That one unscales gradients by itself, so that Lightning cannot clip them in mixed precision; where they are to
        be clipped it is the usual form. So it is where a parameter is complex, which the fused form refuses.
        """
        clips = self._trainer is not None and bool(self._trainer.gradient_clip_val)
        are_real = all(parameter.is_floating_point() for parameter in self.parameters())
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=are_real and not clips)

    def training_step(self, batch: Batch | list[Batch], batch_idx: int) -> Tensor | None:
        """Mean cross-entropy over the supervised positions of a training batch, a scalar.

        With ``automatic_optimization`` off, ``batch`` is a list of batches, and one optimizer step is taken for each.
        """
        if isinstance(batch, Batch):
            return self._train_loss(batch)
        optimizer = cast(LightningOptimizer, self.optimizers())

        def gradients(one: Batch) -> None:
            optimizer.zero_grad()
            loss = self._train_loss(one)
            with full_precision(self.device):  # as Lightning's loop does, where what is float32 has float32 gradients
                self.manual_backward(loss)

        if self._graphs is not None:
            self._graphs.take(batch, gradients, optimizer, self.trainer.strategy.optimizer_step)
            return None
        for one in batch:
            gradients(one)
            optimizer.step()
            torch.clear_autocast_cache()  # mixed precision may keep copies of the weights, which are old now
        return None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take a validation batch into the metrics."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Take a test batch into the metrics."""
        self._evaluate(batch, "test")

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self._log_metrics("test")

    def _evaluate(self, batch: Batch, split: str) -> None:
        batch, num_own = share_of(batch, *self._ranks())
        with full_precision(self.device):
            packed = self._packed(batch)
            logits = self(batch.tokens) if packed is None else packed.scatter(self.packed_forward(packed))
        self._metric(split).update(logits[:num_own], batch.targets[:num_own])

    def loss(self, batch: Batch) -> Tensor:
        """Mean cross-entropy over the supervised positions of a batch, in nats, a scalar.

        A subclass's own loss must be a mean over them too if several processes are to train one model.
        """
        if len(batch.tokens) == self._compiled_batch_size:
            return cast(Tensor, _compiled_loss()(self, batch.tokens, batch.targets))
        packed = self._packed(batch)
        if packed is None:
            return _loss(self, batch.tokens, batch.targets)
        return cross_entropy(self.packed_forward(packed), packed.targets)

    def _packed(self, batch: Batch) -> PackedBatch | None:
        """The batch without padding; None where ``forward`` takes it as it is.

        On a GPU it does: models of the sizes studied here wait for kernel launches, not for arithmetic, and a packed
        batch needs more of them.
        """
        offered = bool(vars(type(self)).get("packable", False)) and self.packable
        if not offered or batch.tokens.device.type != "cpu" or bool(batch.mask.all()):
            return None
        packed = PackedBatch(batch)
        pays = self.packing_pays(batch.tokens.numel(), len(packed.tokens), len(packed.targets))
        return packed if pays else None

    def _train_loss(self, batch: Batch) -> Tensor:
        rank, num_ranks = self._ranks()
        loss = self.loss(batch) if num_ranks == 1 else self._loss_of_share(batch, rank, num_ranks)
        trainer = self.trainer
        if trainer.loggers or trainer.progress_bar_callback or trainer.checkpoint_callbacks:
            # only if there is a logger: logging costs a good part of a small model's step
            self.log(metric_key("train", LOSS), loss, prog_bar=True, sync_dist=num_ranks > 1)
        return loss

    def _loss_of_share(self, batch: Batch, rank: int, num_ranks: int) -> Tensor:
        """A number whose mean over the ranks is the batch's loss, so that the mean of its gradients is the loss's."""
        if self._randomness is None:
            self._randomness = RankRandomness(rank)
        own, num_own = share_of(batch, rank, num_ranks)
        with self._randomness.own(self.device):
            loss = self.loss(own)
        return loss * (num_ranks * own.mask[:num_own].sum() / batch.mask.sum())

    def _ranks(self) -> tuple[int, int]:
        """Number of this process, and how many train this model together."""
        trainer = self._trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)

    def _log_metrics(self, split: str) -> None:
        metric = self._metric(split)
        self.log_dict({metric_key(split, name): value for name, value in metric.compute().items()}, sync_dist=True)
        metric.reset()

    def _metric(self, split: str) -> StateTrackingMetrics:
        return cast(StateTrackingMetrics, self.metrics[split])


_PACKED_SHARE = 0.8
"""Share of real tokens in a batch up to which leaving padding out is faster, by `make bench NAMES=steps` on a CPU."""

_MAX_SHAPES = 10_000


def _loss(model: SequenceModel, tokens: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(model(tokens), targets)


@cache
def _compiled_loss() -> Any:
    """:func:`_loss`, compiled for each shape once; dropout draws the numbers that it draws otherwise.

    Dynamo would stop compiling after 8 shapes, and what is computed would depend on what had run before.
    """
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = _MAX_SHAPES
    return torch.compile(_loss, dynamic=False, options={"fallback_random": True})
