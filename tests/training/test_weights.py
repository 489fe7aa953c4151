from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.trial import TrainedTrial, Weights, train_trial
from ib_bench.training.weights import BestWeights

NAMES = ("head.weight",)


class Kept(NamedTuple):
    """Weights in a file."""

    weights: BestWeights
    config: TrialConfig
    file: Path
    state: Weights


def change(content: bytes, place: int) -> bytes:
    """With one bit flipped."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.system
def test_the_best_weights_are_kept_and_come_back(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    weights = BestWeights(tmp_path / "weights", store)
    config = TrialConfig(experiment, 20, 0.01, 1, 1e-4, 3, None, 1)
    grid = [config, replace(config, seed=2), replace(config, seed=3)]
    losses = [0.3, 0.1, 0.2]
    trained = [with_loss(train_trial(one), loss) for one, loss in zip(grid, losses, strict=True)]
    for one in trained:
        weights.offer(one.record, one.weights, grid)
        store.add(one.record)
    assert [path.stem for path in (tmp_path / "weights").iterdir()] == [grid[1].key]
    assert weights.load(grid[0], {}) is None
    loaded = weights.load(grid[1], {})
    assert loaded is not None and loaded.record == trained[1].record
    state, expected = loaded.model.state_dict(), trained[1].model.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    (file,) = (tmp_path / "weights").iterdir()
    held_out = [next(iter(one.data.val_dataloader())) for one in (loaded, trained[1])]
    assert torch.equal(held_out[0].tokens, held_out[1].tokens)
    assert torch.load(file, weights_only=True).keys() == expected.keys(), "it is a file of torch's"


@pytest.mark.system
@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_weights_come_back_into_the_type_that_they_were_trained_in(
    experiment: Experiment, store: Store, tmp_path: Path, precision: str
) -> None:
    config = TrialConfig(replace(experiment, trainer={"precision": precision}), 20, 0.01, 1, 1e-4, 3, None, 1)
    trained = train_trial(config)
    weights = BestWeights(tmp_path / "weights", store)
    weights.offer(trained.record, trained.weights, [config])
    store.add(trained.record)
    loaded = weights.load(config, {})
    assert loaded is not None
    parameters = zip(trained.model.parameters(), loaded.model.parameters(), strict=True)
    assert all(one.dtype == other.dtype != torch.float32 and torch.equal(one, other) for one, other in parameters)


@pytest.fixture
def kept(experiment: Experiment, store: Store, tmp_path: Path) -> Kept:
    config = TrialConfig(experiment, 20, 0.01, 1, 1e-4, 3, None, 1)
    trained = train_trial(config)
    weights = BestWeights(tmp_path / "weights", store)
    weights.offer(trained.record, trained.weights, [config])
    store.add(trained.record)
    (file,) = (tmp_path / "weights").iterdir()
    return Kept(weights, config, file, trained.weights)


@pytest.mark.system
def test_a_changed_file_is_no_weights(kept: Kept) -> None:
    content = kept.file.read_bytes()
    middle = len(content) // 2
    flipped = [change(content, place) for place in range(0, len(content), len(content) // 20)]
    in_the_digest = change(content, len(content) - 3)
    for damaged in (*flipped, in_the_digest, b"", content[:middle], b"no weights at all"):
        kept.file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="are damaged, training again") as warned:
            assert kept.weights.load(kept.config, {}) is None
        assert len(warned) == 1


@pytest.mark.system
def test_the_weights_of_another_trial_are_none_of_this_one(kept: Kept, store: Store) -> None:
    other = train_trial(replace(kept.config, seed=2)).record
    store.add(other)
    kept.file.rename(kept.file.with_stem(other.key))
    with pytest.warns(UserWarning, match=f"training again: they are those of trial {kept.config.key}"):
        assert kept.weights.load(replace(kept.config, seed=2), {}) is None


@pytest.mark.system
def test_files_of_older_versions_are_read_if_they_fit(kept: Kept) -> None:
    torch.save(kept.state, kept.file)
    with pytest.warns(UserWarning, match="kept by an older version, without a checksum") as warned:
        loaded = [kept.weights.load(kept.config, {}) for _ in range(2)]
    assert len(warned) == 1
    assert all(one is not None and torch.equal(one.weights[name], kept.state[name]) for one in loaded for name in NAMES)
    without_one = {name: tensor for name, tensor in kept.state.items() if name not in NAMES}
    of_another_shape = {**kept.state, NAMES[0]: torch.zeros(1)}
    for content in (without_one, of_another_shape, [kept.state], 3, None):
        torch.save(content, kept.file)
        with pytest.warns(UserWarning, match="are damaged, training again") as warned:
            assert kept.weights.load(kept.config, {}) is None
        assert len(warned) == 1


@pytest.mark.system
def test_weights_that_cannot_be_kept_cost_no_trial(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("where the folder would be")
    config = TrialConfig(experiment, 20, 0.01, 1, 1e-4, 3, None, 1)
    trained = train_trial(config)
    with pytest.warns(UserWarning, match="cannot be kept"):
        BestWeights(tmp_path / "weights", store).offer(trained.record, trained.weights, [config])
    assert (tmp_path / "weights").read_text() == "where the folder would be"


def with_loss(trained: TrainedTrial, loss: float) -> TrainedTrial:
    return trained._replace(record=replace(trained.record, best_val_loss=loss, best_step=3, val_curve=[(3, loss)]))
