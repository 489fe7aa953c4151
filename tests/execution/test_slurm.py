"""Calls in array tasks: what the contract of executors does not say, without Slurm and with it."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from slurm_queues import LocalQueue, needs_slurm, slurm_executor

from ib_bench.errors import BenchError, FatalError, InvalidOptionError, StoreError
from ib_bench.execution.executor import CallResult, Emit, TransientEvent
from ib_bench.execution.slurm.driver import UnfinishedError
from ib_bench.execution.slurm.executor import Slurm
from ib_bench.execution.slurm.folder import SlurmFolder
from ib_bench.execution.slurm.queue import Queue, SlurmQueue
from ib_bench.execution.slurm.reports import Attempt, Reader, Task
from ib_bench.execution.slurm.settings import SlurmSettings
from ib_bench.execution.slurm.task import ArrayTask
from ib_bench.quantities.search.record import SearchConfig, SearchRecord, SearchSettings
from ib_bench.results.records import Experiment

ROOT = Path(__file__).parents[2]


class Newest(TransientEvent):
    def __init__(self, number: int) -> None:
        self.number = number


def square(number: int, emit: Emit) -> int:
    emit(f"squaring {number}")
    for passing in range(5):
        emit(Newest(passing))
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number


def count(item: tuple[str, int], emit: Emit) -> int:
    """Count to 3, and wait before every number for a file that allows it."""
    folder, number = item
    while number < 3:
        while not Path(folder, f"go{number}").exists():
            time.sleep(0.05)
        number += 1
        with Path(folder, "counted").open("a") as file:
            file.write(f"{number}")
        emit(number)
    return number


def fail_or_count(item: tuple[str, int], emit: Emit) -> int:
    if item[1] < 0:
        raise ValueError(f"{item[1]} is negative")
    return count(item, emit)


def count_on(item: tuple[str, int], event: int) -> tuple[str, int]:
    return item[0], event


def die(_: str, emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_or_echo(item: str, emit: Emit) -> str:
    if item.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return item


class RefusingQueue(LocalQueue):
    """Refuses some submissions.

    Args:
        refused: receives how many were made before, and says whether this one is refused.
        error: that is raised then.
    """

    def __init__(self, refused: Callable[[int], bool], error: Exception) -> None:
        super().__init__()
        self.num_made = 0
        self._refused, self._error = refused, error

    def submit(self, name: str, folder: Path, tasks: Sequence[Callable[[], None]]) -> str:
        self.num_made += 1
        if self._refused(self.num_made - 1):
            raise self._error
        return super().submit(name, folder, tasks)


def note(seen: list[int], event: Any) -> None:
    """Keep an event, if it is the call's own."""
    if not isinstance(event, TransientEvent):
        seen.append(event)


def wait_for(condition: Callable[[], bool], timeout_s: float = 200.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def _tasks_find_this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))


@pytest.fixture(params=["local", pytest.param("slurm", marks=needs_slurm)])
def queue(request: pytest.FixtureRequest) -> Queue:
    return LocalQueue() if request.param == "local" else SlurmQueue(SlurmSettings(timeout_min=5))


def fail_for_good(item: str, emit: Emit) -> None:
    raise StoreError(f"{item} is full")


def test_a_fatal_error_ends_the_run(tmp_path: Path) -> None:
    queue = LocalQueue()
    with pytest.raises(StoreError, match="the disk is full"):
        slurm_executor(tmp_path / "slurm", queue).run(fail_for_good, ["the disk"], lambda *_: None)
    queue.join()


def news(reader: Reader, running: Sequence[Task] = ()) -> list[tuple[str, Any]]:
    return [(call, event.number if isinstance(event, Newest) else event) for call, event in reader.news(running)]


