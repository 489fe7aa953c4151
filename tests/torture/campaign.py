"""One fault, again and again, at random moments, on runs that go on from where the last one was cut off."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torture.contents import Contents, contents, is_locked, num_trials
from torture.figures import Figures
from torture.processes import Command
from torture.suites import write_suite

Blow = Callable[[Command], None]
"""Does something to a command that runs."""

_SHARE_OF_TIMES = 0.25
_FIRST_SPAN_S = 10.0
_POLL_S = 0.03
_LITTLE_S = 1.0


class Campaign:
    """Runs a suite until a fault has struck often enough, and notes what becomes of the finished trials.

    A run that ends by itself has its store compared with an undisturbed one; the next begins with a fresh store.

    Args:
        folder: to work in.
        undisturbed: what the store of the suite holds if nothing happens.
        figures: are filled in.
        generator: chooses the moments.
        arguments: of ``ib-bench run suite.yaml``.
        environment: of the command.
    """

    def __init__(
        self,
        folder: Path,
        undisturbed: Contents,
        figures: Figures,
        generator: torch.Generator,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.store = folder / "ib_bench.sqlite"
        self.figures = figures
        self._undisturbed = undisturbed
        self._generator = generator
        self.arguments = arguments
        self.environment = environment
        self._span_s = _FIRST_SPAN_S
        self._num_stores = 0
        write_suite(folder)

    def start(self, *more: str) -> Command:
        """The suite, from what the store holds."""
        arguments = ("run", "suite.yaml", "--wandb.mode", "disabled", *self.arguments, *more)
        return Command(self.folder, *arguments, environment=self.environment)

    def ends_before(self, command: Command) -> bool:
        """Whether a command ends before a random moment, anywhere from its start to its end.

        One moment in four is a time, of those that a run takes; as most of that is the start, the others are given by
        how many trials have finished, and so are the same on slow machines. A run that finds them all there is left
        alone then, or most blows would fall on what comes after the last trial.
        """
        if self._random() < _SHARE_OF_TIMES:
            return command.ends_within(self._random() * self._span_s)
        here, all_trials = num_trials(self.store), len(self._undisturbed.trials)
        if here == all_trials:
            command.finish()
            return True
        wanted = here + round(self._random() * (all_trials - here))
        while num_trials(self.store) < wanted:
            if command.ends_within(_POLL_S):
                return True
        return command.ends_within(self._random() * _LITTLE_S)

    def _random(self) -> float:
        return float(torch.rand((), generator=self._generator))

    def one_of(self, pids: list[int]) -> int | None:
        """A process at random, if there is any."""
        return pids[int(torch.randint(len(pids), (), generator=self._generator))] if pids else None

    def end_runs(self, num: int, blow: Blow, hears: bool = False) -> None:
        """Blows that end the run, at random moments from its start to its end.

        Args:
            num: how many.
            blow: ends the command.
            hears: wait until it is there to hear a signal, at first.
        """
        self.measure()
        while self.figures.times < num:
            command = self.start()
            if hears:
                command.wait_until_it_hears()
            if self.ends_before(command):
                self.check_end(command)
                continue
            self.strike(command, blow)
        self.finish()

    def strike(self, command: Command, blow: Blow) -> None:
        """End a run, and note what is left."""
        before = contents(self.store)
        blow(command)
        self.figures.processes += command.num_left()
        self.figures.locks += is_locked(self.store)
        self.figures.note_fault(before, contents(self.store))

    def measure(self) -> None:
        """Let one run come to its end, to know how long that takes."""
        started_at = time.monotonic()
        self.check_end(self.start())
        self._span_s = time.monotonic() - started_at

    def strike_parts(self, num: int, strike: Callable[[Command], bool]) -> None:
        """Blows to what a run has started, at random intervals; the run itself is to survive them.

        Args:
            num: how many.
            strike: hits a part; says whether there was one.
        """
        self.measure()
        while self.figures.times < num:
            command = self.start()
            while self.figures.times < num and not self.ends_before(command):
                before = contents(self.store)
                if strike(command):
                    self.figures.note_fault(before, contents(self.store))
            if command.finish() == 0:
                self.check_end(command)
            else:  # a search whose workers die too often is given up, and tried again by the next run
                assert command.finish() == 1 and "failed" in command.out, command.err
                self.figures.processes += command.num_left()
        self.finish()

    def note_run(self) -> None:
        """The suite from its start to its end, under a fault that lasts all the time."""
        command = self.start()
        command.finish()
        end = contents(self.store)
        self.figures.note_fault(end, end)
        self.check_end(command)

    def run_two_at_once(self) -> None:
        """The suite twice, side by side on one store."""
        commands = [self.start(), self.start()]
        for command in commands:
            assert command.finish() == 0, command.err
            self.figures.processes += command.num_left()
        both = contents(self.store)
        self.figures.note_fault(both, both)
        self.check_end(commands[1])

    def finish(self) -> None:
        """Let the suite come to its end, if it is not there yet."""
        if self.store.exists():
            command = self.start()
            command.finish()
            self.check_end(command)

    def check_end(self, command: Command) -> None:
        """That all has come to the same as in an undisturbed run; makes room for the next store."""
        assert command.finish() == 0, command.err + command.out
        assert "Traceback" not in command.err, command.err
        self.figures.processes += command.num_left()
        self.figures.locks += is_locked(self.store)
        self.figures.note_end(self._undisturbed, contents(self.store))
        self._num_stores += 1
        shutil.move(self.store, self.folder / f"finished_{self._num_stores}.sqlite")
        for suffix in ("-wal", "-shm"):
            Path(f"{self.store}{suffix}").unlink(missing_ok=True)
