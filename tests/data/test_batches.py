"""A run that stops in the middle of an epoch goes on there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from ib_bench.data import ModularAddition
from ib_bench.models import LSTM


def data() -> ModularAddition:
    return ModularAddition(modulus=5, max_length=5, num_train_sequences=100, batch_size=16)


def tokens(batches: Any) -> list[list[list[int]]]:
    return [batch.tokens.tolist() for batch in batches]


@pytest.mark.parametrize("num_taken", [0, 1, 3, 6, 7])
def test_the_state_is_the_place_in_the_epoch(num_taken: int) -> None:
    batches = data().train_dataloader()
    batches.sampler.set_epoch(2)
    whole = tokens(batches)
    assert len(whole) == len(batches) == 7
    stream = iter(batches)
    for _ in range(num_taken):
        next(stream)
    resumed = data().train_dataloader()
    resumed.load_state_dict(batches.state_dict())
    resumed.sampler.set_epoch(2)
    other = data().train_dataloader()
    other.load_state_dict(batches.state_dict())
    other.sampler.set_epoch(3)
    assert len(tokens(other)) == 7, "an epoch that a limit had ended"
    assert tokens(resumed) == whole[num_taken % 7 :]
    assert tokens(resumed) == whole, "the next epoch is a whole one"


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.parametrize(("stop", "limit"), [(3, None), (7, None), (10, None), (5, 5), (8, 5)])
def test_a_resumed_fit_takes_the_same_steps(stop: int, limit: int | None, tmp_path: Path) -> None:
    def fit(checkpoint: Path | None = None) -> dict[str, torch.Tensor]:
        torch.set_rng_state(torch.Generator().manual_seed(3).get_state())
        keeping = ModelCheckpoint(tmp_path, f"{stop}", every_n_train_steps=stop, save_top_k=-1)
        model = LSTM(5, 5, hidden_size=8)
        quiet: dict[str, Any] = {
            "limit_train_batches": limit,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        trainer = pl.Trainer(accelerator="cpu", max_steps=18, callbacks=[keeping], default_root_dir=tmp_path, **quiet)
        trainer.fit(model, datamodule=data(), ckpt_path=checkpoint)
        return model.state_dict()

    whole = fit()
    resumed = fit(tmp_path / f"{stop}.ckpt")
    assert all(torch.equal(one, resumed[name]) for name, one in whole.items())