def test_each_report_is_read_once(tmp_path: Path) -> None:
    task, other = ("submission", 0), ("submission", 1)
    (tmp_path / "submission").mkdir()
    reader = Reader(tmp_path, {"call": [task, other], "unheard": [other]})
    attempt = Attempt(tmp_path, task)
    attempt.write("call", "begin")
    attempt.emit("call", "kept")
    assert news(reader, [task]) == [("call", "kept")]
    for number in range(3):
        attempt.emit("call", Newest(number))
    assert news(reader) == [("call", 0)]  # at most one each second
    another = Attempt(tmp_path, other)
    for call in ("call", "unheard", "of somebody else"):
        another.emit(call, "of another attempt")
    assert news(reader) == [(call, "of another attempt") for call in ("call", "unheard")]
    attempt.emit("unheard", "in a task that does not count")
    attempt.end("call", CallResult(result=1))
    assert news(reader) == [("call", 2)]  # written with the outcome
    assert (news(reader), reader.outcomes) == ([], {"call": CallResult(result=1)})
    assert reader.begun == {task: {"call", "unheard"}, other: {"call", "unheard", "of somebody else"}}


def test_every_attempt_has_a_file_of_its_own(tmp_path: Path) -> None:
    task = ("submission", 7)
    (tmp_path / "submission").mkdir()
    attempts = [Attempt(tmp_path, task) for _ in range(3)]
    for number, attempt in reversed(list(enumerate(attempts))):
        attempt.emit("call", number)
    assert news(Reader(tmp_path, {"call": [task]})) == [("call", number) for number in range(3)]


def write_and_die_in_a_commit(path: Path) -> None:
    """Add a row, and kill the process when pages of the database have been written and its journal is still there."""
    program = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('PRAGMA cache_spill = 1')\n"
        "database.execute('BEGIN')\n"
        "for _ in range(50):\n"
        "    database.execute('INSERT INTO rows (call, value) VALUES (?, ?)', ('call', bytes(10_000)))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0


def test_a_commit_that_was_cut_short_is_rolled_back_once_its_task_has_ended(tmp_path: Path) -> None:
    task = ("submission", 0)
    (tmp_path / "submission").mkdir()
    reader = Reader(tmp_path, {"call": [task]})
    Attempt(tmp_path, task).emit("call", "kept")
    (path,) = tmp_path.glob("*/*.sqlite")
    write_and_die_in_a_commit(path)
    torn = path.read_bytes()
    assert news(reader, [task]) == []
    assert path.read_bytes() == torn  # the writer may be alive, for all that the reader knows
    assert news(reader) == [("call", "kept")]
    again = Attempt(tmp_path, task)
    again.emit("call", "by the next attempt")
    assert news(reader) == [("call", "by the next attempt")]


@pytest.mark.parametrize("damaged", [b"", b"SQLite format 3", bytes(4096)])
def test_a_file_that_cannot_be_read_counts_as_not_there_yet(tmp_path: Path, damaged: bytes) -> None:
    task = ("submission", 0)
    (tmp_path / "submission").mkdir()
    attempt = Attempt(tmp_path, task)
    attempt.emit("call", "kept")
    (path,) = tmp_path.glob("*/*.sqlite")
    whole = path.read_bytes()
    path.write_bytes(damaged)
    reader = Reader(tmp_path, {"call": [task]})
    assert [news(reader, running) for running in ([task], [])] == [[], []]
    path.write_bytes(whole)
    assert news(reader, [task]) == [("call", "kept")]


def test_a_row_that_could_not_be_written_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ("submission", 0)
    (tmp_path / "submission").mkdir()
    attempt = Attempt(tmp_path, task)
    attempt.emit("call", "first")
    connect = sqlite3.connect

    def connect_to_a_full_disk(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 2")
        return database

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_to_a_full_disk)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            attempt.emit("call", "second" * 10_000)
    attempt.emit("call", "third")
    assert news(Reader(tmp_path, {"call": [task]})) == [("call", "first"), ("call", "third")]


