"""One desk for configs: from plain data to a :class:`~ib_bench.quantities.quantity.Request`.

A config has the sections ``model``, ``data`` and ``trainer``, and those that quantities add, such as ``search``. This
module parses it, fills in defaults, checks it, and turns it into an experiment. Classes are resolved once. Data and
model are built once, to find errors; one Trainer is built to see what the machine offers.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args, get_type_hints

import lightning.pytorch as pl
import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.utilities.seed import isolate_rng

from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.state_tracking_data import num_states_of
from ib_bench.errors import BenchError, NothingHeldOutError, require
from ib_bench.models.plain_module import is_plain_module
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.identity import Json
from ib_bench.results.integrity import Finding, weights_folder
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.runner.building import build_or_explain, built_model
from ib_bench.runner.checked_trainer import CheckedTrainer, checked_trainer, require_few_processes
from ib_bench.runner.config_errors import not_given
from ib_bench.runner.notices import tell_once
from ib_bench.runner.numbers import require_finite, require_usable_numbers
from ib_bench.training.acceleration import accelerated
from ib_bench.training.class_parser import ClassParser
from ib_bench.training.fitting import COMPUTING, PLACEMENT
from ib_bench.training.global_state import global_state_kept, one_thread
from ib_bench.training.instantiation import (
    DATA_ATTRIBUTES,
    DATA_PARAMETERS,
    SOLUTION,
    VOCABULARY_PARAMETERS,
    check_parameters,
    identifying_spec,
    instantiate_data,
    instantiate_model,
    vocabulary_for,
)
from ib_bench.training.model_check import CAUSAL, few_rows, may_need_gpu, model_findings
from ib_bench.training.seed_check import seeding_finding
from ib_bench.training.sources import files_of, source_digests

_FROM_DATA = dict.fromkeys((*DATA_PARAMETERS, SOLUTION), "it is taken from the data")
_SET_BY_SEARCH = {
    "model": {"learning_rate": "use search.learning_rates"},
    "data": {"num_train_sequences": "the search varies it, up to search.max_size", "seed": "use search.seeds"},
}
"""Init arguments that a user cannot set, and what to use instead."""

_SATURATED = {"saturated": "a saturated evaluation is no search; use ib-bench sharing"}
"""Likewise, for data that have it."""

_STEPS = ("training_step", "validation_step", "configure_optimizers")
"""What a search needs of a LightningModule."""


def link_vocabulary(parser: LightningArgumentParser) -> None:
    """Let the model take from the data what it needs to know of it."""
    for name in DATA_PARAMETERS:
        parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")


def add_experiment_arguments(parser: ClassParser, sections: Mapping[str, type]) -> None:
    """Add the arguments of an experiment, and the settings of the measurement.

    Of Lightning's Trainer, exactly those options are there that a trial takes.

    Args:
        parser: that gets the arguments.
        sections: settings by the name of their section.
    """
    others = set(inspect.signature(pl.Trainer).parameters) - {*COMPUTING, *PLACEMENT}
    parser.add_class_arguments(pl.Trainer, "trainer", instantiate=False, skip=others)
    parser.add_model_and_data()
    link_vocabulary(parser)
    for name, settings in sections.items():
        retired = {option.name for option in fields(settings) if option.metadata.get("retired")}
        parser.add_class_arguments(settings, name, skip=retired)


def resolved_config(parser: LightningArgumentParser, options: Namespace) -> Json:
    """The parsed options with all defaults, as plain data.

    Raises:
        InvalidOptionError: a number is not usable.
    """
    require_usable_numbers(options)
    return cast(Json, yaml.safe_load(parser.dump(options, skip_unset=False, skip_link_targets=False)))


def parsed_settings(sections: Mapping[str, type], options: Mapping[str, Any] | Namespace) -> dict[str, Any]:
    """The settings of each section, from parsed options.

    Raises:
        BenchError: a value lies outside its range, or is null where it may not be.
    """
    for name, settings in sections.items():
        given = options[name]
        require(isinstance(given, Mapping | Namespace), name, given, "a section with options, or left out")
        hints = get_type_hints(settings)
        for option in (option for option, value in dict(given).items() if value is None):  # of a suite, not yet checked
            is_allowed = type(None) in get_args(hints[option])
            require(is_allowed, f"{name}.{option}", None, "a value, or left out for its default")
    return {name: settings(**options[name]) for name, settings in sections.items()}


@global_state_kept()
@isolate_rng(include_cuda=False)  # with CUDA's generators, this process would take memory on every GPU
def make_request(
    config: Json,
    settings: Mapping[str, Any],
    store: Path,
    keep_weights: bool = False,
    may_hold_out_none: bool = False,
    may_take_several_processes: bool = False,
) -> Request:
    """A request, from a resolved config; data and model are built once, to report errors before anything runs.

    Changes of their constructors to the whole process are undone.

    Args:
        config: ``model``, ``data`` and ``trainer`` with all defaults filled in.
        settings: of each section, see :attr:`Request.settings`.
        store: path of the store.
        keep_weights: whether the best weights at the largest size are kept beside the store, and those that were kept
            are loaded.
        may_hold_out_none: accept data of which nothing can be held out; the request then has an empty pool.
        may_take_several_processes: accept a Trainer in which several processes train one model.

    Raises:
        BenchError: something cannot be built, or is set that the search itself sets.
    """
    model, data_spec = specs_of(config)
    require_interface(model)
    check_parameters(data_spec, "data", tuple(_SET_BY_SEARCH["data"]))
    model = _without(model, "model", {**_FROM_DATA, **_SET_BY_SEARCH["model"]})
    data_spec = cast(DataSpec, _without(data_spec, "data", {**_SET_BY_SEARCH["data"], **_SATURATED}))
    given = config.get("trainer") or {}
    require(isinstance(given, Mapping), "trainer", given, "a section with options, or left out")
    trainer = checked_trainer(json.dumps(given))
    search: SearchSettings = settings["search"]
    require_few_processes(trainer, search, may_take_several_processes)
    holds_out = True
    try:
        built = _built_data(data_spec, _code_of(data_spec))
    except NothingHeldOutError:
        if not may_hold_out_none:
            raise
        if "saturated" not in data_spec.parameters:
            return Request(_experiment(model, data_spec, trainer, None, ()), settings, 0, None, trainer.placement)
        holds_out, built = False, _on_all_sequences(data_spec)
    checked = _check_model(model, built, search.allow_lookahead, trainer.on_gpu)
    experiment = _experiment(model, data_spec, trainer, built, checked.files)
    return Request(
        experiment=replace(experiment, looks_ahead=checked.looks_ahead),
        settings={**settings, "search": _accelerated(search, model, built, trainer)},
        pool_size=built.max_train_sequences if holds_out else 0,
        num_states=num_states_of(built) if holds_out else None,
        placement=trainer.placement,
        weights=weights_folder(store) if keep_weights and holds_out else None,
    )


def require_interface(model: ClassSpec) -> None:
    """Make sure that a search can set what it must, and that a LightningModule says how it is trained and validated.

    Raises:
        BenchError: something is missing.
    """
    check_parameters(model, "model", VOCABULARY_PARAMETERS)
    if is_plain_module(model.cls):
        return
    check_parameters(model, "model", tuple(_SET_BY_SEARCH["model"]))
    if missing := [name for name in _STEPS if getattr(model.cls, name) is getattr(pl.LightningModule, name)]:
        raise BenchError(f"model {model.class_path} must define {', '.join(missing)}, or be a SequenceModel")


def specs_of(config: Json) -> tuple[ClassSpec, DataSpec]:
    """Model and data of a resolved config.

    Raises:
        BenchError: one is missing, or is a class inside another one.
    """
    for option in ("model", "data"):
        if config.get(option) is None:
            raise not_given([option])
    model = ClassSpec(config["model"]["class_path"], _arguments(config["model"]))
    data_spec = DataSpec(config["data"]["class_path"], _arguments(config["data"]))
    for option, spec in {"model": model, "data": data_spec}.items():
        try:
            spec.cls  # noqa: B018 (imports it)
        except (ImportError, AttributeError) as error:
            raise BenchError(
                f"{option} {spec.class_path} cannot be imported ({error}): a class must be defined at the top level of "
                f"its module"
            ) from error
    return model, data_spec


def _arguments(section: Json) -> Json:
    """All init arguments; jsonargparse calls those ``dict_kwargs`` that it knows nothing of."""
    return {**section.get("init_args", {}), **section.get("dict_kwargs", {})}


@global_state_kept()
@isolate_rng(include_cuda=False)
def check_model_and_data(config: Json) -> tuple[pl.LightningModule, ClassSpec, SearchableData]:
    """Build data and model, to report errors in their arguments.

    Args:
        config: ``model`` and ``data``, with all defaults filled in.

    Returns:
        The model, what it was built from, and the data.

    Raises:
        BenchError: something is missing or wrong, or cannot be set by the user.
    """
    model, data_spec = specs_of(config)
    check_parameters(model, "model", VOCABULARY_PARAMETERS)
    built = _built_data.__wrapped__(data_spec, "")
    model = _without(model, "model", _FROM_DATA)
    return built_model(model, built), model, built


def _experiment(
    model: ClassSpec,
    data_spec: DataSpec,
    trainer: CheckedTrainer,
    built: SearchableData | None,
    model_files: Sequence[str],
) -> Experiment:
    identifying = {"model": identifying_spec(model), "data": identifying_spec(data_spec)}
    for option, spec in identifying.items():
        require_finite(option, spec.init_args)
    return Experiment(
        model=identifying["model"],
        data=cast(DataSpec, identifying["data"]),
        trainer=trainer.computing,
        source_digests=source_digests(model, data_spec, data=built, model_files=model_files),
    )


def _accelerated(
    settings: SearchSettings, model: ClassSpec, built: SearchableData, trainer: CheckedTrainer
) -> SearchSettings:
    """The settings with ``compile`` decided; what is picked is printed once.

    Whether steps are replayed is decided where they run, which may be another machine.
    """
    if settings.vectorize:
        tell_once(
            "search.vectorize has no effect any more: a stacked grid was no faster than trials whose steps "
            "search.cuda_graph replays; search.spread trains several of them at once"
        )
        settings = replace(settings, vectorize=False)
    if not settings.compile and not (trainer.on_gpu and settings.cuda_graph) and settings.cuda_graph is not True:
        return settings
    num_steps = settings.max_steps * len(settings.grid())
    picked = accelerated(
        built_model(model, built),
        built,
        trainer.computing,
        trainer.on_gpu,
        num_steps,
        settings.compile,
        settings.cuda_graph,
        trainer.num_processes > 1 or "strategy" in trainer.placement,
    )
    for reason in picked.reasons:
        tell_once(reason)
    return replace(settings, compile=picked.compile)


@lru_cache(maxsize=1024)
def _built_data(spec: DataSpec, code: str) -> SearchableData:
    """Data to look at; a suite asks for the same many times.

    Args:
        spec: of the data.
        code: that the classes are made of, see :func:`_code_of`: one of the same name may be another by now.
    """
    built = build_or_explain("data", spec, lambda: instantiate_data(spec))
    if missing := [name for name in DATA_ATTRIBUTES if not hasattr(built, name)]:
        raise BenchError(f"data {spec.class_path} must have the attributes {', '.join(missing)}")
    return built


def _on_all_sequences(spec: DataSpec) -> SearchableData:
    """Data to look at where nothing can be held out: the same task and files, validated on what they train on."""
    return _built_data(cast(DataSpec, spec.with_arguments(saturated=True)), _code_of(spec))


def _code_of(*specs: ClassSpec) -> str:
    """A text that changes with the code of classes from outside this package.

    Empty if one cannot be imported or read: building it, or the key of its experiment, says what is wrong.
    """
    try:
        return json.dumps(source_digests(*specs), sort_keys=True)
    except Exception:
        return ""


class _Checked(NamedTuple):
    """What building a model has shown.

    Attributes:
        looks_ahead: whether it looks ahead, which only a user's own is checked for.
        files: that it reads.
    """

    looks_ahead: bool
    files: Sequence[str]


_checked: dict[tuple[ClassSpec, str], _Checked] = {}  # models that can be built; a suite asks for the same few


def _check_model(spec: ClassSpec, built: SearchableData, allow_lookahead: bool, on_gpu: bool) -> _Checked:
    """Build a model to find errors; if it is a user's own, check that it keeps the contract.

    The check runs on the CPU. Where a model cannot, and its trials run on a GPU, it is measured unchecked.

    Raises:
        BenchError: it cannot be built, breaks the contract, or looks ahead although that is not allowed.
    """
    read = [vocabulary_for(spec, built), built.num_positions]  # longer sequences may show what shorter ones do not
    key = spec, json.dumps([*read, type(built).__name__, _code_of(spec), on_gpu])
    if key not in _checked:
        model = built_model(spec, built)
        is_own = bool(source_digests(spec))  # or made of a user's own classes, such as a mixer
        with one_thread():
            findings = contract_findings(model, spec, built) if is_own else []
        for finding in findings:
            if on_gpu and may_need_gpu(finding):
                tell_once(f"model {spec.class_path}: not checked, as on the CPU {finding.text}")
            elif finding.state == "failure" and finding.check != CAUSAL:
                raise BenchError(f"model {spec.class_path}: {finding.check}: {finding.text}")
            if finding.state == "warning":
                tell_once(f"model {spec.class_path}: {finding.check}: {finding.text}")
        looks_ahead = any(one.check == CAUSAL and one.state == "failure" for one in findings)
        _checked[key] = _Checked(looks_ahead, files_of(model) if is_own else ())
    if _checked[key].looks_ahead and not allow_lookahead:
        raise BenchError(
            f"model {spec.class_path} looks ahead: its logits depend on later tokens, or on the padding, and may know "
            f"answers before they are asked for; --search.allow_lookahead true measures it anyway, and marks its name"
        )
    return _checked[key]


def contract_findings(
    model: pl.LightningModule, spec: ClassSpec, data: SearchableData, num_positions: int = 0
) -> list[Finding]:
    """See :func:`model_findings`; a model that can be read is also built again, to see whether a seed decides on it.

    Args:
        model: newly built.
        spec: that it was built from.
        data: that it is meant for.
        num_positions: of a sequence that it must be able to read.
    """
    findings = model_findings(model, data, num_positions)
    if any(finding.state == "failure" and finding.check != CAUSAL for finding in findings):
        return findings
    return [*findings, seeding_finding(lambda: instantiate_model(spec, data), few_rows(data))]


def _without(spec: ClassSpec, option: str, instead: Mapping[str, str]) -> ClassSpec:
    """A spec without the init arguments that are set elsewhere.

    Raises:
        BenchError: the user has set one of them.
    """
    init_args = dict(spec.init_args)
    for name, advice in instead.items():
        value = init_args.pop(name, None)
        if name in spec.parameters and value not in (None, spec.parameters[name].default):
            raise BenchError(f"{option}.{name} cannot be set here, got {value!r}; {advice}")
    return type(spec)(spec.class_path, init_args)
