"""The process-wide state of torch, Lightning and CUDA: a trial sets its own, and restores the caller's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.utilities.seed import isolate_rng

_CUBLAS_WORKSPACES = ":4096:8"
"""As large as cuBLAS's own on an H100; with a fixed number of them, equal calls add up in equal order."""

_VARIABLES = ("CUBLAS_WORKSPACE_CONFIG", "CUDA_DEVICE_ORDER", "PL_GLOBAL_SEED", "PL_SEED_WORKERS")
"""Environment variables that Lightning sets; processes started later would inherit them."""


@contextmanager
def global_state_kept() -> Iterator[None]:
    """Restore at the end what code inside has changed for the whole process: torch's switches, Lightning's variables.

    Building a Trainer with ``deterministic`` or ``benchmark`` is enough to change them. Random number generators are
    not included, see ``isolate_rng`` of Lightning. Lightning itself sets and restores anomaly detection.
    """
    switches = _switches()
    variables = {name: os.environ.get(name) for name in _VARIABLES}
    try:
        yield
    finally:
        _set_switches(switches)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def fresh_global_state(seed: int, num_threads: int) -> Iterator[None]:
    """Context manager that sets a fixed global state; the caller's is restored at the end.

    Args:
        seed: of all global random number generators.
        num_threads: of torch on the CPU, at least 1.
    """
    with global_state_kept(), isolate_rng():
        _set_switches({**_OF_A_TRIAL, "num_threads": num_threads})
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS_WORKSPACES)
        seed_everything(seed, workers=False, verbose=False)
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Context manager with one CPU thread, as trials have by default; the caller's number is restored at the end.

    What is checked is small. Several threads would only wait for each other, on a busy machine for half a minute.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


_OF_A_TRIAL = {
    "default_dtype": torch.float32,
    "float32_matmul_precision": "highest",
    "deterministic_algorithms": (False, False),
    "cudnn_deterministic": False,
    "cudnn_benchmark": False,
    "cudnn_allow_tf32": False,
}
"""Torch's defaults but for the last: by default cuDNN's LSTM computes with 11 significant bits where it is given 24."""


def _switches() -> dict[str, Any]:
    return {
        "num_threads": torch.get_num_threads(),
        "default_dtype": torch.get_default_dtype(),
        "float32_matmul_precision": _if_known(torch.get_float32_matmul_precision),
        "deterministic_algorithms": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_allow_tf32": _if_known(lambda: torch.backends.cudnn.allow_tf32),
    }


def _if_known(switch: Callable[[], Any]) -> Any:
    """A switch's value; None where it has been set backend by backend, which torch's older switches cannot express."""
    try:
        return switch()
    except RuntimeError:
        return None


def _set_switches(wanted: dict[str, Any]) -> None:
    """Set what differs; setting deterministic algorithms imports torch's compiler, which takes a second."""
    present = _switches()
    changed = {name: value for name, value in wanted.items() if value != present[name]}
    if "num_threads" in changed:
        torch.set_num_threads(changed["num_threads"])
    if "default_dtype" in changed:
        torch.set_default_dtype(changed["default_dtype"])
    if changed.get("float32_matmul_precision") is not None:
        torch.set_float32_matmul_precision(changed["float32_matmul_precision"])
    if "deterministic_algorithms" in changed:
        enabled, warn_only = changed["deterministic_algorithms"]
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
    if "cudnn_deterministic" in changed:
        torch.backends.cudnn.deterministic = changed["cudnn_deterministic"]
    if "cudnn_benchmark" in changed:
        torch.backends.cudnn.benchmark = changed["cudnn_benchmark"]
    if changed.get("cudnn_allow_tf32") is not None:
        torch.backends.cudnn.allow_tf32 = changed["cudnn_allow_tf32"]
