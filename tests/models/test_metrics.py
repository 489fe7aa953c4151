"""Against a plain-Python account of what each metric means."""

from __future__ import annotations

import math

import pytest
import torch

from ib_bench.models.metrics import METRICS, StateTrackingMetrics, cross_entropy
from ib_bench.supervision.supervision import IGNORE_INDEX

NUM_CLASSES = 3


def random_batch(seed: int, batch: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, width, NUM_CLASSES, generator=generator)
    targets = torch.randint(NUM_CLASSES, (batch, width), generator=generator)
    first, last = torch.randint(1, width, (2, batch), generator=generator).sort(dim=0).values
    position = torch.arange(width)
    outside = (position < first[:, None]) | (position > last[:, None])
    return logits, targets.masked_fill(outside, IGNORE_INDEX)


def oracle(batches: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, float]:
    losses, tokens, finals, sequences, chances = [], [], [], [], []
    for logits, targets in batches:
        for row_logits, row_targets in zip(logits, targets.tolist(), strict=True):
            right = []
            for scores, target in zip(row_logits.double(), row_targets, strict=True):
                if target != IGNORE_INDEX:
                    losses.append(-math.log(math.exp(scores[target]) / sum(math.exp(score) for score in scores)))
                    right.append(float(int(scores.argmax()) == target))
            tokens += right
            finals.append(right[-1])
            sequences.append(min(right))
            chances.append((1 / NUM_CLASSES) ** len(right))

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def normalized(accuracy: float, chance: float) -> float:
        return (accuracy - chance) / (1 - chance)

    return {
        "loss": mean(losses),
        "final_state_accuracy": mean(finals),
        "token_accuracy": mean(tokens),
        "sequence_accuracy": mean(sequences),
        "normalized_loss": mean(losses) / math.log(NUM_CLASSES),
        "normalized_final_state_accuracy": normalized(mean(finals), 1 / NUM_CLASSES),
        "normalized_token_accuracy": normalized(mean(tokens), 1 / NUM_CLASSES),
        "normalized_sequence_accuracy": normalized(mean(sequences), mean(chances)),
    }


def test_all_metrics_over_batches_of_different_sizes() -> None:
    batches = [random_batch(0, batch=5, width=8), random_batch(1, batch=2, width=4)]
    metrics = StateTrackingMetrics(NUM_CLASSES)
    for logits, targets in batches:
        metrics.update(logits, targets)
    computed = {name: float(value) for name, value in metrics.compute().items()}
    assert computed == pytest.approx(oracle(batches), rel=1e-5)
    assert tuple(computed) == METRICS


def test_a_perfect_model() -> None:
    targets = torch.tensor([[IGNORE_INDEX, 2, 0]])
    logits = 50 * torch.nn.functional.one_hot(targets.clamp(min=0), NUM_CLASSES).float()
    metrics = StateTrackingMetrics(NUM_CLASSES)
    metrics.update(logits, targets)
    values = metrics.compute()
    assert all(value == 1 for name, value in values.items() if "accuracy" in name)
    assert values["loss"] == pytest.approx(0, abs=1e-6)


def test_a_diverged_model_names_no_state() -> None:
    """The highest of several NaN would be the first, and so the answer 0."""
    metrics, targets = StateTrackingMetrics(NUM_CLASSES), torch.tensor([[0, 0], [0, 1]])
    logits = torch.tensor([[[math.nan] * 3, [1.0, 0.0, -math.inf]], [[0.0, math.nan, 0.0], [0.0, 1.0, 0.0]]])
    metrics.update(logits, targets)
    assert metrics.compute()["token_accuracy"] == 0.5 and metrics.compute()["sequence_accuracy"] == 0


def test_reset_forgets() -> None:
    metrics = StateTrackingMetrics(NUM_CLASSES)
    metrics.update(*random_batch(0, 5, 8))
    metrics.reset()
    metrics.update(*random_batch(1, 2, 4))
    assert float(metrics.compute()["loss"]) == pytest.approx(oracle([random_batch(1, 2, 4)])["loss"], rel=1e-5)


def test_loss_is_computed_in_float32() -> None:
    logits, targets = random_batch(0, 5, 8)
    assert cross_entropy(logits.bfloat16(), targets).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_stay_exact_where_a_trainer_makes_a_model_16_bit(dtype: torch.dtype) -> None:
    metrics = StateTrackingMetrics(NUM_CLASSES)
    metrics.to(dtype)
    logits, targets = random_batch(0, batch=5, width=8)
    for _ in range(300):
        metrics.update(5_000 * logits, targets)
    once = StateTrackingMetrics(NUM_CLASSES)
    once.update(5_000 * logits, targets)
    expected = once.compute()
    for name, value in metrics.compute().items():
        assert value.dtype == torch.float32 and float(value) == pytest.approx(float(expected[name]), rel=1e-4), name
