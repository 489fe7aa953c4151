"""Check the installation and this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench import __version__
from ib_bench.cli.parsing import parse
from ib_bench.cli.self_test import self_test
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import show
from ib_bench.drawing.texts import OutputFormat
from ib_bench.errors import BenchError, DamagedStoreError, StoreError
from ib_bench.execution.devices import num_cores
from ib_bench.execution.slurm.queue import slurm_answers
from ib_bench.plain_text import number_of
from ib_bench.report.findings import findings_table
from ib_bench.results.integrity import Finding, quick_check
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.places import DEFAULT_STORE
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.acceleration import cpp_compiler

_PACKAGES = ("torch", "lightning", "torchmetrics", "numpy", "wandb")
_EXTRAS = {
    "ray": "ray",
    "submitit": "slurm",
    "pyarrow": "parquet",
    "pandas": "pandas",
    "shtab": "completion",
    "wandb_workspaces": "workspaces",
}
"""Packages that are not always installed, and the extra that installs each."""

_LOW_DISK_GB = 1.0
_GB = 1e9


def main(command: str, arguments: Sequence[str]) -> int:
    """Check everything, and print a line for each; exit code 1 if something fails."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store, if there is one.")
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    options = parse(parser, arguments)
    findings = []
    with Console(stderr=True).status("checking") as status:
        for finding in _findings(Path(options.store)):
            findings.append(finding)
            status.update(f"checking; last: {finding.check}")
    if options.format == "json":
        print(json_text([asdict(finding) for finding in findings]), end="")
    else:
        show(findings_table(findings, f"ib-bench on {platform.node()}, {platform.platform()}"))
    return int(any(finding.state in ("damaged", "failure") for finding in findings))


def _findings(store: Path) -> Iterator[Finding]:
    yield _versions()
    yield from _devices()
    yield from _executors()
    yield _disk(store)
    yield _store(store)
    yield _wandb()
    for accelerator in ("cpu", *_accelerators()):
        yield self_test(accelerator)


def _versions() -> Finding:
    found = [
        f"Python {platform.python_version()}",
        f"ib_bench {__version__}",
        *(f"{name} {version(name)}" for name in _PACKAGES),
    ]
    extras = {name: _version_of(name) for name in _EXTRAS}
    installed = [f"{name} {number}" for name, number in extras.items() if number is not None]
    missing = [f"{name} (pip install 'ib_bench[{_EXTRAS[name]}]')" for name, number in extras.items() if number is None]
    without = f"; without {', '.join(missing)}" if missing else ""
    return Finding("versions", "ok", ", ".join(found + installed) + without)


def _devices() -> Iterator[Finding]:
    cores = f"{num_cores()} of {number_of(os.cpu_count() or 1, 'cores')} may be used"
    yield Finding("CPU", "ok", f"{cores}, torch uses {number_of(torch.get_num_threads(), 'threads')}")
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        text = f"{torch.cuda.get_device_name(index)}, {total / _GB:.1f} GB, {free / _GB:.1f} GB of it free"
        yield Finding(f"GPU {index}", "ok", text)
    if torch.backends.mps.is_available():
        yield Finding("GPU", "ok", "Apple's, through MPS")
    if not _accelerators():
        yield Finding("GPU", "ok", "none; training runs on the CPU")
    compiler = cpp_compiler()
    text = compiler or "none (g++ or clang++, or what CXX names): search.compile does nothing on the CPU"
    yield Finding("C++ compiler", "warning" if compiler is None else "ok", text)


def _accelerators() -> list[str]:
    """Lightning's names of those beside the CPU."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, available in found.items() if available]


def _executors() -> Iterator[Finding]:
    yield Finding("processes", "ok", f"{num_cores()} side by side, one for each core")
    ray, submitit = _version_of("ray"), _version_of("submitit")
    yield Finding("ray", "ok", "available" if ray else "not available: pip install 'ib_bench[ray]'")
    sbatch = shutil.which("sbatch")
    missing = [] if submitit else ["pip install 'ib_bench[slurm]'"]
    missing += [] if sbatch else ["sbatch is not installed"]
    if missing:
        yield Finding("slurm", "ok", f"not available: {', '.join(missing)}")
    elif slurm_answers():
        yield Finding("slurm", "ok", f"available, by {sbatch}")
    else:
        text = f"not available: there is {sbatch}, but Slurm's controller does not answer (scontrol ping)"
        yield Finding("slurm", "warning", text)


def _disk(store: Path) -> Finding:
    folder = next(path for path in store.absolute().parents if path.exists())
    free = shutil.disk_usage(folder).free / _GB
    if not os.access(folder, os.W_OK):
        return Finding("disk", "warning", f"{folder} cannot be written; choose another place with --store")
    return Finding("disk", "ok" if free >= _LOW_DISK_GB else "warning", f"{free:,.1f} GB free in {folder}")


def _store(path: Path) -> Finding:
    if not path.exists():
        return Finding("store", "ok", f"{path} does not exist yet; a search creates it")
    try:
        with Store(path, create=False) as store:
            found, num_trials = quick_check(store), store.count(TrialRecord)
    except StoreError as error:
        return Finding("store", "damaged" if isinstance(error, DamagedStoreError) else "failure", str(error))
    more = f"{number_of(num_trials, 'trials')}; `ib-bench store check` checks every record"
    return Finding("store", found.state, f"{path}: {found.text}" + (f", {more}" if found.state == "ok" else ""))


def _wandb() -> Finding:
    """Which W&B mode applies; its server is not contacted."""
    os.environ.setdefault("WANDB_SILENT", "true")  # otherwise its login contacts the server
    from ib_bench.tracking.runs import has_api_key, resolved_mode  # noqa: PLC0415 (only now it is silent)

    named = os.environ.get("WANDB_MODE")
    try:
        mode = resolved_mode(WandbSettings())
    except BenchError as error:
        return Finding("W&B", "failure", str(error))
    found = "API key found" if mode == "online" else "no API key"
    because = f"WANDB_MODE is {named}" if named else found
    if mode == "online" and not has_api_key():
        return Finding(
            "W&B", "warning", f"{mode} ({because}), but no API key was found: run wandb login, or set WANDB_API_KEY"
        )
    return Finding("W&B", "ok", f"{mode} ({because}; server not contacted)")


def _version_of(name: str) -> str | None:
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"
