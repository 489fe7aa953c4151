"""The weights that extrapolation loads: of the best trial of a grid at the largest training set.

Best is the first configuration that succeeds, or the one with the lowest validation loss if none does. Its weights are
a file named after the trial, so that it can be measured again, at other lengths, without training again.

The file is what ``torch.save`` makes of the model's ``state_dict``, and one line after it: the key of the trial and the
SHA-256 of the bytes before. ``torch.load`` reads it as any other. Older versions wrote no such line.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ib_bench.errors import StoreError
from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.results.whole_file import write_whole
from ib_bench.training.fitting import quiet_trainer, silent
from ib_bench.training.global_state import fresh_global_state
from ib_bench.training.instantiation import instantiate_model, instantiate_trial_data
from ib_bench.training.trial import TrainedTrial, Weights

_SEAL = re.compile(rb"\nib_bench: weights of trial (.*), sha256 (.*)\n\Z")
_MAX_SEAL_BYTES = 200


class BestWeights:
    """A folder of weights.

    Args:
        folder: made when the first weights are kept.
        store: knows the records of all trials.
    """

    def __init__(self, folder: Path, store: RecordStore) -> None:
        self._folder = folder
        self._store = store
        self._has_warned_of_unsealed = False

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
            except (OSError, StoreError, RuntimeError) as error:  # the trial is worth more than its weights
                reason = " ".join(str(error).split())
                warnings.warn(f"weights {self._path(record.key)} cannot be kept: {reason}", stacklevel=2)
                return
            for key in kept:
                self._path(key).unlink(missing_ok=True)

    def load(self, config: TrialConfig, placement: dict[str, Any]) -> TrainedTrial | None:
        """The trial as it was trained, or None if its weights were not kept, or do not fit; the latter warns.

        Args:
            config: of the trial.
            placement: arguments of the Trainer that say where it would be trained.
        """
        record = self._store.get(TrialRecord, config.key)
        if record is None or not self._path(config.key).exists():
            return None
        with fresh_global_state(config.model_seed, config.num_threads):
            data = instantiate_trial_data(config)
            model = instantiate_model(config.experiment.model, data, learning_rate=config.learning_rate)
        with silent():
            trainer = quiet_trainer(**{"devices": 1, **config.experiment.trainer, **placement})
        path = self._path(config.key)
        try:
            weights, is_sealed = _read(path, config.key)
            trainer.precision_plugin.convert_module(model)  # to the type that it was trained in
            model.load_state_dict(weights)
        except Exception as error:  # damaged bytes can lead to any error
            reason = " ".join(str(error).split())
            warnings.warn(f"weights {path} are damaged, training again: {reason}", stacklevel=2)
            return None
        if not is_sealed and not self._has_warned_of_unsealed:
            self._has_warned_of_unsealed = True
            text = "some weights were kept by an older version, without a checksum: damage in them goes unnoticed"
            warnings.warn(f"{self._folder}: {text}", stacklevel=2)
        return TrainedTrial(record, model, data, trainer.strategy.root_device)

    def _write(self, key: str, weights: Weights) -> None:
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        content = buffer.getvalue()
        seal = f"\nib_bench: weights of trial {key}, sha256 {hashlib.sha256(content).hexdigest()}\n"
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(key), lambda path: path.write_bytes(content + seal.encode()))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.pt"


def _read(path: Path, key: str) -> tuple[Weights, bool]:
    """A trial's weights, and whether their file had a checksum.

    Raises:
        ValueError: the file is another trial's, or has changed since it was written.
        Exception: torch cannot read it.
    """
    content = path.read_bytes()
    seal = _SEAL.search(content, max(0, len(content) - _MAX_SEAL_BYTES))
    if seal is not None:
        content = content[: seal.start()]
        owner, digest = (group.decode() for group in seal.groups())
        if owner != key:
            raise ValueError(f"they are those of trial {owner}")
        if digest != hashlib.sha256(content).hexdigest():
            raise ValueError("their checksum does not fit")
    weights: Weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights, seal is not None