def test_a_submission_is_kept_while_somebody_needs_it(tmp_path: Path) -> None:
    folder = SlurmFolder(tmp_path)
    with folder.new_submission([["a"], ["b"]], {}) as name:
        pass
    folder.deliver("a", [(name, 0)])
    folder.tidy_up(busy=[])
    assert [submission.delivered for submission in folder.submissions()] == [{"a"}]
    folder.deliver("b", [(name, 1)])
    folder.tidy_up(busy=[name])
    assert [submission.delivered for submission in folder.submissions()] == [{"a", "b"}]
    folder.tidy_up(busy=[])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("timeout_min", 0), ("chunk_size", 0), ("mem_gb", 0), ("signal_delay_s", 60)),
        *(("additional", {"job_name": "x"}), ("additional", {"ntasks": 2}), ("additional", {"clusters": "gpu"})),
    ],
)
def test_settings_out_of_range(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError, match=f"slurm.{option} must be"):
        SlurmSettings(**{"timeout_min": 1, "signal_delay_s": 30, option: value})


def test_sbatch_gets_a_users_defaults_but_nothing_that_is_stronger_than_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda command: command)
    settings = SlurmSettings(partition="gpu", additional={"constraint": "a100"})
    assert SlurmQueue(settings)._kept() == [
        *("SLURM_CONF", "SLURM_CLUSTERS"),
        *("SBATCH_ACCOUNT", "SBATCH_QOS", "SBATCH_RESERVATION"),
    ]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match="command sbatch is not found"):
        SlurmQueue(SlurmSettings())
    monkeypatch.setattr("ib_bench.execution.slurm.queue.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"pip install 'ib_bench\[slurm\]'"):
        SlurmQueue(SlurmSettings())


@pytest.mark.system
def test_results_errors_and_events(tmp_path: Path, queue: Queue) -> None:
    events: list[tuple[int, Any]] = []
    executor = slurm_executor(tmp_path / "slurm", queue, chunk_size=2)
    outcomes = executor.run(square, [3, -1, 5], lambda index, event: events.append((index, event)))
    assert [outcome.result for outcome in outcomes] == [9, None, 25]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, type(None)]
    kept = sorted(event for event in events if not isinstance(event[1], TransientEvent))
    assert kept == [(0, "squaring 3"), (1, "squaring -1"), (2, "squaring 5")]
    newest = {index: event.number for index, event in events if isinstance(event, Newest)}
    assert newest == {0: 4, 1: 4, 2: 4}
    assert left_in(tmp_path) == []


def test_nothing_to_do(tmp_path: Path) -> None:
    assert slurm_executor(tmp_path / "slurm", LocalQueue()).run(square, [], lambda *_: None) == []
    assert not (tmp_path / "slurm").exists()


@pytest.mark.system
def test_a_killed_task_harms_no_other_call_and_is_given_up(tmp_path: Path, queue: Queue) -> None:
    executor = slurm_executor(tmp_path / "slurm", queue, chunk_size=4, max_attempts=2)
    outcomes = executor.run(die_or_echo, ["a", "die 1", "die 2", "b"], lambda *_: None)
    assert [outcome.result for outcome in outcomes] == ["a", None, None, "b"]
    for outcome in outcomes[1:3]:
        assert "its array task ended without a result 2 times" in str(outcome.error)
    assert left_in(tmp_path) == []


