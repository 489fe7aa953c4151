"""What every architecture must do."""

from __future__ import annotations

import inspect
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from own_mixers import RunningMean

from ib_bench import catalogue
from ib_bench.data import ModularAddition
from ib_bench.models import Oracle
from ib_bench.models.counting_model import CountingModel
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import IGNORE_INDEX

VOCAB_SIZE, NUM_CLASSES = 7, 5
SHIPPED = [entry.load() for entry in catalogue.entries(catalogue.MODELS)]
MODELS = [model_class for model_class in SHIPPED if not issubclass(model_class, CountingModel | Oracle)]
"""All but the yardsticks, which test_yardsticks.py is about."""

pytestmark = pytest.mark.parametrize("model_class", MODELS, ids=lambda model_class: model_class.__name__)


def build(model_class: type[SequenceModel], seed: int = 0, **arguments: object) -> SequenceModel:
    """A small one, if its width can be chosen; with a user's mixer, if it needs one."""
    for name, value in (("hidden_size", 32), ("mixer", RunningMean)):
        if name in inspect.signature(model_class).parameters:
            arguments.setdefault(name, value)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        return model_class(vocab_size=VOCAB_SIZE, num_classes=NUM_CLASSES, **arguments)  # type: ignore[arg-type]


def random_tokens(batch: int = 4, length: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCAB_SIZE, (batch, length), generator=torch.Generator().manual_seed(seed))


def test_logits_have_a_row_for_every_position(model_class: type[SequenceModel]) -> None:
    logits = build(model_class)(random_tokens())
    assert logits.shape == (4, 9, NUM_CLASSES)
    assert logits.isfinite().all()


def test_the_future_does_not_change_the_past(model_class: type[SequenceModel]) -> None:
    model = build(model_class).eval()
    tokens = random_tokens()
    with torch.no_grad():
        before = model(tokens)
        for position in range(1, tokens.shape[1]):
            changed = tokens.clone()
            changed[:, position:] = (changed[:, position:] + 1) % VOCAB_SIZE
            after = model(changed)
            torch.testing.assert_close(after[:, :position], before[:, :position], rtol=1e-5, atol=1e-6)
            assert not torch.allclose(after[:, position:], before[:, position:])


@pytest.mark.parametrize("pieces", [[9], [1] * 9, [4, 1, 4], [2, 7]], ids=str)
def test_reading_on_is_reading_at_once(model_class: type[SequenceModel], pieces: list[int]) -> None:
    model, tokens = build(model_class).eval(), random_tokens()
    logits, state = [], None
    with torch.no_grad():
        for piece in tokens.split(pieces, dim=1):
            of_piece, state = model.decode(piece, state)
            logits.append(of_piece)
        torch.testing.assert_close(torch.cat(logits, dim=1), model(tokens), rtol=1e-5, atol=1e-6)
        by_rereading, _ = SequenceModel.decode(model, tokens[:, 3:], tokens[:, :3])
        torch.testing.assert_close(by_rereading, model(tokens)[:, 3:], rtol=1e-5, atol=1e-6)


def test_the_order_of_a_batch_does_not_matter(model_class: type[SequenceModel]) -> None:
    model, tokens = build(model_class).eval(), random_tokens(batch=6)
    with torch.no_grad():
        torch.testing.assert_close(model(tokens.flip(0)), model(tokens).flip(0), rtol=1e-5, atol=1e-6)


def test_every_parameter_gets_gradient(model_class: type[SequenceModel]) -> None:
    model, tokens = build(model_class), random_tokens(batch=32)
    cross_entropy(model(tokens), tokens % NUM_CLASSES).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_padding_changes_nothing(model_class: type[SequenceModel]) -> None:
    model, tokens = build(model_class).eval(), random_tokens()
    targets = tokens % NUM_CLASSES
    targets[:, 6:] = IGNORE_INDEX
    padded_otherwise = tokens.clone()
    padded_otherwise[:, 6:] = 1
    torch.testing.assert_close(cross_entropy(model(tokens), targets), cross_entropy(model(padded_otherwise), targets))


def test_the_generator_decides_the_weights(model_class: type[SequenceModel]) -> None:
    one, same, other = (build(model_class, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_the_papers_sizes_are_the_defaults(model_class: type[SequenceModel]) -> None:
    defaults = {name: p.default for name, p in inspect.signature(model_class).parameters.items()}
    paper = {
        "Transformer": {"num_layers": 6, "hidden_size": 256, "num_heads": 4, "dropout": 0.1},
        "LSTM": {"num_layers": 1, "hidden_size": 768},
        "DenseSSM": {"hidden_size": 256, "embedding_size": None, "normalization": "rms"},
    }
    expected = paper.get(model_class.__name__, {})
    assert expected.items() <= defaults.items()


@pytest.mark.system
def test_a_checkpoint_gives_the_model_back(model_class: type[SequenceModel], tmp_path: Path) -> None:
    data = ModularAddition(modulus=5, max_length=4, num_train_sequences=20, supervision="chain_of_thought")
    model = build(model_class)
    trainer = pl.Trainer(
        max_steps=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    classes = {"mixer": RunningMean} if "mixer" in inspect.signature(model_class).parameters else {}
    loaded = model_class.load_from_checkpoint(tmp_path / "model.ckpt", **classes).eval()
    with torch.no_grad():
        assert torch.equal(loaded(random_tokens()), model.eval()(random_tokens()))
