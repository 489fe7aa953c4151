"""How far a job is, and the reporter that keeps track of it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from typing import Any

from ib_bench.errors import BenchError
from ib_bench.execution.executor import Emit, TransientEvent
from ib_bench.results.trial_record import TrialConfig


@dataclass(frozen=True)
class Progress(TransientEvent):
    """The progress of a job.

    Attributes:
        num_evaluations: sizes judged so far.
        judged_size: the size judged last, or None.
        size: the size being tried, or None.
        num_trials: trials of this size so far, the one in training included.
        num_steps: optimizer steps of the trial in training.
        val_loss: its newest validation loss, in nats.
        verdict: the result in a few words, once it is finished.
        error: what ended it without a result, if something did.
        place: host and process that it runs in.
    """

    num_evaluations: int = 0
    judged_size: int | None = None
    size: int | None = None
    num_trials: int = 0
    num_steps: int = 0
    val_loss: float | None = None
    verdict: str | None = None
    error: str | None = None
    place: str = ""

    @property
    def ended(self) -> bool:
        """Whether no more news will follow."""
        return self.verdict is not None or self.error is not None


class ProgressReporter:
    """Keeps the newest :class:`Progress` and passes it on.

    Args:
        emit: receives it whenever there is news.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._progress = Progress(place=f"{socket.gethostname()}:{os.getpid()}")

    def _update(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._emit(self._progress)

    def on_trial_start(self, config: TrialConfig) -> None:
        """A trial is about to be trained."""
        num_trials = self._progress.num_trials + 1
        self._update(size=config.num_train_sequences, num_trials=num_trials, num_steps=0, val_loss=None)

    def on_validation(self, num_steps: int, val_loss: float) -> None:
        """The trial in training has been validated."""
        self._update(num_steps=num_steps, val_loss=val_loss)

    def on_stored_trial(self) -> None:
        """A trial was found in the store."""
        self._update(num_trials=self._progress.num_trials + 1)

    def on_evaluation(self, size: int) -> None:
        """A size has been judged."""
        num_evaluations = self._progress.num_evaluations + 1
        self._update(num_evaluations=num_evaluations, judged_size=size, size=None, num_trials=0)

    def fail(self, error: BaseException) -> None:
        """The job ends without a result."""
        self._update(error=str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}")

    def finish(self, verdict: str) -> None:
        """The job has its result."""
        self._update(verdict=verdict)