@pytest.mark.system
def test_tasks_that_begin_nothing_are_given_up_with_their_log(
    tmp_path: Path, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # where one of our modules is broken
    (tmp_path / "numpy.py").write_text("raise RuntimeError('this environment is broken')")
    executor = slurm_executor(tmp_path / "slurm", queue, max_attempts=1)
    (outcome,) = executor.run(square, [3], lambda *_: None)
    assert "ended without a result once; the log ends with: " in str(outcome.error)
    assert "this environment is broken" in str(outcome.error)


@pytest.mark.system
def test_a_driver_comes_back(tmp_path: Path, queue: Queue) -> None:
    """The first is interrupted; what it has queued is neither lost nor queued again, and goes on meanwhile."""
    items = [(str(tmp_path), 0)]
    seen: list[int] = []

    def interrupt(_: int, event: Any) -> None:
        if not isinstance(event, TransientEvent):
            raise KeyboardInterrupt

    def collect() -> CallResult[int]:
        executor = slurm_executor(tmp_path / "slurm", queue, collect_only=True)
        return executor.run(count, items, lambda _, event: note(seen, event), count_on)[0]

    assert "never been submitted" in str(collect().error)
    (tmp_path / "go0").touch()
    with pytest.raises(KeyboardInterrupt, match=r"its jobs keep running in Slurm; .* cancel them with scancel [0-9]+"):
        slurm_executor(tmp_path / "slurm", queue).run(count, items, interrupt, count_on)
    unfinished = collect()
    assert isinstance(unfinished.error, UnfinishedError)
    assert "it is running as" in str(unfinished.error)
    assert seen == [1]
    for number in (1, 2):
        (tmp_path / f"go{number}").touch()
    wait_for(lambda: not queue.active())
    seen.clear()
    outcomes = slurm_executor(tmp_path / "slurm", queue).run(count, items, lambda _, event: note(seen, event), count_on)
    assert (outcomes, seen) == ([CallResult(result=3)], [1, 2, 3])
    assert (tmp_path / "counted").read_text() == "123"  # by one task
    assert left_in(tmp_path / "slurm") == []


@pytest.mark.system
def test_a_driver_that_comes_back_with_other_options_says_so(tmp_path: Path) -> None:
    def interrupt(_: int, event: Any) -> None:
        raise KeyboardInterrupt

    queue, items = LocalQueue(), [(str(tmp_path), 0)]
    (tmp_path / "go0").touch()
    with pytest.raises(KeyboardInterrupt):
        slurm_executor(tmp_path / "slurm", queue).run(count, items, interrupt, count_on)
    with (
        pytest.raises(KeyboardInterrupt),
        pytest.warns(UserWarning, match="were submitted with other options and keep them"),
    ):
        slurm_executor(tmp_path / "slurm", queue, mem_gb=1).run(count, items, interrupt, count_on)
    for number in (1, 2):
        (tmp_path / f"go{number}").touch()
    (outcome,) = slurm_executor(tmp_path / "slurm", queue).run(count, items, lambda *_: None, count_on)
    assert outcome.result == 3


@pytest.mark.system
def test_a_failure_is_told_once_and_then_tried_again(tmp_path: Path) -> None:
    queue = LocalQueue()

    def interrupt(_: int, event: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slurm_executor(tmp_path, queue).run(square, [-1], interrupt)
    wait_for(lambda: not queue.active())
    (collected,) = slurm_executor(tmp_path, queue, collect_only=True).run(square, [-1, 2], lambda *_: None)[:1]
    assert str(collected.error) == "-1 is negative"
    assert len(queue.submitted) == 1
    slurm_executor(tmp_path, queue).run(square, [-1], lambda *_: None)
    assert len(queue.submitted) == 2
    assert left_in(tmp_path) == []


@pytest.mark.system
def test_a_failure_is_made_again_while_its_task_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And collected before that, although it was delivered to a driver that was interrupted."""
    queue, items = LocalQueue(), [(str(tmp_path), -1), (str(tmp_path), 0)]
    deliver = SlurmFolder.deliver

    def let_the_other_go_on(folder: SlurmFolder, call: str, tasks: Sequence[Task]) -> None:
        deliver(folder, call, tasks)
        (tmp_path / "go0").touch()

    def interrupt(_: int, event: Any) -> None:
        if event == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(SlurmFolder, "deliver", let_the_other_go_on)

    def executor(collect_only: bool = False) -> Slurm:
        return slurm_executor(tmp_path / "slurm", queue, collect_only, chunk_size=2)

    with pytest.raises(KeyboardInterrupt):
        executor().run(fail_or_count, items, interrupt, count_on)
    failed, running = executor(collect_only=True).run(fail_or_count, items, lambda *_: None, count_on)
    assert str(failed.error) == "-1 is negative"
    assert "it is running as" in str(running.error)
    for number in (1, 2):
        (tmp_path / f"go{number}").touch()
    failed, counted = executor().run(fail_or_count, items, lambda *_: None, count_on)
    assert (str(failed.error), counted.result) == ("-1 is negative", 3)
    assert len(queue.submitted) == 2
    assert (tmp_path / "counted").read_text() == "123"
    assert left_in(tmp_path / "slurm") == []


@pytest.mark.system
def test_a_preempted_task_goes_on_from_its_events(tmp_path: Path) -> None:
    """Submitit's signal, which comes before the end of the time limit as well."""
    queue = LocalQueue()
    seen: list[int] = []

    def preempt(_: int, event: int) -> None:
        note(seen, event)
        if event == 1 and len(seen) == 1:
            queue.preempt(queue.submitted[0])
        (tmp_path / f"go{event}").touch()

    (tmp_path / "go0").touch()
    (outcome,) = slurm_executor(tmp_path / "slurm", queue).run(count, [(str(tmp_path), 0)], preempt, count_on)
    assert (outcome.result, seen, len(queue.submitted)) == (3, [1, 2, 3], 1)
    assert (tmp_path / "counted").read_text() == "123"


def task_that_is_signalled(
    folder: Path, after_min: float, event: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[ArrayTask[int, int], list[int]]:
    """A task of two calls, each of which sends an event; within the first, submitit asks for a checkpoint.

    Returns:
        The task, and the items of the calls that it makes.
    """
    (folder / "submission").mkdir()
    clock_s, made, task = [0.0], [], ("submission", 0)
    monkeypatch.setattr("ib_bench.execution.slurm.task.time", SimpleNamespace(monotonic=lambda: clock_s[0]))

    def call(item: int, emit: Emit) -> int:
        made.append(item)
        emit(event)
        clock_s[0] += 60 * after_min
        array_task.checkpoint()
        return item

    settings = SlurmSettings(timeout_min=240, signal_delay_s=60)
    array_task = ArrayTask(call, {"a": 0, "b": 1}, None, folder, {"a": [task], "b": [task]}, settings)
    return array_task, made


@pytest.mark.parametrize("sends_record", [False, True])
def test_a_trial_that_is_longer_than_the_time_limit_is_not_started_again_and_again(
    tmp_path: Path, sends_record: bool, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SearchConfig(experiment, SearchSettings())
    search = SearchRecord(config.key, config, "running", 64, [], 0.0, "now")  # an attempt begins with it
    array_task, made = task_that_is_signalled(tmp_path, 239, search if sends_record else Newest(1), monkeypatch)
    array_task()
    reader = Reader(tmp_path, array_task.tasks)
    reader.news(())
    assert made == [0]  # the other one has no outcome, and the driver submits it
    assert reader.outcomes.keys() == {"a"}
    assert isinstance(reader.outcomes["a"].error, BenchError)
    assert str(reader.outcomes["a"].error).startswith(
        "no trial ended within slurm.timeout_min (240 minutes); raise it above"
    )


@pytest.mark.parametrize(("after_min", "event"), [(100, Newest(1)), (119.5, "a trial")])
def test_a_task_goes_on_after_preemption_and_where_something_has_ended(
    tmp_path: Path, after_min: float, event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    array_task, made = task_that_is_signalled(tmp_path, after_min, event, monkeypatch)
    array_task()
    assert made == [0, 1]


def start_now(job: str) -> None:
    """Do not wait for a requeued job's time to begin; it may have begun already, which Slurm calls an error."""
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)


def job_of(queue: Queue) -> str:
    active = queue.active()
    assert active is not None
    return next(iter(active.values())).job


@needs_slurm
@pytest.mark.system
@pytest.mark.parametrize("command", ["requeue", "preempt", "cancel"])
def test_a_task_that_slurm_ends_goes_on_from_its_events(tmp_path: Path, command: str) -> None:
    """Queued again by Slurm, as after a failure of its node; pushed aside by a more urgent job; or cancelled."""
    queue = SlurmQueue(SlurmSettings(timeout_min=5))
    seen: list[int] = []

    def end(_: int, event: int) -> None:
        note(seen, event)
        if event == 1 and seen == [1]:
            job = job_of(queue)
            if command == "requeue":
                subprocess.run(["scontrol", "requeue", job], check=True)
            elif command == "cancel":
                subprocess.run(["scancel", job], check=True)
            else:
                urgent = ["srun", "--partition=urgent", "--exclusive", "--immediate=30", "true"]
                subprocess.run(urgent, check=True, stderr=subprocess.DEVNULL)
            if command != "cancel":  # Slurm waits for two minutes before it starts it again
                wait_for(lambda: "BeginTime" in {standing.reason for standing in (queue.active() or {}).values()})
                start_now(job)
        (tmp_path / f"go{event}").touch()

    (tmp_path / "go0").touch()
    (outcome,) = slurm_executor(tmp_path / "slurm", queue).run(count, [(str(tmp_path), 0)], end, count_on)
    assert (outcome.result, seen) == (3, [1, 2, 3])
    assert (tmp_path / "counted").read_text() == "123"
    assert left_in(tmp_path / "slurm") == []


@needs_slurm
@pytest.mark.system
def test_a_task_whose_time_is_up_goes_on_from_its_events(tmp_path: Path) -> None:
    queue = SlurmQueue(SlurmSettings(timeout_min=1, signal_delay_s=50))
    seen: list[int] = []

    def wait_for_the_limit(_: int, event: int) -> None:
        note(seen, event)
        if event == 1 and seen == [1]:
            job = job_of(queue)
            wait_for(lambda: "BeginTime" in {standing.reason for standing in (queue.active() or {}).values()}, 150)
            start_now(job)
        (tmp_path / f"go{event}").touch()

    (tmp_path / "go0").touch()
    executor = slurm_executor(tmp_path / "slurm", queue)
    (outcome,) = executor.run(count, [(str(tmp_path), 0)], wait_for_the_limit, count_on)
    assert (outcome.result, seen) == (3, [1, 2, 3])
    assert (tmp_path / "counted").read_text() == "123"


@needs_slurm
def test_what_slurm_refuses_is_said(tmp_path: Path) -> None:
    queue = SlurmQueue(SlurmSettings(partition="nowhere"))
    with pytest.raises(BenchError, match="Slurm refuses the jobs: invalid partition specified: nowhere; "):
        slurm_executor(tmp_path / "new" / "slurm", queue).run(square, [3], lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_when_nothing_is_queued_ends_the_run_without_a_trace(tmp_path: Path) -> None:
    queue = RefusingQueue(lambda _: True, BenchError("Slurm refuses the jobs: no such partition"))
    with pytest.raises(BenchError, match=r"^Slurm refuses the jobs: no such partition$"):
        slurm_executor(tmp_path / "new" / "slurm", queue).run(square, [3], lambda *_: None)
    assert (list(tmp_path.iterdir()), queue.num_made) == ([], 1)


@pytest.mark.system
def test_a_refused_block_waits_until_the_queue_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when all that was queued before has ended."""
    monkeypatch.setattr("ib_bench.execution.slurm.driver._MAX_TASKS", 1)
    queue = RefusingQueue(lambda made: made in (1, 2, 3), BenchError("Slurm refuses the jobs: a limit is reached"))
    outcomes = slurm_executor(tmp_path, queue).run(square, [2, 3], lambda *_: None)
    assert ([outcome.result for outcome in outcomes], queue.num_made) == ([4, 9], 5)
    assert left_in(tmp_path) == []


@pytest.mark.system
def test_a_block_that_is_too_large_is_submitted_in_parts(tmp_path: Path) -> None:
    class LimitedQueue(LocalQueue):
        sizes: ClassVar[list[int]] = []

        def submit(self, name: str, folder: Path, tasks: Sequence[Callable[[], None]]) -> str:
            self.sizes.append(len(tasks))
            if len(tasks) > 2:
                raise BenchError("Slurm refuses the jobs: the array is too large")
            return super().submit(name, folder, tasks)

    outcomes = slurm_executor(tmp_path, LimitedQueue()).run(square, range(5), lambda *_: None)
    assert [outcome.result for outcome in outcomes] == [0, 1, 4, 9, 16]
    assert LimitedQueue.sizes == [5, 2, 2, 1]
    assert left_in(tmp_path) == []


def test_srun_is_asked_for_the_cores_that_sbatch_was() -> None:
    assert SlurmSettings(cpus_per_task=8).parameters()["srun_args"] == ["--cpus-per-task=8"]


@pytest.mark.system
@pytest.mark.slow
def test_refusals_of_what_was_lost_neither_end_the_run_nor_count_as_losses(tmp_path: Path) -> None:
    queue = RefusingQueue(lambda made: made in (1, 3), BenchError("Slurm refuses the jobs: it restarts"))
    (outcome,) = slurm_executor(tmp_path, queue, max_attempts=3).run(die, ["x"], lambda *_: None)
    assert "ended without a result 3 times" in str(outcome.error)
    assert (len(queue.submitted), queue.num_made) == (3, 5)


@pytest.mark.system
def test_a_queue_that_refuses_for_good_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ib_bench.execution.slurm.driver._MAX_IDLE_REFUSALS", 2)
    queue = RefusingQueue(lambda made: made > 0, BenchError("Slurm refuses the jobs: the account has expired"))
    with pytest.raises(BenchError, match=r"the account has expired$"):
        slurm_executor(tmp_path, queue).run(die, ["x"], lambda *_: None)
    assert queue.num_made == 3


@pytest.mark.parametrize("inside", ["", "inside"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file / inside, Path("/proc/x", inside), tmp_path / ("x" * 300)):
        with pytest.raises(InvalidOptionError, match=r"slurm.folder must be a folder that can be written, got '"):
            slurm_executor(folder, LocalQueue())
    slurm_executor(tmp_path / "new" / inside, LocalQueue())
    with pytest.raises(FatalError, match=r"slurm.folder must be .*: File name too long"):
        slurm_executor(tmp_path / "new" / ("x" * 300), LocalQueue()).run(square, [3], lambda *_: None)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.system
def test_a_disk_that_is_full_ends_the_run_and_says_what_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FatalError, match=r"slurm.folder must be .*: No space left on device$"):
        slurm_executor(tmp_path / "slurm", RefusingQueue(lambda _: True, full)).run(square, [3], lambda *_: None)
    assert list(tmp_path.iterdir()) == []

    def fail(*_: Any) -> None:
        raise full

    monkeypatch.setattr(SlurmFolder, "deliver", fail)
    queue = LocalQueue()
    with pytest.raises(FatalError, match=r": No space left on device; its jobs keep running .* with scancel [0-9]+$"):
        slurm_executor(tmp_path / "slurm", queue).run(square, [3], lambda *_: None)
    wait_for(lambda: not queue.active())


@pytest.mark.system
def test_errors_of_who_handles_events_are_not_blamed_on_the_folder(tmp_path: Path) -> None:
    def handle(_: int, event: Any) -> None:
        raise OSError("of the handler")

    queue = LocalQueue()
    with pytest.raises(OSError, match=r"^of the handler$"):
        slurm_executor(tmp_path, queue).run(square, [3], handle)
    wait_for(lambda: not queue.active())
