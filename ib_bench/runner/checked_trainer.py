"""The options of Lightning's Trainer, tried out before anything is trained."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from functools import lru_cache

import lightning.pytorch as pl

from ib_bench.errors import BenchError, reason_of, require, shown
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.identity import Json
from ib_bench.runner.notices import tell_once
from ib_bench.runner.numbers import require_trainer_numbers
from ib_bench.training.fitting import PLACEMENT, quiet_trainer, silent
from ib_bench.training.team import STRATEGIES, require_team


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
        raise BenchError(f"Lightning's Trainer refuses {options_text}: {reason_of(error)}") from error
    require_team(trial)
    if changed.get("precision") == "16-mixed" and trial.precision == "bf16-mixed":
        tell_once("trainer.precision 16-mixed: bf16-mixed, as Lightning has no float16 on CPUs")
    return CheckedTrainer(
        computing={name: value for name, value in changed.items() if name not in PLACEMENT},
        placement={name: value for name, value in changed.items() if name in PLACEMENT},
        num_processes=trial.world_size,
        on_gpu=trial.strategy.root_device.type != "cpu",
    )


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
        return
    if not may_take_several:
        raise BenchError(
            f"trainer.devices and trainer.num_nodes must be 1 where searches run side by side, got "
            f"{trainer.num_processes} processes; use --workers, or ib-bench search for one search at a time"
        )
    one_at_a_time = f"1 where {trainer.num_processes} processes train one model together"
    require(search.spread == 1, "search.spread", search.spread, one_at_a_time)
