"""The tabular learner reproduces the published counts of state-tracking-complexity, to the last transition.

Their script (code/tabular_erm.py of github.com/yashmahe2020/state-tracking-complexity, v1.0.0) looks for the smallest
number of transitions, on a grid of 40, with which 95 % of 2,000 fresh sequences of 16 symbols visit observed
transitions only; the median of 8 seeds is printed. Here its sequences, drawn by the same calls of numpy's generator,
are read by our machines and counted by our model. The initial state is known to it, as theirs knows it.
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
import torch
from torch import Tensor

from ib_bench.models import TabularLearner
from ib_bench.supervision import AlignedChainOfThought
from ib_bench.supervision.supervision import Batch
from ib_bench.tasks import ModularAddition
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

_LENGTH, _NUM_FRESH, _THRESHOLD = 16, 2_000, 0.95

PUBLISHED = {
    "cyclic": {8: 288, 12: 880, 16: 1_680, 20: 2_336, 24: 3_504, 32: 6_576, 48: 15_840, 64: 27_024},
    "random": {8: 320, 12: 816, 16: 1_552, 20: 2_784, 24: 3_504, 32: 6_576, 48: 15_840, 64: 27_024},
}
CELLS = [
    pytest.param(family, size, count, marks=[] if size in (8, 16, 24) else [pytest.mark.slow])
    for family, counts in PUBLISHED.items()
    for size, count in counts.items()
]


class TheirAutomaton(FiniteStateMachine):
    """K states and K symbols: the first symbol is the identity, each other one a permutation of numpy's."""

    def __init__(self, num_states: int) -> None:
        self.num_states = self.num_symbols = num_states

    def _build_transition(self) -> Tensor:
        generator = np.random.default_rng(10_000)  # noqa: TID251 (their draws)
        columns = [np.arange(self.num_states)]
        columns += [generator.permutation(self.num_states) for _ in range(self.num_states - 1)]
        return torch.tensor(np.stack(columns, axis=1))

    @classmethod
    def examples(cls) -> list[Example]:
        return []


def smallest_count(task: FiniteStateMachine, seed: int) -> int | None:
    """The smallest number of transitions of their grid that suffices."""
    size = task.num_states
    supervision = AlignedChainOfThought(task)
    generator = np.random.default_rng(seed)  # noqa: TID251 (their draws)

    def drawn(num: int) -> Batch:
        symbols = torch.tensor(generator.integers(0, size, size=(num, _LENGTH), dtype=np.int64))
        return supervision.encode(symbols, task.trajectory(symbols), torch.full((num,), _LENGTH))

    fresh = drawn(_NUM_FRESH)
    largest = 25 * size * size * math.log(size)
    for num in sorted({round(num) for num in np.geomspace(0.1 * size * size, largest, 40)}):
        num_sequences = max(1, num // _LENGTH)
        model = TabularLearner(supervision.vocab_size, supervision.num_classes, initial_state=0)
        optimizer = model.configure_optimizers()
        model.loss(drawn(num_sequences)).backward()
        optimizer.step()
        with torch.no_grad():
            right = _known_and_right(model, fresh)
        if float(right.double().mean()) >= _THRESHOLD:
            return num_sequences * _LENGTH
    return None


def _known_and_right(model: TabularLearner, batch: Batch) -> Tensor:
    """Which sequences are right at every position, without guessing; bool ``(batch,)``."""
    logits = model(batch.tokens)
    known = logits.amax(dim=2) > 0
    return (known & (logits.argmax(dim=2) == batch.targets)).all(dim=1)


@pytest.mark.parametrize(("family", "size", "published"), CELLS)
def test_counts(family: str, size: int, published: int) -> None:
    task = ModularAddition(size) if family == "cyclic" else TheirAutomaton(size)
    counts = [smallest_count(task, seed) for seed in range(8)]
    assert None not in counts
    assert median(count for count in counts if count is not None) == published
