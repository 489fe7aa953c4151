"""The cores and GPUs of this machine."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def num_cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer where a container has a quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, _quota())))


def _quota() -> float:
    """CPU time that the control groups of this process allow for each second; infinite without a limit.

    Reference: kernel.org, admin-guide/cgroup-v2 (``cpu.max``) and scheduler/sched-bwc (``cpu.cfs_quota_us``).
    """
    quotas = [math.inf]
    for root, path in _control_groups():
        for folder in (path, *path.parents):
            with suppress(OSError, ValueError, ZeroDivisionError):
                quotas.append(_quota_of(root / folder))
    return min(quotas)


def _control_groups() -> list[tuple[Path, Path]]:
    """The control groups of this process: the folder of a hierarchy, and the path in it."""
    found = [(_CGROUPS, Path()), (_CGROUPS / "cpu", Path())]  # a container sees its own group as the root
    with suppress(OSError, ValueError):
        for line in _OWN_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                found.append((_CGROUPS / "cpu" if controllers else _CGROUPS, Path(path.lstrip("/"))))
    return found


def _quota_of(folder: Path) -> float:
    if (file := folder / "cpu.max").is_file():
        quota, period = file.read_text().split()
    else:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    return math.inf if quota.strip() in ("max", "-1") else float(quota) / float(period)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, each as the variable ``CUDA_VISIBLE_DEVICES`` names it."""
    import torch  # noqa: PLC0415 (its import takes a second)

    num = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in named.split(",")] if named else [str(index) for index in range(num)]
    if num and names[0].startswith("MIG-"):  # a process sees only one slice of a GPU, of however many
        return names
    return names[:num]


def allow_open_files(num: int) -> None:
    """Raise this process's limit on open files, as far as the system lets it.

    Args:
        num: of files that may be needed.
    """
    import resource  # noqa: PLC0415 (Windows, on which commands say that they are refused, has none)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = num if hard == resource.RLIM_INFINITY else min(num, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
