"""W&B runs: opened alike for every kind of result, and found again by their ids."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb

from ib_bench.errors import BenchError
from ib_bench.quantities.logged_run import LoggedRun
from ib_bench.results.identity import Json
from ib_bench.tracking.names import run_text
from ib_bench.tracking.settings import MODES, WandbMode, WandbSettings

_OF_OTHER_RUNS = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_RESUME")
"""Variables of a sweep's agent, or of a program with one run: each of our results is a run with an id of its own."""

_NUM_STEPS = "num_logged_steps"

_ANONYMOUS: dict[str, Any] = {
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_disable_stats": True,
    "disable_git": True,
    "host": "",
    "program": "",
}
"""Settings without which a run has the host's name, the user's paths and the command line."""

_TIMEOUTS_S: dict[str, Any] = {"init_timeout": 30.0, "finish_timeout": 60.0}
_ASKED_AGAIN_AFTER_S = 600.0

_silent_until_s = 0.0  # on the monotonic clock: waiting for W&B in every one of many jobs would take hours


class GrowingRun:
    """A W&B run of one result; a resumed result goes on in the same run.

    Args:
        settings: where to.
        job_type: kind of result.
        group: name of the suite that it belongs to, or None.
        logged: the result so far.

    Raises:
        wandb.errors.CommError: W&B does not answer, or did not a few minutes ago.
    """

    def __init__(self, settings: WandbSettings, job_type: str, group: str | None, logged: LoggedRun) -> None:
        self._settings = settings
        self._run_id = logged.run_id
        self._run = open_run(settings, job_type, logged.run_id, logged.name, group, logged.config)
        self._num_logged = int(self._run.summary.get(_NUM_STEPS, 0)) if self._run.resumed else 0
        self._run.define_metric(logged.step_metric, hidden=True)
        self._run.define_metric(logged.metrics, step_metric=logged.step_metric)
        self._run.summary["status"] = logged.summary.get("status")

    def update(self, logged: LoggedRun) -> None:
        """Log the steps that are new, and keep their number: a run that is killed goes on behind them."""
        for step in logged.steps[self._num_logged :]:
            self._run.log(step)
        if len(logged.steps) > self._num_logged:
            self._num_logged = len(logged.steps)
            self._run.summary[_NUM_STEPS] = self._num_logged

    def finish(self, logged: LoggedRun) -> None:
        """Log tables and summary, and close the run."""
        for name, rows in logged.tables.items():
            if rows:
                columns: list[str | int] = [*rows[0]]
                self._run.log({name: wandb.Table(columns=columns, data=[list(row.values()) for row in rows])})
        self._run.summary.update({**_known(logged.summary), _NUM_STEPS: self._num_logged})
        close_run(self._run, self._settings, self._run_id)

    def abort(self, logged: LoggedRun, status: str) -> None:
        """Close the run of a result that is not finished.

        Args:
            logged: the result so far.
            status: ``failed`` or ``interrupted``.
        """
        self._run.summary.update({**_known(logged.summary), "status": status, _NUM_STEPS: self._num_logged})
        self._run.finish(exit_code=1)

    def leave(self) -> None:
        """Close the run after an error; wandb would close it as finished when this process ends."""
        with suppress(Exception):
            self._run.finish(exit_code=1)


def _known(summary: Json) -> Json:
    """What has a value, so that a chart of kappa shows no bound of it.

    The text of an error stays in the store: it may name the user's files, and a run that goes on would keep it.
    """
    return {name: value for name, value in summary.items() if value is not None and name != "error"}


def open_run(settings: WandbSettings, job_type: str, run_id: str, name: str, group: str | None, config: Json) -> Any:
    """Open a run, or go on in the one with this id.

    Args:
        settings: where to.
        job_type: what kind of result it holds.
        run_id: of the run: one result has one id, wherever and however often it is logged.
        name: for people.
        group: name of the suite that it belongs to, or None.
        config: of the run.

    Raises:
        BenchError: this version of wandb would log the machine's name and paths.
        wandb.errors.CommError: W&B does not answer, or did not a few minutes ago.
    """
    mode = resolved_mode(settings)
    if mode == "online":
        _require_answer()
    try:
        return _opened(mode, settings, job_type, run_id, name, group, config)
    except wandb.errors.CommError:
        global _silent_until_s
        _silent_until_s = time.monotonic() + _ASKED_AGAIN_AFTER_S if mode == "online" else 0.0
        raise


