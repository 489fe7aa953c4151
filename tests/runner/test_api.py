"""``import ib_bench``: the same options, checks, keys and records as the command line's."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import ib_bench
from ib_bench.cli import main
from ib_bench.data import ModularAddition
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.drawing.notebook import Drawing
from ib_bench.errors import BenchError
from ib_bench.execution.inline import Inline
from ib_bench.models import DenseSSM, MixerModel
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.tasks.modular_addition import ModularAddition as ModularAdditionTask

QUICK = {"learning_rates": [0.01], "seeds": [1], "max_steps": 2, "max_size": 16, "max_evaluations": 1}
SEARCH = [f"--search.{name}={value}" for name, value in QUICK.items()]
LSTM = {"class_path": "LSTM", "init_args": {"hidden_size": 4}}
SUMS = {"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 3}}

OWN = """
from functools import partial
import lightning.pytorch as pl
import torch
from torch import nn
from ib_bench.data import ModularAddition
from ib_bench.data.state_tracking_data import data_module_of
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.outcome import Outcome
from ib_bench.tasks.modular_addition import ModularAddition as Task

class Linear(SequenceModel):
    def __init__(self, vocab_size: int, num_classes: int, width: int = 4, learning_rate: float = 1e-3):
        super().__init__(num_classes, learning_rate)
        self.layers = nn.Sequential(nn.Embedding(vocab_size, width), nn.Linear(width, num_classes))

    def forward(self, tokens):
        return self.layers(tokens)

class Mixer(nn.Linear):
    def __init__(self, width: int):
        super().__init__(width, width)

class Regime(Outcome):
    pass

class OwnTask(Task):
    pass

OwnTaskData = data_module_of(OwnTask)
Misnamed = data_module_of(type("Unnamed", (OwnTask,), {}))

class Squashed(Linear):
    def __init__(self, vocab_size, num_classes, function=torch.sigmoid, learning_rate=1e-3):
        super().__init__(vocab_size, num_classes, learning_rate=learning_rate)
        self.function = function

class Sums(ModularAddition):
    def __init__(self, modulus: int = 3, num_train_sequences: int | None = None, seed: int = 10):
        super().__init__(modulus + 1, max_length=3, num_train_sequences=num_train_sequences, seed=seed)

class Kept(Sums):
    def __init__(self, modulus: int = 3, num_train_sequences: int | None = None, seed: int = 10):
        super().__init__(modulus, num_train_sequences, seed)
        self.save_hyperparameters()

def local():
    class Hidden(Linear):
        pass
    return Hidden
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of a user's own."""
    (tmp_path / "own_classes.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_classes", raising=False)
    import own_classes  # type: ignore[import-not-found]  # noqa: PLC0415

    return own_classes


def stored_trials() -> int:
    with Store("ib_bench.sqlite") as store:
        return store.count(TrialRecord)


search = partial(ib_bench.search, search=QUICK, progress=False)


@pytest.mark.system
def test_every_way_to_name_a_class_is_the_command_lines_experiment() -> None:
    options = ["--model", "DenseSSM", "--model.hidden_size", "4", "--data", "ModularAddition"]
    options += ["--data.modulus", "3", "--data.max_length", "3", "--wandb.mode", "disabled"]
    assert main(["search", *options, *SEARCH]) == 0
    with Store("ib_bench.sqlite") as store:
        (trial,) = store.all(TrialRecord)
    models = [
        partial(DenseSSM, hidden_size=4),
        {"class_path": DenseSSM, "init_args": {"hidden_size": 4}},
        {"class_path": "ib_bench.models.DenseSSM", "init_args": {"hidden_size": 4}},
    ]
    data = [
        ModularAddition(modulus=3, max_length=3),
        ModularAddition(3, max_length=3),
        partial(ModularAddition, 3, max_length=3),
        partial(ModularAdditionTask, modulus=3, max_length=3),
        SUMS,
    ]
    for model, given in [*((model, SUMS) for model in models), *((models[0], one) for one in data)]:
        found = search(model, given)
        assert found.trials == [trial.key]
    assert search(models[0], SUMS, search=SearchSettings(**QUICK)).trials == [trial.key]  # type: ignore[arg-type]
    assert stored_trials() == 1


