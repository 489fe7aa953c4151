"""Whether a model can be asked about longer sequences, before it is trained."""

from __future__ import annotations

from functools import lru_cache

import torch
from lightning.pytorch.utilities.seed import isolate_rng

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.models.plain_module import is_plain_module
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.quantities.extrapolation.record import ExtrapolationSettings
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.training.global_state import global_state_kept
from ib_bench.training.instantiation import instantiate_data, instantiate_model
from ib_bench.training.model_check import looks_ahead_at, why_unreadable


def require_readable_lengths(
    experiment: Experiment, settings: ExtrapolationSettings, allow_lookahead: bool = False
) -> bool:
    """Make sure that accuracy can be measured at all lengths.

    Args:
        experiment: whose model would be trained.
        settings: that say at which lengths.
        allow_lookahead: accept a model that looks ahead in sequences longer than those of the data.

    Returns:
        Whether it looks ahead, there or in the data's sequences; only a user's own is checked.

    Raises:
        BenchError: the data have no lengths, or the model cannot read sequences of the longest, or looks ahead in them
            although that is not allowed.
    """
    model, data = experiment.model, experiment.data
    if not issubclass(data.cls, StateTrackingData):
        raise BenchError(
            f"extrapolation needs a task's data, whose lengths can be set, or a StateTrackingData; {data.class_path} "
            f"is neither"
        )
    if not (issubclass(model.cls, SequenceModel) or is_plain_module(model.cls)):
        raise BenchError(
            f"extrapolation asks for logits, and needs a SequenceModel or a plain nn.Module; {model.class_path} is "
            f"another LightningModule"
        )
    if not experiment.source_digests:
        return experiment.looks_ahead
    length = _longest(experiment, settings)
    reason, looks_ahead = _reading(model, data, length, experiment.code)
    if reason is not None:
        raise BenchError(reason)
    if looks_ahead and not experiment.looks_ahead and not allow_lookahead:
        raise BenchError(
            f"model {model.class_path} looks ahead in sequences of length {length}, which extrapolation.multiples asks "
            f"for; --search.allow_lookahead true measures it anyway, and marks its name"
        )
    return looks_ahead or experiment.looks_ahead


def _longest(experiment: Experiment, settings: ExtrapolationSettings) -> int:
    max_length = experiment.data.presentation.max_length
    if max_length is None:
        max_length = _built(experiment.data, experiment.code).max_length
    return max(settings.lengths(max_length))


@lru_cache(maxsize=256)
def _built(data: DataSpec, code: str) -> StateTrackingData:
    built = instantiate_data(data)
    assert isinstance(built, StateTrackingData)
    return built


@lru_cache(maxsize=256)
def _reading(model: ClassSpec, data: DataSpec, length: int, code: str) -> tuple[str | None, bool]:
    """Why a newly built model cannot read a sequence of a length, None if it can, and whether it looks ahead in it."""
    built = _built(data, code)
    with global_state_kept(), isolate_rng(include_cuda=False):
        untrained = instantiate_model(model, built).eval()
        assert isinstance(untrained, SequenceModel)
        num_tokens = built.supervision.complete.num_tokens(length)
        tokens = (torch.arange(num_tokens) % built.vocab_size)[None]
        reason = why_unreadable(untrained, tokens, built.num_classes)
        if reason is None:
            return None, looks_ahead_at(untrained, tokens, built.vocab_size)
        num_own = built.supervision.complete.num_tokens(min(length, built.max_length))
        if why_unreadable(untrained, tokens[:, :num_own], built.num_classes) is not None:
            return None, False  # nor those that it is trained on: it needs a GPU, and cannot be asked here
    text = (
        f"model {model.class_path} cannot read the {tokens.shape[1]:,} tokens of sequences of length {length}, which "
        f"extrapolation.multiples asks for ({reason}); its constructor may take num_positions, the largest number"
    )
    return text, False
