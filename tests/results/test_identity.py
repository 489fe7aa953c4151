"""Keys: every stored result is found again, an inert option changes none, a value other than the default does."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from dataclasses import fields, make_dataclass, replace
from typing import Any

import pytest

from ib_bench import catalogue
from ib_bench.data.state_tracking_data import StateTrackingData, data_module_of
from ib_bench.models.lstm import LSTM
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.results.identity import canonical
from ib_bench.results.records import ClassSpec, DataSpec, Experiment, Presentation, Record
from ib_bench.results.reference import reference_records
from ib_bench.results.trial_record import TrialRecord
from ib_bench.tasks.modular_addition import ModularAddition
from ib_bench.training.instantiation import identifying_spec

NOT_THE_USERS = (
    *("vocab_size", "num_classes", "num_positions", "learning_rate"),
    *("num_train_sequences", "seed", "saturated"),
)


def filled_in(spec: ClassSpec) -> ClassSpec:
    """The spec as the command line resolves it today: with every default of the class's signature."""
    defaults = {
        name: parameter.default
        for name, parameter in spec.parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in NOT_THE_USERS
    }
    return type(spec)(spec.class_path, {**defaults, **spec.init_args})


def from_todays_signatures(record: Record) -> str:
    """The key that the same experiment and settings have if they are asked for today."""
    config: Any = record.config
    old = config.experiment
    model, data = (identifying_spec(filled_in(spec)) for spec in (old.model, old.data))
    changes: dict[str, Any] = {"experiment": Experiment(model, data, old.trainer, old.source_digests)}  # type: ignore[arg-type]
    for name in ("settings", "search"):
        if hasattr(config, name):
            changes[name] = type(getattr(config, name))(**vars(getattr(config, name)))
    return replace(config, **changes).key


@pytest.mark.parametrize("kind", [TrialRecord, SearchRecord, ExtrapolationRecord])
def test_every_key_of_the_reference_results_is_rebuilt_from_todays_signatures(kind: type[Record]) -> None:
    records = reference_records().of(kind)
    assert len(records) > 200
    assert [from_todays_signatures(record) for record in records] == [record.key for record in records]


def test_an_inert_setting_changes_no_key() -> None:
    options = [(field.name, field.type, field) for field in fields(SearchSettings)]
    extended = make_dataclass("SearchSettings", [*options, ("margin", float, 0.0)], frozen=True)
    for record in list(reference_records().of(SearchRecord))[:50]:
        plain = vars(record.config.settings)
        assert replace(record.config, settings=extended(**plain)).key == record.key
        assert replace(record.config, settings=extended(**plain, margin=0.1)).key != record.key


@pytest.fixture(autouse=True)
def made_classes_are_forgotten() -> Iterator[None]:
    """Else parsers would find two models called ``LSTM``."""
    yield
    gc.collect()


def lstm_with_option() -> type[LSTM]:
    """What ``LSTM`` would be with one more argument."""

    class LSTMWithOption(LSTM):
        def __init__(
            self, vocab_size: int, num_classes: int, hidden_size: int = 768, num_layers: int = 1, tie: bool = False
        ) -> None:
            super().__init__(vocab_size, num_classes, hidden_size, num_layers)

    return LSTMWithOption


class AdditionWithOption(ModularAddition):
    """What ``ModularAddition`` would be with one more argument."""

    def __init__(self, modulus: int = 5, sign: int = 1) -> None:
        super().__init__(modulus)


def as_shipped(cls: type, like: type) -> type:
    """Pretend that a class is a new version of one of this package."""
    cls.__module__, cls.__name__, cls.__qualname__ = like.__module__, like.__name__, like.__qualname__
    return cls


def identified(spec: ClassSpec, cls: type) -> dict[str, Any]:
    """Arguments in the key, if the spec's class were this one."""
    vars(spec)["cls"] = cls
    return identifying_spec(spec).init_args


def test_an_inert_argument_of_a_model_changes_no_key() -> None:
    new = as_shipped(lstm_with_option(), LSTM)
    old = {"hidden_size": 64, "num_layers": 1}
    path = "ib_bench.models.LSTM"
    assert identified(ClassSpec(path, {**old, "tie": False}), new) == old
    assert identified(ClassSpec(path, {**old, "tie": True}), new) == {**old, "tie": True}


def test_an_inert_argument_of_a_task_or_of_the_data_changes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ("supervision", "length_distribution", "max_length", "batch_size", "separator", "min_length")
    old = {name: vars(Presentation("outcome", "fixed", 5, 64, None))[name] for name in named}
    path = "ib_bench.data.ModularAddition"
    new_task = data_module_of(as_shipped(AdditionWithOption, ModularAddition))
    spec = DataSpec(path, {"modulus": 5, "sign": 1, **old})
    assert identified(spec, new_task) == {"modulus": 5, **old}
    assert identified(DataSpec(path, {"modulus": 5, "sign": -1, **old}), new_task)["sign"] == -1

    parameters = dict(inspect.signature(StateTrackingData).parameters)
    parameters["pad_token"] = inspect.Parameter("pad_token", inspect.Parameter.KEYWORD_ONLY, default=0)
    signature = inspect.Signature(list(parameters.values()))
    monkeypatch.setattr(StateTrackingData, "__signature__", signature, raising=False)
    new_data = data_module_of(ModularAddition)
    assert identified(DataSpec(path, {"modulus": 5, "pad_token": 0, **old}), new_data) == {"modulus": 5, **old}
    assert identified(DataSpec(path, {"modulus": 5, "pad_token": 7, **old}), new_data)["pad_token"] == 7


def test_a_class_from_elsewhere_keeps_its_own_arguments() -> None:
    spec = ClassSpec("watchful_models.Watched", {})
    own = type("Own", (LSTM,), {"__init__": lambda self, vocab_size, num_classes, width=3: None})
    own.__module__ = "my_models"
    spec = ClassSpec("my_models.Own", {"width": 3})
    assert identified(spec, own) == {"width": 3}


def test_where_trials_run_does_not_identify_a_search() -> None:
    assert canonical(SearchSettings(spread=2)) == canonical(SearchSettings())
    assert canonical(SearchSettings(cuda_graph=False)) == canonical(SearchSettings())
    assert not {"spread", "start", "vectorize", "compile", "futility"} & canonical(SearchSettings()).keys()
    assert canonical(SearchSettings(futility=0.5))["futility"] == 0.5


def test_the_presentation_is_what_the_data_take() -> None:
    """No list of names tells the task's arguments from those of its presentation: the data's signature does."""
    shared = [name for name in inspect.signature(StateTrackingData).parameters if name not in ("task", *NOT_THE_USERS)]
    assert [field.name for field in fields(Presentation)] == shared


def test_new_shipped_classes_need_no_entry() -> None:
    """A class that is not of protocol 2 is identified by what departs from its defaults alone."""
    shipped = {entry.class_name for entry in catalogue.entries(catalogue.MODELS)}
    assert {"LSTM", "DenseSSM", "Transformer"} <= shipped
    new = as_shipped(lstm_with_option(), LSTM)
    new.__name__ = "Gru"
    assert identified(ClassSpec("ib_bench.models.Gru", {"hidden_size": 768, "num_layers": 2}), new) == {"num_layers": 2}
