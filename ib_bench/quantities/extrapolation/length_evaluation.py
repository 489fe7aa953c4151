"""How well a trained model does at given lengths, position by position.

With chain of thought the states that the model reads can be the true ones (*teacher-forced*) or its own
(*generated*). Generation reads the input, then writes one state after the other, a batch at a time; a recurrent model
carries its state along, a transformer its keys and values.

Reference: arXiv 2602.18333, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from ib_bench.data.sequence_pool import Sequences, stream_generator
from ib_bench.data.state_tracking_data import MAX_EVAL_LOGITS, StateTrackingData
from ib_bench.errors import BenchError, require
from ib_bench.models.metrics import named_states, normalized_accuracy
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.quantities.extrapolation.record import LengthAccuracy, Mode
from ib_bench.supervision.supervision import Batch

Predict = Callable[[SequenceModel, StateTrackingData, Batch], Tensor]

_DECK_STREAM = 2**29

_MAX_TOKENS = 2**15  # per batch: 16 times the paper's longest input, with chain of thought, fits 34 times


def evaluate_length(model: SequenceModel, data: StateTrackingData, sequences: Sequences) -> list[LengthAccuracy]:
    """Accuracy on sequences of one length.

    Args:
        model: in evaluation mode.
        data: writes the sequences down; its regime decides which positions are asked for.
        sequences: all of the same length.

    Returns:
        The teacher-forced accuracy and, if the regime has the model read its own states, the generated one.
    """
    length = int(sequences.lengths[0])
    modes: dict[Mode, Predict] = {"teacher_forced": _read}
    if data.supervision.writes_states:
        modes["generated"] = _generate
    results = []
    for mode, predict in modes.items():
        right = torch.cat([_right(predict(model, data, batch), batch) for batch in _batches(data, sequences)])
        results.append(_length_accuracy(mode, length, right, data.num_classes))
    return results


def evaluation_set(data: StateTrackingData, length: int, num: int) -> Sequences:
    """Sequences of one length that were not trained on.

    Args:
        data: that was trained on.
        length: in symbols, at least the training length.
        num: of sequences, at most.

    Returns:
        At the training length, those of the validation set, on which training stopped; where it has none of that
        length, others. Beyond it, any: none so long was ever seen.

    Raises:
        BenchError: there are none.
    """
    if length == data.max_length:
        found = data.pool.unused_of_length(length, num, data.num_train_sequences)
    else:
        deck = data.pool.space.evaluated.deck(length, stream_generator(data.seed, _DECK_STREAM + length))
        symbols = deck.take(0, min(num, deck.num_sequences))
        found = Sequences(symbols, torch.full((len(symbols),), length, dtype=torch.int16))
    if not len(found.lengths):
        raise BenchError(f"no sequence of {length} symbols is left to measure accuracy on: see extrapolation.multiples")
    return found


def require_sequences(data: StateTrackingData, lengths: Iterable[int]) -> None:
    """Make sure, before anything is trained, that there are sequences of some lengths.

    Raises:
        BenchError: there are none, as a partial automaton may have.
    """
    for length in lengths:
        exists, multiple = data.pool.space.evaluated.count(length) > 0, length / data.max_length
        require(exists, "extrapolation.multiples", multiple, f"such that words of {length} symbols exist")
        if length == data.max_length:
            evaluation_set(data, length, 1)


def _batches(data: StateTrackingData, sequences: Sequences) -> Iterator[Batch]:
    length = sequences.symbols.shape[1]
    num_tokens = min(_MAX_TOKENS, MAX_EVAL_LOGITS // data.num_classes)
    batch_size = max(1, num_tokens // data.supervision.num_tokens(length))
    for rows in torch.split(torch.arange(len(sequences.lengths)), batch_size):
        yield data.encode(sequences.select(rows), data.supervision.complete)


@torch.inference_mode()
def _read(model: SequenceModel, data: StateTrackingData, batch: Batch) -> Tensor:
    """Predicted states ``(batch, supervised positions)``, all read at once; -1 where there is none."""
    predicted = named_states(model(batch.tokens.to(model.device))).cpu()
    return predicted[batch.mask].view(len(predicted), -1)


@torch.inference_mode()
def _generate(model: SequenceModel, data: StateTrackingData, batch: Batch) -> Tensor:
    """As :func:`_read`, but each state is read before the next is predicted."""
    (supervised,) = batch.mask[0].nonzero(as_tuple=True)
    tokens, state, states = batch.tokens[:, : int(supervised[0]) + 1].to(model.device), None, []
    for _ in supervised:
        logits, state = model.decode(tokens, state)
        newest = named_states(logits[:, -1:])
        states.append(newest.cpu())
        tokens = newest.clamp(min=0) + data.supervision.first_state_token
    return torch.cat(states, dim=1)


def _right(predicted: Tensor, batch: Batch) -> Tensor:
    return predicted == batch.targets[batch.mask].view(len(predicted), -1)


def _length_accuracy(mode: Mode, length: int, right: Tensor, num_classes: int) -> LengthAccuracy:
    by_position = right.double().mean(dim=0)
    final, token = float(by_position[-1]), float(by_position.mean())
    return LengthAccuracy(
        mode=mode,
        length=length,
        num_sequences=len(right),
        final_state_accuracy=final,
        token_accuracy=token,
        normalized_final_state_accuracy=normalized_accuracy(final, 1 / num_classes),
        normalized_token_accuracy=normalized_accuracy(token, 1 / num_classes),
        position_accuracy=by_position.tolist(),
    )
