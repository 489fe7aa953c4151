"""Step inputs of each word against those of each token, in models that mix a dictionary of transitions."""

from __future__ import annotations

from typing import cast

import torch

from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.models.mixer import StepMixer
from ib_bench.training.global_state import one_thread

_LENGTHS = (6, 12)


def words(num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Loss and gradients of a batch of 64, aligned chain of thought, lengths up to 6 and 12, on one core."""
    with one_thread():
        return [
            _measure(model_class, length, num_rounds, on_round)
            for model_class in (models.SDSSM, models.PDSSM)
            for length in _LENGTHS
        ]


def _measure(
    model_class: type[models.SDSSM] | type[models.PDSSM], length: int, num_rounds: int, on_round: OnRound
) -> Measurement:
    data = ModularAddition(modulus=5, max_length=length, num_train_sequences=1000, batch_size=64)
    batch = next(iter(data.train_dataloader()))
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        model = model_class(data.vocab_size, data.num_classes)
    mixer = cast(StepMixer, model.blocks[0].mixer)

    def loss(projects_words: bool) -> torch.Tensor:
        mixer.projects_words = projects_words
        return model.loss(batch)

    def step(projects_words: bool) -> None:
        loss(projects_words).backward()  # type: ignore[no-untyped-call]

    difference = float((loss(True) - loss(False)).detach().abs())
    contestants = [lambda once=once: step(once) for once in (True, False)]
    what = f"{model_class.__name__}, length {length}: each token projected against each word"
    words_s, tokens_s = timed_in_turns(contestants, num_rounds, lambda: on_round(what))
    note = f"{1000 * tokens_s:.1f} against {1000 * words_s:.1f} ms, losses differ by {difference:.0e}"
    return Measurement("words", what, tokens_s / words_s, "x", note=note, same=difference < 1e-4)
