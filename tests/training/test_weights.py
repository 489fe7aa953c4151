from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ib_bench.results.records import Experiment, TrialConfig
from ib_bench.results.store import Store
from ib_bench.training.trial import TrainedTrial, train_trial
from ib_bench.training.weights import BestWeights


@pytest.mark.system
def test_the_best_weights_are_kept_and_come_back(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    weights = BestWeights(tmp_path / "weights", store)
    config = TrialConfig(experiment, 20, 0.01, 1, 1e-4, 3, None, 1)
    grid = [config, replace(config, seed=2), replace(config, seed=3)]
    losses = [0.3, 0.1, 0.2]
    trained = [with_loss(train_trial(one), loss) for one, loss in zip(grid, losses, strict=True)]
    for one in trained:
        weights.offer(one.record, one.weights, grid)
        store.add_trial(one.record)
    assert [path.stem for path in (tmp_path / "weights").iterdir()] == [grid[1].key]
    assert weights.load(grid[0], {}) is None
    loaded = weights.load(grid[1], {})
    assert loaded is not None and loaded.record == trained[1].record
    state, expected = loaded.model.state_dict(), trained[1].model.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    (file,) = (tmp_path / "weights").iterdir()
    held_out = [next(iter(one.data.val_dataloader())) for one in (loaded, trained[1])]
    assert torch.equal(held_out[0].tokens, held_out[1].tokens)
    content = file.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"no weights at all"):
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="are damaged, training again"):
            assert weights.load(grid[1], {}) is None


@pytest.mark.system
def test_weights_that_cannot_be_kept_cost_no_trial(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("where the folder would be")
    config = TrialConfig(experiment, 20, 0.01, 1, 1e-4, 3, None, 1)
    trained = train_trial(config)
    with pytest.warns(UserWarning, match="cannot be kept"):
        BestWeights(tmp_path / "weights", store).offer(trained.record, trained.weights, [config])
    assert (tmp_path / "weights").read_text() == "where the folder would be"


def with_loss(trained: TrainedTrial, loss: float) -> TrainedTrial:
    return trained._replace(record=replace(trained.record, best_val_loss=loss))
