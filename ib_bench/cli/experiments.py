"""The arguments that describe an experiment: model, data and trainer, as in LightningCLI."""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import lightning.pytorch as pl
import yaml
from jsonargparse import ActionConfigFile, ArgumentError, Namespace
from lightning.pytorch.cli import LightningArgumentParser
from rich.console import Console

from ib_bench import catalogue, data
from ib_bench.cli.parsing import DEFAULT_STORE, explained, require_writable_file
from ib_bench.cli.ranks import speaks
from ib_bench.data.searchable_data import SearchableData
from ib_bench.errors import BenchError, NothingHeldOutError, require
from ib_bench.results.integrity import weights_folder
from ib_bench.results.records import Experiment, Json
from ib_bench.runner.search_job import SearchJob
from ib_bench.studies.search import SearchSettings
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.acceleration import accelerated
from ib_bench.training.fitting import (
    COMPUTING,
    INSTEAD,
    PLACEMENT,
    quiet_trainer,
    silent,
)
from ib_bench.training.instantiation import (
    DATA_ATTRIBUTES,
    DATA_PARAMETERS,
    VOCABULARY_PARAMETERS,
    canonical,
    check_parameters,
    import_class,
    instantiate_data,
    instantiate_model,
    source_digests,
    vocabulary_for,
)
from ib_bench.training.team import STRATEGIES, require_team

Built = TypeVar("Built")

KeepWeights = Literal["none", "best"]

_FROM_DATA = dict.fromkeys(DATA_PARAMETERS, "it is taken from the data")
_SET_BY_SEARCH = {
    "model": {"learning_rate": "use search.learning_rates"},
    "data": {"num_train_sequences": "the search varies it, up to search.max_size", "seed": "use search.seeds"},
}
"""Init arguments that a user must leave alone, and what to do instead of setting them."""


_STEPS = ("training_step", "validation_step", "configure_optimizers")
"""What a search needs of a LightningModule."""


def load_shipped_classes() -> None:
    """Import all shipped models and DataModules, so that their short names are known."""
    for entry in catalogue.entries(catalogue.MODELS):
        entry.load()
    for entry in catalogue.entries(catalogue.TASKS):
        getattr(data, entry.class_name)


def link_vocabulary(parser: LightningArgumentParser) -> None:
    """Let the model take from the data what it needs to know of it."""
    for name in DATA_PARAMETERS:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")


