"""The project's dashboard in W&B: N*, kappa, extrapolation and claims, from the summaries of our runs.

Reference: https://docs.wandb.ai/guides/app/features/workspaces (package ``wandb-workspaces``).
"""

from __future__ import annotations

import importlib
import json
from typing import Any

import wandb

from ib_bench.errors import BenchError
from ib_bench.results.identity import Json


def workspace(entity: str, project: str) -> Any:
    """The dashboard, not saved yet.

    Args:
        entity: user or team.
        project: of the runs.

    Raises:
        BenchError: the package ``wandb-workspaces`` is missing.
    """
    try:
        panels: Any = importlib.import_module("wandb_workspaces.reports.v2")  # an extra
        workspaces: Any = importlib.import_module("wandb_workspaces.workspaces")
    except ImportError as error:
        raise BenchError("the dashboard needs wandb-workspaces: pip install 'ib_bench[workspaces]'") from error

    def scatter(title: str, x: str, y: str, log_x: bool = False, log_y: bool = False) -> Any:
        return panels.ScatterPlot(
            title=title, x=_axis(panels, x), y=panels.SummaryMetric(y), log_x=log_x or None, log_y=log_y or None
        )

    def bars(title: str, metric: str) -> Any:
        grouping = {"groupby": panels.Config("model"), "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
        return panels.BarPlot(title=title, metrics=[metric], **grouping)

    sections = [
        workspaces.Section(
            name="N*",
            is_open=True,
            panels=[
                scatter("N* against maximal length", "config.max_length", "min_train_size", log_y=True),
                scatter("N* against modulus", "config.task_args.modulus", "min_train_size", log_x=True, log_y=True),
                scatter("N* is above this", "config.max_length", "min_train_size_is_above", log_y=True),
                panels.LinePlot(
                    title="bracket",
                    x="evaluation",
                    y=["search/largest_failing_size", "search/smallest_succeeding_size"],
                ),
            ],
        ),
        workspaces.Section(
            name="kappa",
            is_open=True,
            panels=[
                bars("kappa is at least this (log2: 0 shares nothing)", "log2_sharing_factor_low"),
                bars("kappa is at most this (log2)", "log2_sharing_factor_high"),
                bars("kappa of N50", "sharing_factor_n50"),
                panels.LinePlot(
                    title="N* at each length alone, lowest and highest",
                    x="length",
                    y=["sharing/low", "sharing/high"],
                    log_y=True,
                ),
            ],
        ),
        workspaces.Section(
            name="length extrapolation",
            is_open=True,
            panels=[
                panels.LinePlot(
                    title="accuracy against length (multiple of L)",
                    x="multiple",
                    y=["extrapolation/accuracy"],
                    log_x=True,
                ),
                bars("accuracy at 2 L", "accuracy_at_2x"),
            ],
        ),
        workspaces.Section(name="claims", is_open=True, panels=[panels.WeavePanelSummaryTable(table_name="claims")]),
    ]
    return workspaces.Workspace(entity=entity, project=project, name="ib_bench", sections=sections)


def default_entity() -> str:
    """The account's own.

    Raises:
        BenchError: there is no account.
    """
    if not wandb.login(prompt=False, verify=False):
        raise BenchError("a dashboard needs an account: run wandb login, or write its definition with --dry_run")
    return str(wandb.Api().default_entity)


def definition(dashboard: Any) -> Json:
    """The dashboard's definition, as plain data."""
    return dict(json.loads(dashboard._to_model().model_dump_json(by_alias=True)))


def _axis(panels: Any, name: str) -> Any:
    return panels.Config(name.removeprefix("config.")) if name.startswith("config.") else panels.SummaryMetric(name)
