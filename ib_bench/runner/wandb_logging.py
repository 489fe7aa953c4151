"""Results in Weights & Biases, after a command has measured them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ib_bench.plain_text import number_of
from ib_bench.results.archive import Records
from ib_bench.runner.counting import counted
from ib_bench.tracking.settings import WandbSettings

if TYPE_CHECKING:
    from ib_bench.tracking.replay import Replayed


def log_results(records: Records, settings: WandbSettings, group: str | None, with_suite: bool = True) -> Replayed:
    """Log what is not in W&B yet: searches, kappas, extrapolations, and a run for all of them together.

    Args:
        records: of one or several results.
        settings: where to.
        group: name of the suite, or None.
        with_suite: whether there is to be a run for everything together.

    Returns:
        How many runs were logged, how many already there, and which were refused.
    """
    from ib_bench.report.study_report import study_report  # noqa: PLC0415 (as below)
    from ib_bench.tracking.replay import replay  # noqa: PLC0415 (wandb takes a second to import)

    report = study_report({group or "store": records}).html if with_suite else None
    with counted("W&B runs") as on_count:
        return replay(records, settings, group, report, on_count)


def log_quietly(records: Records, settings: WandbSettings, group: str | None) -> None:
    """Log the results of a command unless W&B is disabled; an error there becomes a warning.

    Args:
        records: of the command.
        settings: where to.
        group: name of the suite, or None; only a suite gets a run for everything together.
    """
    if settings.is_disabled:
        return
    try:
        refused = log_results(records, settings, group, with_suite=group is not None).failures
        if refused:
            reason = next(iter(refused.values()))
            warnings.warn(
                f"W&B has not taken {number_of(len(refused), 'runs')} of these results: {reason}", stacklevel=2
            )
    except Exception as error:
        warnings.warn(f"W&B failed, these results are not all logged there: {error!r}", stacklevel=2)