def search_parser(prog: str, description: str) -> LightningArgumentParser:
    """The parser of everything that one search needs."""
    load_shipped_classes()
    parser = LightningArgumentParser(prog=prog, description=description, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Path of a config file in YAML or JSON.")
    parser.add_lightning_class_args(pl.Trainer, "trainer")
    parser.add_lightning_class_args(pl.LightningModule, "model", subclass_mode=True, required=True)
    parser.add_lightning_class_args(pl.LightningDataModule, "data", subclass_mode=True, required=True)
    link_vocabulary(parser)
    parser.add_class_arguments(SearchSettings, "search")
    add_output_arguments(parser)
    return parser


def resolved_config(parser: LightningArgumentParser, options: Namespace) -> Json:
    """What was parsed, with all defaults, as plain data."""
    return cast(Json, yaml.safe_load(parser.dump(options, skip_none=False, skip_link_targets=False)))


def add_output_arguments(parser: Any) -> None:
    """Where results go."""
    parser.add_class_arguments(WandbSettings, "wandb")
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store, made if there is none.")
    parser.add_argument("--log_file", type=str | None, help="File to which everything that happens is appended.")
    parser.add_argument(
        "--keep_weights",
        type=KeepWeights,
        default="none",
        help="Keep the weights of the best trial at the largest size, beside the store, for extrapolate to take.",
    )


def search_job(
    config: Json,
    settings: SearchSettings,
    output: Namespace,
    group: str | None = None,
    may_hold_out_none: bool = False,
    may_take_a_team: bool = False,
) -> SearchJob:
    """A search, from a resolved config; builds data and model once, to find what is wrong before anything runs.

    Args:
        config: ``model``, ``data`` and ``trainer`` with all defaults filled in.
        settings: how N* is searched for.
        output: holds ``store``, ``wandb``, ``keep_weights`` and ``log_file``.
        group: name of the suite.
        may_hold_out_none: accept data of which nothing can be held out; the search then has an empty pool.
        may_take_a_team: accept a Trainer that has one training done by several processes.

    Raises:
        BenchError: something cannot be built, or is set that the search itself sets.
    """
    if output.log_file is not None:
        require_writable_file("log_file", output.log_file)
        is_store = str(Path(output.log_file).absolute()).startswith(str(Path(output.store).absolute()))
        require(not is_store, "log_file", output.log_file, "another file than the store")
    model, data_spec = config["model"], config["data"]
    check_parameters(model, "model", tuple(_SET_BY_SEARCH["model"]))
    own = import_class(model["class_path"])
    if missing := [name for name in _STEPS if getattr(own, name) is getattr(pl.LightningModule, name)]:
        raise BenchError(f"model {model['class_path']} must define {', '.join(missing)}, or be a SequenceModel")
    check_parameters(data_spec, "data", tuple(_SET_BY_SEARCH["data"]))
    trainer_json = json.dumps(config.get("trainer") or {})
    trainer = _trainer_arguments(trainer_json)
    num_processes = _num_processes(trainer_json)
    if num_processes > 1 and not may_take_a_team:
        raise BenchError(
            f"trainer.devices and trainer.num_nodes must be 1 where searches run side by side, got {num_processes} "
            f"processes; use --workers, or ib-bench search for one search at a time"
        )
    if num_processes > 1:
        one_at_a_time = f"1 where {num_processes} processes train one model together"
        require(settings.spread == 1, "search.spread", settings.spread, one_at_a_time)
    try:
        pool_size = check_model_and_data(config).max_train_sequences
    except NothingHeldOutError:
        if not may_hold_out_none:
            raise
        pool_size = 0
    experiment = Experiment(
        model=canonical(_without(model, "model", {**_FROM_DATA, **_SET_BY_SEARCH["model"]})),
        data=canonical(_without(data_spec, "data", _SET_BY_SEARCH["data"])),
        trainer={name: value for name, value in trainer.items() if name not in PLACEMENT},
        source_digests=source_digests(model, data_spec),
    )
    store = Path(output.store).absolute()
    return SearchJob(
        experiment=experiment,
        settings=_accelerated(settings, config, experiment.trainer, trainer_json) if pool_size else settings,
        pool_size=pool_size,
        store=store,
        wandb=WandbSettings(**output.wandb),
        group=group,
        placement={name: trainer[name] for name in PLACEMENT if name in trainer},
        weights=weights_folder(store) if output.keep_weights == "best" else None,
    )


def _accelerated(settings: SearchSettings, config: Json, trainer: Json, trainer_json: str) -> SearchSettings:
    """The settings with whatever is left to us decided; tells once what was picked."""
    if not settings.vectorize and not settings.compile:
        return settings
    data = _data(json.dumps(config["data"]))
    model = build_model(config["model"], data)
    num_steps = settings.max_steps * len(settings.grid())
    choices = settings.vectorize if settings.spread == 1 else False, settings.compile
    is_team = _num_processes(trainer_json) > 1
    picked = accelerated(model, data, trainer, _is_on_gpu(trainer_json), num_steps, *choices, is_team)
    for reason in picked.reasons:
        _tell(reason)
    return replace(settings, vectorize=picked.vectorize, compile=picked.compile)


@cache
def _is_on_gpu(trainer_json: str) -> bool:
    trainer = json.loads(trainer_json)
    placement = {name: value for name, value in trainer.items() if name in PLACEMENT and value is not None}
    with silent():
        return quiet_trainer(**{**placement, "devices": 1}).strategy.root_device.type != "cpu"


@cache
def _num_processes(trainer_json: str) -> int:
    """How many train one model together; whether that many are there is looked at."""
    trainer = json.loads(trainer_json)
    placement = {name: value for name, value in trainer.items() if name in PLACEMENT and value not in (None, "auto")}
    with silent():
        trial = quiet_trainer(**{"devices": 1, **placement})
    require_team(trial)
    return trial.world_size


@cache
def _tell(reason: str) -> None:
    """Once, however many searches it is true of."""
    if not speaks():
        return
    Console(stderr=True).print(reason, style="dim", highlight=False, soft_wrap=True)


def check_model_and_data(config: Json) -> SearchableData:
    """Build data and model once, to find what is wrong with them.

    Args:
        config: ``model`` and ``data``, with all defaults filled in.

    Returns:
        The data.

    Raises:
        BenchError: something is missing or wrong, or set that is not the user's to set.
    """
    for option in ("model", "data"):
        if config.get(option) is None:
            raise BenchError(f"the following arguments are required: {option}")
    check_parameters(config["model"], "model", VOCABULARY_PARAMETERS)
    data = _data(json.dumps(config["data"]))
    if missing := [name for name in DATA_ATTRIBUTES if not hasattr(data, name)]:
        raise BenchError(f"data {config['data']['class_path']} must have the attributes {', '.join(missing)}")
    vocabulary = vocabulary_for(config["model"], data)
    if (checked := json.dumps([config["model"], vocabulary])) not in _models_that_can_be_built:
        build_model(config["model"], data)
        _models_that_can_be_built.add(checked)
    return data


@cache
def _data(spec_json: str) -> SearchableData:
    """Data to look at, from a spec as JSON; a suite asks for the same many times."""
    spec = json.loads(spec_json)
    return _built("data", spec, lambda: instantiate_data(spec))


def build_model(spec: Json, data: SearchableData) -> pl.LightningModule:
    """A model for some data.

    Raises:
        BenchError: it cannot be built, or sets what it takes from the data.
    """
    model = _without(spec, "model", _FROM_DATA)
    return _built("model", model, lambda: instantiate_model(model, data))


_models_that_can_be_built: set[str] = set()  # a suite asks for the same few many times


def _built(option: str, spec: Json, build: Callable[[], Built]) -> Built:
    """What ``build`` returns; whatever a constructor raises becomes one sentence that says where."""
    try:
        return build()
    except BenchError:
        raise
    except ArgumentError as error:
        raise explained(error) from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {last.filename}:{last.lineno}: {' '.join(str(error).split())}"
        raise BenchError(f"{option} {spec['class_path']} cannot be built: {reason}") from error


def _without(spec: Json, option: str, instead: dict[str, str]) -> Json:
    """A spec without the init arguments that are set elsewhere.

    Raises:
        BenchError: the user has set one of them.
    """
    parameters = inspect.signature(import_class(spec["class_path"])).parameters
    init_args = dict(spec.get("init_args", {}))
    for name, advice in instead.items():
        value = init_args.pop(name, None)
        if name in parameters and value not in (None, parameters[name].default):
            raise BenchError(f"{option}.{name} must be left alone, got {value!r}; {advice}")
    return {"class_path": spec["class_path"], "init_args": init_args}


@cache
def _trainer_arguments(trainer_json: str) -> Json:
    """The Trainer's arguments that a trial takes and that differ from the defaults; tried out once.

    Args:
        trainer_json: all arguments of the Trainer, as JSON.

    Raises:
        BenchError: one is the trial's to set, or the Trainer refuses it.
    """
    trainer = json.loads(trainer_json)
    defaults = LightningArgumentParser()
    defaults.add_lightning_class_args(pl.Trainer, "trainer")
    default = defaults.get_defaults().trainer
    changed = {name: value for name, value in trainer.items() if value != default[name]}
    for name, value in changed.items():
        if name not in COMPUTING + PLACEMENT:
            instead = INSTEAD.get(name, f"a search takes {', '.join(COMPUTING + PLACEMENT)}")
            raise BenchError(f"trainer.{name} is not an option of a search, got {value!r}; {instead}")
        if isinstance(value, dict):
            raise BenchError(f"trainer.{name} must be a name or a number in a search, got {value!r}")
    strategy = changed.get("strategy", "auto")
    require(strategy in STRATEGIES, "trainer.strategy", strategy, f"one of {', '.join(STRATEGIES)}")
    accumulated = changed.get("accumulate_grad_batches", 1)
    require(accumulated >= 1, "trainer.accumulate_grad_batches", accumulated, "an integer of at least 1")
    try:
        with silent():
            trial = quiet_trainer(**{"devices": 1, **changed})
    except Exception as error:
        given = ", ".join(f"trainer.{name} {value!r}" for name, value in changed.items())
        raise BenchError(f"Lightning's Trainer refuses {given}: {' '.join(str(error).split())}") from error
    if changed.get("precision") == "16-mixed" and trial.precision == "bf16-mixed":
        _tell("trainer.precision 16-mixed: bf16-mixed, as Lightning has no float16 on CPUs")
    return changed
