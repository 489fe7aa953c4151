"""Many training runs that differ only in learning rate and seed, as one.

The configurations of one size share shapes, data and code, and a small model leaves most of a GPU idle. Here their
models become one whose parameters have a leading member axis: forward and backward are batched over it
(``torch.func.vmap``), the optimizer holds a row of parameters for each member, with the member's own learning rate, and
each member reads its own seed's data in its own order. No member sees another: up to rounding, and to the random
numbers of dropout, each is trained as it would be alone.

A model offers this by :attr:`~ib_bench.models.sequence_model.SequenceModel.stackable`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ib_bench.models.full_precision import full_precision
from ib_bench.models.metrics import FINAL_STATE_ACCURACY, LOSS, StateTrackingMetrics, at_least_float32
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.judgement import judged


@dataclass
class Member:
    """One of the training runs.

    Attributes:
        model: as it was initialised; :meth:`StackedModel.unstack` puts the trained parameters there.
        data: which of the data sets it reads.
        curve: pairs of optimizer steps and validation loss.
        accuracies: final-state accuracy of every validation.
        metrics: all validation metrics after the last validation, by name.
        ended: whether its training is over.
    """

    model: SequenceModel
    data: int
    curve: list[tuple[int, float]] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    ended: bool = False


class StackedModel(pl.LightningModule):
    """The members as one LightningModule.

    A member's training ends once its validation loss is below the threshold or no longer finite, or futile; it is then
    taken off the stack. The first success ends all.

    Args:
        members: whose models have the same shapes and are stackable.
        threshold: epsilon, in nats.
        exhaustive: go on after a success.
        futile_after: optimizer steps from which on a member without progress is taken off too.
        on_validation: receives the optimizer steps and the lowest loss of every validation.
    """

    def __init__(
        self,
        members: Sequence[Member],
        threshold: float,
        exhaustive: bool = False,
        futile_after: float = math.inf,
        on_validation: Callable[[int, float], None] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.members = members
        self.threshold = threshold
        self.exhaustive = exhaustive
        self.futile_after = futile_after
        self.report = on_validation
        self.rows = nn.ParameterList(parameters_to_vector(one.model.parameters()).detach() for one in members)
        self._parts = [(f"model.{name}", value.shape) for name, value in members[0].model.named_parameters()]
        self._places: tuple[tuple[int, ...], Tensor] | None = None
        self._function = [_StackableForward(members[0].model)]  # in a list, so that its parameters are not ours

    def forward(self, tokens: Tensor) -> Tensor:
        """Score the states at every position, for each member that is still in training.

        Args:
            tokens: int64 ``(members, batch, length)``.

        Returns:
            Logits ``(members, batch, length, num_classes)``.
        """
        (function,) = self._function
        rows = torch.stack([self.rows[index] for index in self.active])
        values = rows.split_with_sizes([shape.numel() for _, shape in self._parts], dim=1)
        parameters = {
            name: value.view(len(rows), *shape) for (name, shape), value in zip(self._parts, values, strict=True)
        }

        def one(own: dict[str, Tensor], own_tokens: Tensor) -> Tensor:
            return cast(Tensor, functional_call(function, own, (own_tokens,)))

        with sdpa_kernel(SDPBackend.MATH):  # the others have no batching rule
            return vmap(one, randomness="different")(parameters, tokens)

    @property
    def active(self) -> list[int]:
        """The members that are still in training."""
        return [index for index, member in enumerate(self.members) if not member.ended]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam as each member has it, with a group of rows for each learning rate."""
        groups: dict[float, list[Tensor]] = {}
        for row, member in zip(self.rows, self.members, strict=True):
            groups.setdefault(member.model.learning_rate, []).append(row)
        return torch.optim.Adam([{"params": rows, "lr": rate} for rate, rows in groups.items()], fused=True)

    def training_step(self, batches: list[Batch], batch_idx: int) -> None:
        """One optimizer step of all members for each batch ``(data sets, batch, width)``."""
        optimizer = cast(LightningOptimizer, self.optimizers())
        self._follow_mode()
        for batch in batches:
            optimizer.zero_grad()
            self.manual_backward(self._losses(batch).sum())
            optimizer.step()
            torch.clear_autocast_cache()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Take a validation batch ``(data sets, batch, width)`` into every member's metrics."""
        self._follow_mode()
        own = self._own(batch)
        with full_precision(self.device):
            each = self(own.tokens)
        for index, logits, targets in zip(self.active, each, own.targets, strict=True):
            self._metric(index).update(logits, targets)

    def on_fit_start(self) -> None:
        """The metrics follow the parameters to their device."""
        for index in range(len(self.members)):
            self._metric(index).to(self.device)

    def on_validation_epoch_end(self) -> None:
        """Note every member's loss, and take those off the stack whose training is over."""
        losses, judgements = [], []
        for index in self.active:
            member, metric = self.members[index], self._metric(index)
            member.metrics = {name: float(value) for name, value in metric.compute().items()}
            metric.reset()
            losses.append(member.metrics[LOSS])
            member.curve.append((self.trainer.global_step, losses[-1]))
            member.accuracies.append(member.metrics[FINAL_STATE_ACCURACY])
            judgements.append(judged(member.curve, self.threshold, self.futile_after))
            if judgements[-1] is not None:
                self._take_off(index)
        if ("succeeded" in judgements and not self.exhaustive) or not self.active:
            self.trainer.should_stop = True
        if self.report is not None:
            self.report(self.trainer.global_step, min(losses, key=lambda loss: (math.isnan(loss), loss)))

    def unstack(self, index: int) -> SequenceModel:
        """A member's model, with the parameters that it has now."""
        model = self.members[index].model
        vector_to_parameters(self.rows[index].detach().to(next(model.parameters()).device), model.parameters())
        return model

    def _losses(self, batch: Batch) -> Tensor:
        """Every member's mean cross-entropy over the supervised positions, ``(members,)``."""
        own = self._own(batch)
        logits = at_least_float32(self(own.tokens))
        each = functional.cross_entropy(
            logits.flatten(0, 2), own.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        )
        return each.view(len(logits), -1).sum(dim=1) / own.mask.flatten(1).sum(dim=1)

    def _own(self, batch: Batch) -> Batch:
        """Each member's batch, from those of all data sets."""
        places = tuple(self.members[index].data for index in self.active)
        if self._places is None or self._places[0] != places or self._places[1].device != batch.tokens.device:
            self._places = places, torch.tensor(places, device=batch.tokens.device)  # the copy waits for the GPU
        data = self._places[1]
        return Batch(batch.tokens[data], batch.targets[data])

    def _take_off(self, index: int) -> None:
        row = self.rows[index]
        self.members[index].ended = True
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        optimizer.state.pop(row, None)
        for group in optimizer.param_groups:
            group["params"] = [other for other in group["params"] if other is not row]
        optimizer.param_groups = [group for group in optimizer.param_groups if group["params"]]

    def _follow_mode(self) -> None:
        (function,) = self._function
        if function.training != self.training:
            function.train(self.training)

    def _metric(self, index: int) -> StateTrackingMetrics:
        return cast(StateTrackingMetrics, self.members[index].model.metrics["val"])


