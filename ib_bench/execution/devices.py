"""What this machine offers to workers."""

from __future__ import annotations

import os


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, each as the variable ``CUDA_VISIBLE_DEVICES`` names it."""
    import torch  # noqa: PLC0415 (its import takes a second)

    num = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in named.split(",")] if named else [str(index) for index in range(num)]
    return names[:num]
