"""The weights that extrapolation wants: of the best trial of a grid at the largest training set.

Best is the first configuration that succeeds, or the one with the lowest validation loss if none does. Its weights are
a file named after the trial, so that whoever measures it again, at other lengths, need not train again.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.fitting import quiet_trainer, silent
from ib_bench.training.instantiation import instantiate_data, instantiate_model
from ib_bench.training.trial import TrainedTrial, Weights


class BestWeights:
    """A folder of weights.

    Args:
        folder: made when the first weights are kept.
        store: knows the records of all trials.
    """

    def __init__(self, folder: Path, store: RecordStore) -> None:
        self._folder = folder
        self._store = store

    def offer(self, record: TrialRecord, weights: Weights, grid: Sequence[TrialConfig]) -> None:
        """Keep a trial's weights if it is the best of its grid so far; those of the others are removed.

        Args:
            record: of a trial, not in the store yet, or just put there.
            weights: of its model.
            grid: all configurations that it competes with.
        """
        others = [config.key for config in grid if config.key != record.key]
        kept = [key for key in others if self._path(key).exists()]
        records = [self._store.get(TrialRecord, key) for key in kept]
        if all(map(record.is_better_than, records)):
            try:
                self._write(record.key, weights)
            except (OSError, RuntimeError) as error:  # the trial is worth more than its weights
                reason = " ".join(str(error).split())
                warnings.warn(f"weights {self._path(record.key)} cannot be kept: {reason}", stacklevel=2)
                return
            for key in kept:
                self._path(key).unlink(missing_ok=True)

    def load(self, config: TrialConfig, placement: dict[str, Any]) -> TrainedTrial | None:
        """The trial as it was trained, or None if its weights were not kept, or are damaged.

        Args:
            config: of the trial.
            placement: arguments of the Trainer that say where it would be trained.
        """
        record = self._store.get(TrialRecord, config.key)
        if record is None or not self._path(config.key).exists():
            return None
        data = instantiate_data(
            config.experiment.data, num_train_sequences=config.num_train_sequences, seed=config.seed
        )
        model = instantiate_model(config.experiment.model, data, learning_rate=config.learning_rate)
        try:
            model.load_state_dict(torch.load(self._path(config.key), map_location="cpu", weights_only=True))
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())
            warnings.warn(f"weights {self._path(config.key)} are damaged, training again: {reason}", stacklevel=2)
            return None
        with silent():
            device = quiet_trainer(**{"devices": 1, **placement}).strategy.root_device
        return TrainedTrial(record, model, data, device)

    def load_any(self, grid: Sequence[TrialConfig], placement: dict[str, Any]) -> TrainedTrial | None:
        """The trial of a grid whose weights were kept, which is its best; None if there is none.

        Args:
            grid: all configurations that compete.
            placement: as of :meth:`load`.
        """
        loaded = (self.load(config, placement) for config in grid)
        return next((trial for trial in loaded if trial is not None), None)

    def _write(self, key: str, weights: Weights) -> None:
        path = self._path(key)
        unfinished = path.with_suffix(f".{os.getpid()}")
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.save(weights, unfinished)
            unfinished.replace(path)
        finally:
            if unfinished.exists():
                unfinished.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.pt"