@pytest.mark.system
def test_a_run_from_python_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    search(LSTM, SUMS)
    assert main(["status"]) == 0
    assert "ib_bench.search(LSTM, ModularAddition): ended" in capsys.readouterr().out


@pytest.mark.system
def test_classes_of_ones_own(own: Any) -> None:
    assert search(own.Linear, SUMS).labels.model == "own_classes.Linear"
    named = search("own_classes.Linear", SUMS)
    assert stored_trials() == 1 and named.config.experiment.model.class_path == "own_classes.Linear"
    mixed = search(
        partial(MixerModel, mixer=own.Mixer, hidden_size=4), partial(ModularAddition, supervision=own.Regime)
    )
    assert mixed.config.experiment.model.init_args["mixer"] == "own_classes.Mixer"
    assert mixed.labels.supervision == "own_classes.Regime"
    assert search(own.Linear, own.OwnTaskData(modulus=3, max_length=3)).labels.task == "OwnTaskData"
    assert search(own.Linear, own.Kept(4)).labels.task_arguments == {"modulus": 4}


@pytest.mark.system
def test_progress_is_a_line_for_each_job_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    search(LSTM, SUMS)
    assert capsys.readouterr().err == ""
    ib_bench.sharing(LSTM, SUMS, search=QUICK, sharing={"saturate": False})
    lines = capsys.readouterr().err.splitlines()
    assert [line[:4] for line in lines] == ["1 of", "2/3 ", "3/3 "]  # one of them is stored, which is said
    assert lines[-1].endswith("all done")


def bad(**given: Any) -> Callable[[Any], Any]:
    return lambda own: search(**{"model": LSTM, "data": SUMS, **given})


