"""Every architecture computes on a GPU what it computes on a CPU, and learns in every precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from cuda_trials import NOT_COMPARED, PRECISIONS, SHELF, SIZES, WEIGHTS_IN_PIECES, small_trial
from torch import Tensor

from ib_bench import catalogue, models
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.trial import run_trial, train_trial

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("default", WEIGHTS_IN_PIECES)]


def test_no_architecture_is_missing() -> None:
    assert {*SIZES, *SHELF, *NOT_COMPARED} == {entry.class_name for entry in catalogue.entries(catalogue.MODELS)}


def test_those_that_say_they_are_capturable_are_tested() -> None:
    """In ``test_graphs_on_cuda.py``."""
    names = {entry.class_name for entry in catalogue.entries(catalogue.MODELS)}
    assert {name for name in names if vars(getattr(models, name)).get("capturable")} == {*SIZES, *SHELF}


def padded(model: SequenceModel, batch: Batch) -> Tensor:
    return cross_entropy(model(batch.tokens), batch.targets)


def packed(model: SequenceModel, batch: Batch) -> Tensor:
    without_padding = PackedBatch(batch)
    return cross_entropy(model.packed_forward(without_padding), without_padding.targets)


def some_batch(num_symbols: int) -> Batch:
    """Of sequences of several lengths."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(num_symbols, (16, 9), generator=generator)
    lengths = torch.randint(2, 10, (16, 1), generator=generator)
    return Batch(tokens, torch.where(torch.arange(9) < lengths, tokens % 3, IGNORE_INDEX))


@pytest.mark.gpu
@pytest.mark.parametrize("num_symbols", [4, 50])
@pytest.mark.parametrize("way", [padded, packed])
@pytest.mark.parametrize("name", SIZES)
def test_loss_and_gradients_are_those_of_a_cpu(
    accelerator: str,
    as_in_a_trial: None,
    name: str,
    way: Callable[[SequenceModel, Batch], Tensor],
    num_symbols: int,
) -> None:
    assert_like_a_cpu(getattr(models, name)(num_symbols, 3, **SIZES[name]), way, num_symbols, accelerator)


@pytest.mark.gpu
@pytest.mark.parametrize("name", SHELF)
def test_so_are_those_of_the_shelf(accelerator: str, as_in_a_trial: None, name: str) -> None:
    model: SequenceModel = getattr(models, name)(4, 3, **SHELF[name])
    assert_like_a_cpu(model, packed if model.packable else padded, 4, accelerator)


def assert_like_a_cpu(
    model: SequenceModel, way: Callable[[SequenceModel, Batch], Tensor], num_symbols: int, accelerator: str
) -> None:
    """Loss and gradients there are those here, whichever way they are computed there."""
    batch = some_batch(num_symbols)
    loss = padded(model, batch)
    loss.backward()
    expected = {
        key: parameter.grad.clone() for key, parameter in model.named_parameters() if parameter.grad is not None
    }
    model.zero_grad()
    model.to(accelerator)
    there = way(model, Batch(batch.tokens.to(accelerator), batch.targets.to(accelerator)))
    there.backward()
    torch.testing.assert_close(there.cpu(), loss, rtol=1e-4, atol=1e-5)
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        torch.testing.assert_close(parameter.grad.cpu(), expected[key], rtol=1e-3, atol=1e-5, msg=key)


@pytest.mark.gpu
@pytest.mark.parametrize("name", SIZES)
def test_a_curve_is_that_of_a_cpu(accelerator: str, name: str) -> None:
    config = small_trial(name)
    there, here = (run_trial(config, {"accelerator": kind}) for kind in (accelerator, "cpu"))
    assert there.key == here.key
    assert there.environment["device"].startswith(accelerator)
    assert [step for step, _ in there.val_curve] == [step for step, _ in here.val_curve]
    losses, expected = ([loss for _, loss in record.val_curve] for record in (there, here))
    assert losses == pytest.approx(expected, rel=1e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", SIZES)
def test_it_learns(accelerator: str, name: str, precision: str) -> None:
    """From a loss of ln 2 = 0.69, a guess, to one that no guess has; in 16 bits it stays uneven for long below."""
    parity = {"modulus": 2, "batch_size": 32}
    config = small_trial(name, precision, 900, parity, threshold=0.25, val_check_interval=50, num_train_sequences=48)
    trained = train_trial(config, {"accelerator": accelerator})
    assert trained.record.succeeded, trained.record.val_curve
    assert {weight.device.type for weight in trained.model.state_dict().values()} == {"cpu"}
    with torch.no_grad():  # what was measured under mixed precision was measured in float32
        assert isinstance(trained.model, SequenceModel)
        (batch,) = trained.data.val_dataloader()
        assert float(padded(trained.model.eval(), batch)) == pytest.approx(trained.record.best_val_loss, rel=1e-2)
