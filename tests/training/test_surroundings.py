"""Nothing around a trial decides what it computes, and a trial leaves nothing behind."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only as fabrics_rank_zero_only
from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from watchful_models import Unsettling

from ib_bench.errors import BenchError
from ib_bench.quantities.extrapolation.job import ExtrapolationJob
from ib_bench.quantities.extrapolation.record import ExtrapolationSettings
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig
from ib_bench.runner.desk import check_model_and_data, make_request
from ib_bench.training.fitting import quiet_trainer, silent
from ib_bench.training.global_state import global_state_kept
from ib_bench.training.trial import run_trial, train_trial

SRUN = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_ID": "4242",
    "SLURM_JOB_NAME": "train",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "localhost",
}
SURROUNDINGS = {
    "srun": SRUN,
    "a batch script for four tasks": {**SRUN, "SLURM_NTASKS": "4"},
    "settings for any Trainer": {
        "PL_TRAINER_FAST_DEV_RUN": "1",
        "PL_TRAINER_LIMIT_VAL_BATCHES": "1",
        "PL_TRAINER_PRECISION": "bf16-mixed",
        "PL_TRAINER_DETERMINISTIC": "True",
    },
    "seeds": {"PL_GLOBAL_SEED": "5", "PL_SEED_WORKERS": "1"},
}
PASSING = ("wall_time_s", "process_time_s", "finished_at")


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    return TrialConfig(experiment, 64, 1e-2, 10, 1e-4, 60, 20, num_threads=1)


def results(config: TrialConfig, **arguments: Any) -> Json:
    """Of a trial, without what the clock says."""
    record = run_trial(config, **arguments)
    return {name: value for name, value in vars(record).items() if name not in PASSING}


def with_model(config: TrialConfig, name: str, trainer: Json | None = None) -> TrialConfig:
    """With one of the watchful models."""
    model = ClassSpec(f"watchful_models.{name}", {})
    return replace(config, experiment=replace(config.experiment, model=model, trainer=trainer or {}))


def global_state() -> dict[str, object]:
    names = ("CUBLAS_WORKSPACE_CONFIG", "CUDA_DEVICE_ORDER", "PL_GLOBAL_SEED", "PL_SEED_WORKERS")
    return {
        **{name: os.environ.get(name) for name in names},
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "tf32": torch.backends.cudnn.allow_tf32,
        "anomaly": torch.is_anomaly_enabled(),
    }


@pytest.fixture
def unusual_state() -> Iterator[dict[str, object]]:
    """Every switch as it is not by default; it is what it was before after the test."""
    with global_state_kept():
        torch.set_default_dtype(torch.float64)
        torch.set_float32_matmul_precision("medium")
        torch.set_deterministic_debug_mode("warn")
        torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
        os.environ["PL_GLOBAL_SEED"] = "123"
        yield global_state()


@pytest.mark.system
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_variables_of_the_environment_change_nothing(
    config: TrialConfig, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = results(config)
    for variable, value in SURROUNDINGS[name].items():
        monkeypatch.setenv(variable, value)
    assert results(config) == expected


@pytest.mark.system
def test_a_checkpoint_in_the_folder_is_not_loaded(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = results(config)
    trained = train_trial(replace(config, seed=20))
    trained.model.trainer.save_checkpoint(tmp_path / "hpc_ckpt_1.ckpt")
    monkeypatch.chdir(tmp_path)
    for variable, value in SRUN.items():
        monkeypatch.setenv(variable, value)
    assert results(config) == expected


@pytest.mark.system
def test_no_signal_requeues_a_job(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SRUN.items():
        monkeypatch.setenv(variable, value)
    handlers = []
    run_trial(config, on_validation=lambda *_: handlers.append(signal.getsignal(signal.SIGUSR1)))
    assert set(handlers) == {signal.SIG_DFL}


@pytest.mark.system
def test_callbacks_of_installed_packages_are_not_called(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopping(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            trainer.should_stop = True

    expected = results(config)
    connector = "lightning.pytorch.trainer.connectors.callback_connector"
    monkeypatch.setattr(f"{connector}._load_external_callbacks", lambda group: [Stopping()])
    assert results(config) == expected


@pytest.mark.system
def test_files_in_the_trainers_folder_are_removed(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trained = train_trial(with_model(replace(config, max_steps=2), "Writing"))
    assert Path(trained.model.trainer.default_root_dir).parent == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, LightningEnvironment),
        ({**SRUN, "SLURM_NTASKS": "2"}, LightningEnvironment),
        ({**SRUN, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2"}, SLURMEnvironment),
        (
            {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none"},
            TorchElasticEnvironment,
        ),
    ],
    ids=["nothing", "batch script", "srun", "torchrun"],
)
def test_several_processes_know_what_has_started_them(
    variables: dict[str, str], expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ranks in (rank_zero_only, fabrics_rank_zero_only):
        monkeypatch.setattr(ranks, "rank", 0)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    trainer = quiet_trainer(accelerator="cpu", strategy="ddp", devices=2)
    environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
    assert type(environment) is expected
    assert not getattr(environment, "auto_requeue", False)
    assert type(quiet_trainer(accelerator="cpu", devices=1).strategy).__name__ == "SingleDeviceStrategy"


def test_checking_a_config_changes_nothing(experiment: Experiment, unusual_state: dict[str, object]) -> None:
    model = {"class_path": "watchful_models.Unsettling", "init_args": {}}
    data = {"class_path": experiment.data.class_path, "init_args": dict(experiment.data.init_args)}
    config = {"model": model, "data": data, "trainer": {"accelerator": "cpu", "deterministic": True}}
    random_state = torch.get_rng_state()
    Unsettling.seen.clear()
    make_request(config, {"search": SearchSettings(compile="auto", cuda_graph=True)}, Path("store"))
    check_model_and_data(config)
    assert {num_threads for num_threads, *_ in Unsettling.seen} == {1}, "threads would wait for each other"
    assert torch.equal(torch.get_rng_state(), random_state)
    assert global_state() == unusual_state


@pytest.mark.system
def test_an_evaluation_has_the_surroundings_of_its_trial(
    config: TrialConfig, tmp_path: Path, unusual_state: dict[str, object]
) -> None:
    experiment = with_model(config, "Unsettling", {"deterministic": True, "benchmark": False}).experiment
    search = SearchSettings(learning_rates=[1e-2], seeds=[1], max_size=20, max_steps=4)
    settings = ExtrapolationSettings(multiples=[1, 2], num_sequences=5)
    placement = {"accelerator": "cpu"}
    for number in range(2):  # with the model just trained, then with its weights that were kept
        Unsettling.seen.clear()
        job = SearchJob(experiment, search, 61, 3, placement=placement, weights=tmp_path / "weights")
        with Store(tmp_path / "store") as store:
            ExtrapolationJob(job, replace(settings, num_sequences=5 + number)).run(ProgressReporter(print), store)
        assert set(Unsettling.seen) == {(1, torch.float32, 2, False)}
        assert global_state() == unusual_state


@pytest.mark.system
def test_cublas_has_workspaces_of_its_own_in_a_trial(config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    for own, expected in ((None, ":4096:8"), (":16:8", ":16:8")):
        if own is not None:
            monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", own)
        seen = []
        run_trial(config, on_validation=lambda *_, seen=seen: seen.append(os.environ["CUBLAS_WORKSPACE_CONFIG"]))
        assert set(seen) == {expected}
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == own


def test_a_cpu_beside_a_gpu_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning.pytorch.trainer.setup.CUDAAccelerator.is_available", lambda: True)
    with pytest.warns(UserWarning, match="available but not used"):
        quiet_trainer(accelerator="cpu", devices=1)
    with silent():
        quiet_trainer(accelerator="cpu", devices=1)


def test_looking_at_a_trainer_changes_nothing(unusual_state: dict[str, object]) -> None:
    quiet_trainer(accelerator="cpu", devices=1, deterministic=True, benchmark=False, detect_anomaly=True)
    assert global_state() == unusual_state


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_a_deterministic_trial_leaves_the_next_one_alone(config: TrialConfig) -> None:
    before, expected = global_state(), results(config)
    trainer = {"deterministic": True, "detect_anomaly": True}
    deterministic = replace(config, experiment=replace(config.experiment, trainer=trainer))
    seen = []
    run_trial(deterministic, on_validation=lambda *_: seen.append(global_state()))
    assert {state["deterministic"] for state in seen} == {2} and {state["anomaly"] for state in seen} == {True}
    assert global_state() == before
    assert results(config) == expected


@pytest.mark.system
def test_a_trial_does_not_inherit_the_callers_state(config: TrialConfig, request: pytest.FixtureRequest) -> None:
    expected = results(config)
    unusual = request.getfixturevalue("unusual_state")
    seen = []
    assert results(config, on_validation=lambda *_: seen.append(global_state())) == expected
    assert all(
        (state["dtype"], state["matmul"], state["deterministic"], state["cudnn"], state["tf32"])
        == (torch.float32, "highest", 0, (False, False), False)
        for state in seen
    )
    assert global_state() == unusual


@pytest.mark.system
def test_what_a_failing_trial_has_set_is_set_back(config: TrialConfig) -> None:
    before = global_state()

    def fail(*_: object) -> None:
        raise ValueError("enough")

    deterministic = replace(config, experiment=replace(config.experiment, trainer={"deterministic": True}))
    with pytest.raises(ValueError, match="enough"):
        run_trial(deterministic, on_validation=fail)
    assert global_state() == before


@pytest.mark.system
def test_more_steps_than_the_budget_are_no_record(config: TrialConfig) -> None:
    twice = with_model(config, "TwoStepsABatch")
    assert run_trial(replace(twice, max_steps=6)).num_steps == 6
    with pytest.raises(BenchError, match=r"took 6 optimizer steps, more than search.max_steps, 5; .* a multiple"):
        run_trial(replace(twice, max_steps=5))