def _require_answer() -> None:
    if time.monotonic() < _silent_until_s:
        raise wandb.errors.CommError("it did not answer a few minutes ago")


def _opened(
    mode: WandbMode, settings: WandbSettings, job_type: str, run_id: str, name: str, group: str | None, config: Json
) -> Any:
    return wandb.init(
        mode=mode,
        project=settings.project_name,
        entity=settings.entity_name,
        tags=settings.tags,
        group=None if group is None else run_text(group),
        job_type=job_type,
        name=run_text(name),
        id=run_id,
        resume="allow",
        reinit="create_new",
        config=config,
        settings=_private_settings(),
    )


def _private_settings() -> wandb.Settings:
    """Settings of all runs; their names differ between versions of wandb.

    Raises:
        BenchError: one that keeps a run anonymous is missing.
    """
    known = wandb.Settings.model_fields
    missing = sorted(_ANONYMOUS.keys() - known.keys())
    if missing:
        raise BenchError(
            f"wandb {wandb.__version__} has no setting {', '.join(missing)}, without which it would log this machine's "
            f"name and paths: install another version of wandb, or turn it off with --wandb.mode disabled"
        )
    timeouts = {name: seconds for name, seconds in _TIMEOUTS_S.items() if name in known}
    return wandb.Settings(silent=True, console="off", **_ANONYMOUS, **timeouts)


def close_run(run: Any, settings: WandbSettings, run_id: str) -> None:
    """Close a run that holds its whole result, so that :func:`logged_runs` knows it.

    Args:
        run: that :func:`open_run` opened.
        settings: where it is.
        run_id: of the run.
    """
    run.finish()
    if resolved_mode(settings) == "offline":
        with _offline_list().open("a", encoding="utf-8") as file:
            file.write(f"{_offline_name(settings, run_id)}\n")


def resolved_mode(settings: WandbSettings) -> WandbMode:
    """The mode, with null decided as :class:`WandbSettings` says.

    All use of W&B begins here. Variables that would give all runs the id of another one are removed first.
    """
    for name in _OF_OTHER_RUNS:
        os.environ.pop(name, None)
    mode = settings.mode or MODES.get(os.environ.get("WANDB_MODE", ""))
    return mode or ("online" if has_api_key() else "offline")


def has_api_key() -> bool:
    """Whether there is an API key; W&B does not look for one where ``WANDB_MODE`` is offline or disabled."""
    return wandb.login(prompt=False, verify=False)


def logged_runs(settings: WandbSettings) -> set[str]:
    """Ids of the runs that are there already and finished, online or in the folder ``wandb``.

    Args:
        settings: where to look.
    """
    if resolved_mode(settings) == "online":
        _require_answer()
        api = wandb.Api()
        path = f"{settings.entity_name or api.default_entity}/{settings.project_name}"
        try:
            return {run.id for run in api.runs(path, per_page=1000) if run.state == "finished"}
        except ValueError:  # there is no such project yet
            return set()
    names = _offline_list().read_text(encoding="utf-8").splitlines() if _offline_list().exists() else []
    return {run_id for name in names for run_id in [name.rpartition("/")[2]] if name == _offline_name(settings, run_id)}


def _offline_list() -> Path:
    """The file that names the finished offline runs; wandb's own folders do not say which project they are of."""
    return Path(os.path.expanduser(os.environ.get("WANDB_DIR", "."))) / "wandb" / "ib_bench_runs.txt"


def _offline_name(settings: WandbSettings, run_id: str) -> str:
    return f"{settings.entity_name or ''}/{settings.project_name}/{run_id}"