BAD = {
    "class_path": (
        bad(model={"class_path": 3}),
        "model.class_path must be a class, its name or its dotted path, got 3",
    ),
    "model": (bad(model="LSTN"), "unknown model 'LSTN', did you mean 'LSTM'"),
    "section": (bad(serch={}), "unknown section 'serch', did you mean 'search'"),
    "option": (bad(search={"treshold": 1}), "did you mean '--search.threshold'|search.threshold"),
    "value": (bad(search={"threshold": 0}), "search.threshold must be"),
    "argument": (bad(data=partial(ModularAddition, modulos=3)), "data.modulos: ModularAddition has no"),
    "positions": (bad(data=partial(ModularAddition, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)), "by name"),
    "trials": (bad(data=ModularAddition(seed=3)), "data.seed cannot be set here, got 3; use search.seeds"),
    "executor": (bad(executor="processes"), "executor must be inline or an executor for search"),
    "workers": (bad(workers=2), "workers must be None for search"),
    "quantity": (lambda own: ib_bench.measure("serch", LSTM, SUMS), "unknown quantity 'serch', did you mean 'search'"),
    "weights": (lambda own: ib_bench.curve(LSTM, SUMS, keep_weights=True), "keep_weights must be False for curve"),
    "executor of many": (
        lambda own: ib_bench.sharing(LSTM, SUMS, executor="proceses"),
        "executor must be one of .*processes.*got 'proceses'",
    ),
    "no options of one": (
        lambda own: ib_bench.sharing(LSTM, SUMS, ray={"num_cpus": 2.0}),
        r"ray.\* options only apply to --executor ray",
    ),
    "store": (bad(store="/nowhere/ib_bench.sqlite"), "/nowhere"),
    "log file": (bad(log_file="/nowhere/log"), "log_file must be a file that can be written"),
    "an instance": (
        lambda own: search(own.Linear(3, 3), SUMS),
        "model must be a class.*got an instance of Linear.*use Linear or partial",
    ),
    "a local class": (
        lambda own: search(own.local(), SUMS),
        "model Hidden is not found as .*define it at the top level",
    ),
    "data under another name": (
        lambda own: search(LSTM, own.Misnamed),
        r"data UnnamedData is not found as .*under this name: UnnamedData = data_module_of\(",
    ),
    "a task": (lambda own: search(LSTM, own.OwnTask), "OwnTask is a task: use OwnTaskData = data_module_of"),
    "data of a task": (
        lambda own: search(LSTM, StateTrackingData(ModularAdditionTask(3))),
        "this instance of StateTrackingData does not say what it was made with",
    ),
    "derived data": (lambda own: search(LSTM, own.Sums(4)), "this instance of Sums does not say.*save_hyperparameters"),
    "suite": (lambda own: ib_bench.run("dmeo"), "unknown suite 'dmeo', did you mean 'demo'"),
    "content": (lambda own: ib_bench.run({"base": {}}), "it must be a mapping with the two keys base and axes"),
    "axis": (
        lambda own: ib_bench.run("demo", axes={"modulus": 3}),
        "unknown axis of suite 'demo', 'modulus', did you mean 'model'",
    ),
    "figures": (
        lambda own: ib_bench.run(SUITE, figures="own_classes.py/none"),
        "figures must be a folder that can be written",
    ),
    "two ways to try": (
        lambda own: ib_bench.run(SUITE, dry_run=True, fast_dev_run=True),
        "fast_dev_run must be False with dry_run, got True",
    ),
    "section of a suite": (lambda own: ib_bench.run("demo", search={}), "unknown section 'search'"),
    "no store": (lambda own: ib_bench.read("none.sqlite"), "none.sqlite"),
    "a folder": (lambda own: ib_bench.read("."), "Is a directory"),
    "no store at all": (lambda own: ib_bench.read("own_classes.py"), "own_classes.py"),
    "kind": (lambda own: ib_bench.read("reference")["serch"], "unknown kind of result 'serch', did you mean 'search'"),
    "check": (lambda own: ib_bench.check("Nothing"), "Nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_nothing_is_written(case: str, own: Any, tmp_path: Path) -> None:
    call, expected = BAD[case]
    with pytest.raises(BenchError, match=expected) as caught:
        call(own)
    assert "\n" not in str(caught.value)
    assert caught.value._render_traceback_() == [f"{type(caught.value).__name__}: {caught.value}"]
    assert not list(tmp_path.glob("*.sqlite*"))


def test_a_class_that_was_defined_anew_is_not_mistaken_for_the_newer_one(own: Any, tmp_path: Path) -> None:
    older = own.Linear
    exec(compile(OWN, str(tmp_path / "own_classes.py"), "exec"), vars(own))
    with pytest.raises(BenchError, match=r"Linear is older than the class that own_classes\.Linear names now"):
        search(older, SUMS)


SUITE = {
    "base": {"data": {"class_path": ModularAddition, "init_args": {"max_length": 3}}, "search": QUICK},
    "axes": {"modulus": [2, 3], "model": [DenseSSM, partial(DenseSSM, hidden_size=4)], "quantity": ["search"]},
}


@pytest.mark.system
def test_a_suite(own: Any, capsys: pytest.CaptureFixture[str]) -> None:
    plan = ib_bench.run(SUITE, dry_run=True, name="mine")
    assert isinstance(plan, Drawing) and "mine: what there is to do" in str(plan)
    assert not Path("ib_bench.sqlite").exists()
    found = ib_bench.run(SUITE, axes={"modulus": 3}, name="mine", figures="drawn", progress=False)
    assert not isinstance(found, Drawing) and repr(found) == "mine: 2 search, 2 trials" and not found.failures
    assert {path.name for path in Path("drawn").iterdir()} == {"mine.svg", "mine.png", "mine.pdf"}
    bundle = found._repr_mimebundle_()
    assert "mine: smallest training set that suffices (N*)" in bundle["text/plain"]
    assert bundle["text/html"].count("<img ") == 1
    assert set(found["search"].to_pandas()["model_args.hidden_size"]) == {256, 4}

    Path("mine.yaml").write_text(
        "base: {data: {class_path: ModularAddition, init_args: {max_length: 3}},"
        " search: {learning_rates: [0.01], seeds: [1], max_steps: 2, max_size: 16, max_evaluations: 1}}\n"
        "axes: {modulus: [3], model: [DenseSSM, {class_path: DenseSSM, init_args: {hidden_size: 4}}]}\n"
    )
    capsys.readouterr()
    assert main(["run", "mine.yaml", "--wandb.mode", "disabled", "--executor", "inline"]) == 0
    assert stored_trials() == 2  # those that are there already


@pytest.mark.system
def test_a_suite_that_is_only_tried_keeps_its_figures() -> None:
    Path("mine.svg").write_text("of long training runs")
    tried = ib_bench.run(SUITE, axes={"modulus": 2}, name="mine", figures=".", fast_dev_run=True, progress=False)
    assert not isinstance(tried, Drawing) and len(tried["search"]) == 2
    assert [path.name for path in Path().iterdir()] == ["mine.svg"]
    assert Path("mine.svg").read_text() == "of long training runs"


@pytest.mark.system
def test_what_fails_in_a_suite_is_told(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own.Linear, "on_train_start", lambda self: 1 / 0, raising=False)
    suite = {**SUITE, "axes": {"modulus": 3, "model": [own.Linear, DenseSSM]}}
    with pytest.warns(
        UserWarning, match="1 of 2 jobs not finished; the first is own_classes.Linear .*division by zero"
    ):
        found = ib_bench.run(suite, progress=False)
    assert not isinstance(found, Drawing) and len(found.failures) == 1 and len(found["search"]) == 1


@pytest.mark.system
def test_an_executor_of_ones_own_runs_the_jobs() -> None:
    class Counting(Inline):
        num_calls = 0

        def run(self, function: Any, items: Any, *arguments: Any, **options: Any) -> Any:
            self.num_calls += len(items)
            return super().run(function, items, *arguments, **options)

    executor = Counting()
    ib_bench.sharing(LSTM, SUMS, search=QUICK, sharing={"saturate": False}, executor=executor, progress=False)
    assert executor.num_calls == stored_trials() == 3


@pytest.mark.parametrize("kind", ["search", "sharing", "extrapolate", "curve", "growth"])
def test_frames_have_the_columns_and_values_of_the_command(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    reference = ib_bench.read("reference")
    with Store("small.sqlite") as store:
        store.add_all(record for name in ("search", "sharing") for record in _records(reference[name]))
        store.add_all(list(reference["extrapolate"])[:3])
    found = ib_bench.read("small.sqlite")[kind]
    assert main(["results", "--store", "small.sqlite", "--kind", kind, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    frame = found.to_pandas()
    assert len(frame) == len(rows) == len(found)
    if rows:
        assert list(frame.columns) == list(rows[0])
        assert list(frame["key"]) == [row["key"] for row in rows]
    else:
        assert {"key", "model", "task", "max_length"} <= set(frame.columns) and kind == "curve"


def _records(results: Any) -> list[Any]:
    """Few searches, and all that one kappa rests on."""
    if not hasattr(results[0], "joint"):
        return list(results)[:5]
    searched = next(one for one in results if one.joint is not None)
    return [searched.joint, *searched.parts.values()]


def test_trials_and_archives(capsys: pytest.CaptureFixture[str]) -> None:
    reference = ib_bench.read("reference")
    with Store("small.sqlite") as store:
        store.add_all(list(reference["trials"])[:4])
    assert main(["store", "export", "small.jsonl.gz", "--store", "small.sqlite"]) == 0
    capsys.readouterr()
    assert main(["trials", "--store", "small.sqlite", "--format", "csv"]) == 0
    header = capsys.readouterr().out.partition("\n")[0].split(",")
    for path in ("small.sqlite", Path("small.jsonl.gz")):
        frame = ib_bench.read(path)["trials"].to_pandas()
        assert len(frame) == 4 and list(frame.columns) == header
        assert frame["num_train_sequences"].min() > 0
    assert repr(ib_bench.read("small.sqlite")) == "small.sqlite: 4 trials"


def test_the_trials_of_a_store_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = ib_bench.read("reference")
    with Store("small.sqlite") as store:
        store.add_all(list(reference["trials"])[:4])
    trials = ib_bench.read("small.sqlite")["trials"]
    reads: list[Any] = []
    read_all = Store.all

    def noted(store: Store, kind: Any) -> Any:
        reads.append(kind)
        return read_all(store, kind)

    monkeypatch.setattr(Store, "all", noted)
    assert [trials[index].key for index in range(4)] == [one.key for one in trials[:]]
    assert reads == [TrialRecord]


@pytest.mark.parametrize("kind", ["search", "sharing", "extrapolate", "growth"])
def test_a_result_shows_its_table_and_its_figure(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = ib_bench.read("reference")[kind][0]
    bundle = result._repr_mimebundle_()
    assert result.labels.model in bundle["text/plain"] and result.labels.model in bundle["text/html"]
    assert bundle["text/html"].count('<img alt="') == 1 and str(result) == bundle["text/plain"]
    assert "<script" not in bundle["text/html"]
    assert capsys.readouterr().out == ""


def test_a_list_of_results_shows_itself() -> None:
    found = ib_bench.read("reference")["sharing"]
    bundle = found._repr_mimebundle_()
    assert f"{len(found)} kappa in reference" in bundle["text/plain"] and bundle["text/html"].count("<img ") == 1
    assert len(found[:2]) == 2 and found[0].key == next(iter(found)).key


def test_a_session_sees_no_warning_of_ours_or_of_parsing(tmp_path: Path) -> None:
    script = f"import ib_bench; ib_bench.check({LSTM!r}); ib_bench.search({LSTM!r}, {SUMS!r}, search={QUICK!r})"
    command = [sys.executable, "-W", "always", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "jsonargparse" not in done.stderr.lower() and "skip_none" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr  # the search that has ended


def test_what_is_public_is_documented() -> None:
    for name in ib_bench.__all__:
        assert getattr(ib_bench, name).__doc__
        assert name in dir(ib_bench)
    with pytest.raises(AttributeError, match="has no attribute 'serch'"):
        ib_bench.serch  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.system
def test_builtin_functions_are_arguments_as_on_the_command_line(own: Any) -> None:
    record = search(partial(own.Squashed, function=torch.tanh), SUMS)
    assert record.config.experiment.model.init_args["function"] == "torch.tanh"


@pytest.mark.system
@pytest.mark.parametrize("is_finite", [False, True])
def test_sizes_at_which_all_trials_diverged_are_told(own: Any, is_finite: bool) -> None:
    model, rate = (LSTM, 1e30) if is_finite else (own.Linear, 1e20)
    quick = {**QUICK, "learning_rates": [rate]}
    with pytest.warns(UserWarning, match="diverged: try smaller learning rates"):
        record = ib_bench.search(model, SUMS, search=quick, progress=False)
    assert record.censored


MODULES = """
import lightning.pytorch as pl
import torch
from torch import nn
from torch.nn.functional import cross_entropy

class Plain(nn.Module):
    def __init__(self, vocab_size, num_classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Embedding(vocab_size, 4), nn.Linear(4, num_classes))

    def forward(self, tokens):
        return self.layers(tokens)

class Own(pl.LightningModule):
    def __init__(self, vocab_size, num_classes, learning_rate=1e-3):
        super().__init__()
        self.learning_rate = learning_rate
        self.plain = Plain(vocab_size, num_classes)

    def loss(self, batch):
        return cross_entropy(self.plain(batch.tokens).flatten(0, 1), batch.targets.flatten())

    def training_step(self, batch, batch_idx):
        return self.loss(batch)

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)
"""


def test_a_module_after_a_lightning_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning validates in inference mode; the same data are then read by a check that trains."""
    (tmp_path / "own_modules.py").write_text(MODULES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_modules", raising=False)
    import own_modules  # type: ignore[import-not-found]  # noqa: PLC0415

    for model in (own_modules.Own, own_modules.Plain):
        assert ib_bench.search(model, SUMS, search=QUICK, store="own.db").key