def stacks(model: SequenceModel) -> bool:
    """Whether a stack trains a model as it would be trained alone, as far as that shows without training.

    All its parameters are trained, it has no buffers, its loss is the usual one, and its operations can be batched.

    Args:
        model: one of those that would be in the stack.
    """
    if type(model).loss is not SequenceModel.loss or not all(one.requires_grad for one in model.parameters()):
        return False
    buffers = {name for name, _ in model.named_buffers() if not name.startswith("metrics.")}
    if buffers:
        return False
    tokens = torch.zeros(2, 1, 2, dtype=torch.long)
    try:
        with torch.no_grad():
            StackedModel([Member(model, 0), Member(model, 0)], threshold=0.0)(tokens)
    except RuntimeError:  # an operation without a batching rule
        return False
    return True


class StackedBatches:
    """The batches of several data sets side by side, padded to one width.

    Args:
        loaders: with batches of the same number of sequences, or lists of such batches.
    """

    def __init__(self, loaders: Sequence[Any]) -> None:
        self.loaders = loaders

    def __len__(self) -> int:
        return len(self.loaders[0])

    def __iter__(self) -> Iterator[Any]:
        for parts in zip(*self.loaders, strict=True):
            if isinstance(parts[0], Batch):
                yield side_by_side(parts)
            else:
                yield [side_by_side(batches) for batches in zip(*parts, strict=True)]


def side_by_side(batches: Sequence[Batch]) -> Batch:
    """One batch ``(data sets, batch, width)`` of batches ``(batch, width)`` of several widths.

    Args:
        batches: of the same number of sequences.
    """
    width = max(batch.tokens.shape[1] for batch in batches)

    def padded(tensors: Sequence[Tensor], value: int) -> Tensor:
        return torch.stack([functional.pad(one, (0, width - one.shape[1]), value=value) for one in tensors])

    tokens, targets = zip(*batches, strict=True)
    return Batch(padded(tokens, 0), padded(targets, IGNORE_INDEX))


class _StackableForward(nn.Module):
    """A model whose call is its :meth:`SequenceModel.stackable_forward`."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model.stackable_forward(tokens)
