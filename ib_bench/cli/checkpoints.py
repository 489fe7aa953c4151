"""The checkpoint that ``fit``, ``validate`` and ``test`` start from: checked before Lightning reads it."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as pl
import torch

from ib_bench.errors import BenchError, require

_NAMES = ("last", "hpc")
"""What Lightning finds by itself; ``best`` is that of a fit in the same process."""

_ALLOWED = "a checkpoint's path, last or hpc"

_NO_LAST = "there is no last checkpoint available"
"""In a warning of Lightning's, after which it goes on with untrained weights."""


def check_checkpoint(path: str, folder: str, model: pl.LightningModule, weights_only: bool) -> None:
    """Make sure that a checkpoint holds a model's weights.

    Args:
        path: of the file, or one of the names that Lightning knows.
        folder: in which Lightning looks for ``hpc``.
        model: that is to take the weights.
        weights_only: refuse a file that holds more than tensors and plain data: reading it may run any code. Lightning,
            which reads the file again afterwards, then finds no code in it either.

    Raises:
        BenchError: it does not exist, cannot be read, or holds others.
    """
    if path == "hpc" and not any(Path(folder).glob("hpc_ckpt_*.ckpt")):
        raise BenchError(f"ckpt_path hpc needs a file hpc_ckpt_*.ckpt in {folder!r}, and there is none")
    if path in _NAMES:
        return
    if path != "best" and not Path(path).exists():
        raise BenchError(f"ckpt_path {path!r} does not exist; it must be {_ALLOWED}")
    require(Path(path).is_file(), "ckpt_path", path, _ALLOWED)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=weights_only)["state_dict"]
    except pickle.UnpicklingError as error:
        if not weights_only or not zipfile.is_zipfile(path):
            raise BenchError(f"cannot load a checkpoint from ckpt_path {path!r}: {type(error).__name__}") from error
        raise BenchError(
            f"ckpt_path {path!r} holds more than weights and plain data, and reading that may run any code; "
            f"--weights_only false, an option of Lightning 2.6, reads it anyway"
        ) from error
    except Exception as error:
        raise BenchError(f"cannot load a checkpoint from ckpt_path {path!r}: {type(error).__name__}") from error
    own = model.state_dict()
    for name in [*own, *saved]:
        there, here = (tuple(state[name].shape) if name in state else "missing" for state in (saved, own))
        if there != here:
            raise BenchError(
                f"ckpt_path {path!r} belongs to another model: {name} has the shape {there} in the file and "
                f"{here} in the model"
            )


@contextmanager
def last_checkpoint_required(command: str) -> Iterator[None]:
    """Context manager around a command; ``fit`` may go on without a last checkpoint, and starts from the beginning.

    Args:
        command: ``fit``, ``validate`` or ``test``.

    Raises:
        BenchError: there is no last checkpoint.
    """
    if command == "fit":
        yield
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=f".*{_NO_LAST}")
            yield
    except Warning as warning:
        if _NO_LAST not in str(warning):
            raise
        raise BenchError(
            f"ckpt_path last: {_NO_LAST} to {command}; give the path of a checkpoint, or a callback ModelCheckpoint "
            f"with the folder in which an earlier fit has kept one (save_last)"
        ) from warning
