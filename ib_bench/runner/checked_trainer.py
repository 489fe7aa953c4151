"""The options of Lightning's Trainer, tried out before anything is trained."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import dataclass
from functools import lru_cache

import lightning.pytorch as pl

from ib_bench.errors import BenchError, reason_of, require, shown
from ib_bench.execution.devices import num_cores, visible_gpus
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.identity import Json
from ib_bench.runner.notices import tell_once
from ib_bench.runner.numbers import require_trainer_numbers
from ib_bench.training.fitting import PLACEMENT, quiet_trainer, silent
from ib_bench.training.team import STRATEGIES, require_team

_NODES = {"NODE_RANK", "GROUP_RANK"}

_MIN_ALLOWED = 8
"""CPU processes that may train one model together on a machine with fewer cores, to try out what more machines do."""


@dataclass(frozen=True)
class CheckedTrainer:
    """What a Trainer with the user's options would do.

    Attributes:
        computing: options that change results and differ from Lightning's defaults.
        placement: options that say where a trial runs and differ from Lightning's defaults.
        num_processes: how many train one model together.
        on_gpu: whether trials run on a GPU.
    """

    computing: Json
    placement: Json
    num_processes: int
    on_gpu: bool


@lru_cache
def checked_trainer(trainer_json: str) -> CheckedTrainer:
    """Try the Trainer's options out, once.

    Args:
        trainer_json: those that a search offers, as JSON.

    Raises:
        BenchError: the Trainer refuses them.
    """
    given = json.loads(trainer_json)
    parameters = inspect.signature(pl.Trainer).parameters
    changed = {name: value for name, value in given.items() if value != parameters[name].default}
    for name, value in changed.items():
        if isinstance(value, dict):
            raise BenchError(f"trainer.{name} must be a name or a number in a search, got {value!r}")
    strategy = changed.get("strategy", "auto")
    require(strategy in STRATEGIES, "trainer.strategy", strategy, f"one of {', '.join(STRATEGIES)}")
    require_trainer_numbers(changed)
    try:
        with silent():
            trial = quiet_trainer(**{"devices": 1, **changed})
    except Exception as error:
        options_text = ", ".join(f"trainer.{name} {shown(value)}" for name, value in changed.items())
        message = f"Lightning's Trainer refuses {options_text}: {reason_of(error).rstrip('.!')}"
        if changed.get("accelerator", "cpu") not in {"auto", "cpu"} and not visible_gpus():
            message += "; leave trainer.accelerator out to use the GPUs of the machines that run the trials"
        raise BenchError(message) from error
    require_processes(trial)
    if changed.get("precision") == "16-mixed" and trial.precision == "bf16-mixed":
        tell_once("trainer.precision 16-mixed: bf16-mixed, as Lightning has no float16 on CPUs")
    return CheckedTrainer(
        computing={name: value for name, value in changed.items() if name not in PLACEMENT},
        placement={name: value for name, value in changed.items() if name in PLACEMENT},
        num_processes=trial.world_size,
        on_gpu=trial.strategy.root_device.type != "cpu",
    )


def require_processes(trainer: pl.Trainer) -> None:
    """Make sure that the processes which a Trainer expects are running, or can be started.

    Args:
        trainer: as the user's arguments build it.

    Raises:
        BenchError: it expects more than this machine can run, others that nothing starts, or not those that run.
    """
    if trainer.strategy.root_device.type == "cpu":
        most = max(_MIN_ALLOWED, num_cores())
        allowed = f"at most {most} on CPUs, which is the number of cores, or {_MIN_ALLOWED} if that is larger"
        require(trainer.num_devices <= most, "trainer.devices", trainer.num_devices, allowed)
    environment = getattr(trainer.strategy, "cluster_environment", None)
    is_launched = environment is None or environment.creates_processes_externally
    is_set_up = "MASTER_ADDR" in os.environ and not _NODES.isdisjoint(os.environ)
    allowed = "1, unless torchrun, srun or the like run ib-bench on each machine, or MASTER_ADDR and NODE_RANK are set"
    require(trainer.num_nodes == 1 or is_launched or is_set_up, "trainer.num_nodes", trainer.num_nodes, allowed)
    require_team(trainer)


def require_few_processes(trainer: CheckedTrainer, search: SearchSettings, may_take_several: bool) -> None:
    """Make sure that processes train one model together only where nothing else runs side by side.

    Args:
        trainer: that was asked for.
        search: whose trials it trains.
        may_take_several: whether the command trains one model at a time.

    Raises:
        BenchError: they would.
    """
    if trainer.num_processes == 1:
        devices = trainer.placement.get("devices")
        names_one = isinstance(devices, list | tuple) or (isinstance(devices, str) and "," in devices)
        is_alone = may_take_several and search.spread == 1
        allowed = "1 where trials run side by side, each on a GPU of its own; CUDA_VISIBLE_DEVICES says which there are"
        require(is_alone or not names_one, "trainer.devices", devices, allowed)
        return
    if not may_take_several:
        raise BenchError(
            f"trainer.devices and trainer.num_nodes must be 1 where searches run side by side, got "
            f"{trainer.num_processes} processes; use --workers, or ib-bench search for one search at a time"
        )
    one_at_a_time = f"1 where {trainer.num_processes} processes train one model together"
    require(search.spread == 1, "search.spread", search.spread, one_at_a_time)
