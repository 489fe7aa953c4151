"""Every executor gives the same answers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, ClassVar

import pytest
import ray
import torch
from slurm_queues import LocalQueue, needs_slurm, slurm_executor

from ib_bench import catalogue
from ib_bench.errors import InvalidOptionError, StoreError
from ib_bench.execution import processes
from ib_bench.execution.executor import Emit, Executor, Lost, TransientEvent, Waiting
from ib_bench.execution.inline import Inline
from ib_bench.execution.processes import Processes
from ib_bench.execution.ray import Ray, RaySettings

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """One for all tests of this module: it takes seconds to start."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


LOCAL = ["inline", "one", "two"]
WITHOUT_A_CLUSTER = "slurm without a cluster"
SLURM = pytest.param("slurm", marks=needs_slurm)


@pytest.fixture(params=[*LOCAL, "ray", WITHOUT_A_CLUSTER, SLURM])
def executor(request: pytest.FixtureRequest) -> Executor:
    return _executor(request)


@pytest.fixture(params=["two", "ray", pytest.param(WITHOUT_A_CLUSTER, marks=pytest.mark.slow), SLURM])
def executor_with_workers(request: pytest.FixtureRequest) -> Executor:
    """Slurm without a cluster is also in ``test_slurm.py``."""
    return _executor(request)


def _executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
        return Ray(RaySettings(max_retries=2))
    if str(request.param).startswith("slurm"):
        tmp_path = request.getfixturevalue("tmp_path")
        queue = None if request.param == "slurm" else LocalQueue()
        return slurm_executor(tmp_path / "slurm", queue, max_attempts=3, timeout_min=5)
    return {"inline": Inline(), "one": Processes(1), "two": Processes(2)}[request.param]


@pytest.fixture(autouse=True)
def tasks_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "tests")]))


def square(number: int, emit: Emit) -> int:
    emit(f"squaring {number}")
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number


def die_once(marker: str, emit: Emit) -> str:
    """Kill the worker at the first call, succeed at the second."""
    if not Path(marker).exists():
        Path(marker).write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(_: str, emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_errors_and_events(executor: Executor) -> None:
    events: list[tuple[int, Any]] = []
    outcomes = executor.run(square, [3, -1, 5], lambda index, event: events.append((index, event)))
    assert [outcome.result for outcome in outcomes] == [9, None, 25]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert str(outcomes[1].error) == "-1 is negative"
    own = [event for event in events if not isinstance(event[1], TransientEvent)]
    assert sorted(own) == [(0, "squaring 3"), (1, "squaring -1"), (2, "squaring 5")]


def leave(_: int, emit: Emit) -> None:
    sys.exit(0)


def be_terminated(marker: str, emit: Emit) -> str:
    """As by a tool that makes room in memory; succeed at the second call."""
    if not Path(marker).exists():
        Path(marker).write_text("terminated")
        os.kill(os.getpid(), signal.SIGTERM)
    return "survived"


def test_what_ends_its_process_ends_no_other(tmp_path: Path) -> None:
    (left,) = Processes(1).run(leave, [1], lambda index, event: None)
    assert str(left.error) == "the model or its data called sys.exit(0)"
    (survived,) = Processes(1).run(be_terminated, [str(tmp_path / "marker")], lambda index, event: None)
    assert survived.result == "survived"


def test_every_executor_is_tested() -> None:
    named = {"inline", "processes", "ray", "slurm"}
    assert {entry.name for entry in catalogue.entries(catalogue.EXECUTORS)} == named


def test_nothing_to_do(executor: Executor) -> None:
    assert executor.run(square, [], lambda *_: None) == []


def fail_for_good(item: str, emit: Emit) -> None:
    if item == "fatal":
        raise StoreError("the disk is full")
    Path(item).write_text("called")
    time.sleep(0.02)


@pytest.mark.parametrize("executor", ["inline", "one", "two", "ray"], indirect=True)
def test_a_fatal_error_ends_all_calls(executor: Executor, tmp_path: Path) -> None:
    items = [
        str(tmp_path / "first"),
        str(tmp_path / "second"),
        "fatal",
        *(str(tmp_path / f"{number}") for number in range(200)),
    ]
    with pytest.raises(StoreError, match="the disk is full"):
        executor.run(fail_for_good, items, lambda *_: None)
    assert 1 <= len(list(tmp_path.iterdir())) < 201


def test_what_a_killed_worker_was_doing_is_done_again(executor_with_workers: Executor, tmp_path: Path) -> None:
    items = [str(tmp_path / "marker"), str(tmp_path)]
    events: list[tuple[int, Any]] = []
    outcomes = executor_with_workers.run(die_once, items, lambda *event: events.append(event))
    assert [outcome.result for outcome in outcomes] == ["survived", "survived"]
    assert [event for event in events if isinstance(event[1], Lost)] == [(0, Lost())]


def break_cuda(marker: str, emit: Emit) -> str:
    """As an illegal access does: every later use of CUDA in this process fails. Only once if there is a marker."""
    if marker and Path(marker).exists():
        return "survived"
    Path(marker or os.devnull).touch()

    def fail() -> None:
        raise RuntimeError("CUDA error: an illegal memory access\nFor debugging, consider ...")

    patch = pytest.MonkeyPatch()
    patch.setattr(torch.cuda, "is_initialized", lambda: True)
    patch.setattr(torch.cuda, "synchronize", fail)
    raise RuntimeError("CUDA error: an illegal memory access")


def leave_out_what_takes_long(executor: Executor, request: pytest.FixtureRequest) -> None:
    if not (isinstance(executor, Processes) or request.config.getoption("--slow")):
        pytest.skip("takes long: --slow")


def test_a_worker_in_which_cuda_fails_for_good_makes_no_further_call(
    executor_with_workers: Executor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    leave_out_what_takes_long(executor_with_workers, request)
    events: list[tuple[int, Any]] = []
    items = [str(tmp_path / "marker"), ""]
    once, always = executor_with_workers.run(break_cuda, items, lambda *event: events.append(event))
    assert (once.result, once.error) == ("survived", None)
    counted = "(ended 3 times; CUDA failed|died 3 times: CUDA failed|without a result 3 times; .* CUDA has failed, .*)"
    assert re.search(f"{counted}.*CUDA error: an illegal memory access", str(always.error))
    assert [event for index, event in events if index == 0 and isinstance(event, Lost)] == [Lost()]
    assert {type(event) for _, event in events} <= {Lost, Waiting}


class Newest(TransientEvent):
    """As progress is."""


def count_to_five(numbers: list[int], emit: Emit) -> list[int]:
    """Go on from the numbers that there are; die after the third."""
    for number in range(len(numbers), 5):
        emit(Newest())
        emit(number)
        if number == 2:
            time.sleep(0.5)  # what is sent arrives
            os.kill(os.getpid(), signal.SIGKILL)
    return numbers


def appended(numbers: list[int], number: int) -> list[int]:
    return [*numbers, number]


def test_what_is_done_again_goes_on_from_its_events(executor_with_workers: Executor) -> None:
    events: list[Any] = []
    items = [[], [0, 1, 2, 3]]
    outcomes = executor_with_workers.run(count_to_five, items, lambda *event: events.append(event), appended)
    assert [outcome.result for outcome in outcomes] == [[0, 1, 2], [0, 1, 2, 3]]
    kept = [event for event in events if not isinstance(event[1], TransientEvent)]
    assert sorted(kept) == [*((0, number) for number in range(5)), (1, 4)]


def test_what_always_kills_its_worker_is_given_up(
    executor_with_workers: Executor, request: pytest.FixtureRequest
) -> None:
    leave_out_what_takes_long(executor_with_workers, request)
    events: list[Lost] = []
    (outcome,) = executor_with_workers.run(die, ["x"], lambda _, event: events.append(event))
    assert re.search("killed 3 times|died 3 times|ended without a result 3 times", str(outcome.error))
    assert [event.error for event in events if isinstance(event, Lost)] == [None, None, str(outcome.error)]


def die_or_wait(item: str, emit: Emit) -> str:
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return item


def process_id(marker: str, emit: Emit) -> int:
    """Of the worker; the one that finds the marker missing dies first."""
    time.sleep(0.3)
    if marker and not Path(marker).exists():
        Path(marker).write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_the_other_workers_do_not_notice_a_death(tmp_path: Path) -> None:
    outcomes = Processes(2).run(process_id, [str(tmp_path / "marker"), *[""] * 9], lambda *_: None)
    assert len({outcome.result for outcome in outcomes}) == 2


def test_a_dying_worker_harms_no_other_call() -> None:
    items = ["a", "die", *"bcdefg"]
    outcomes = Processes(2).run(die_or_wait, items, lambda *_: None)
    assert [outcome.result for outcome in outcomes] == ["a", None, *"bcdefg"]
    assert "killed 3 times" in str(outcomes[1].error)


class AwkwardError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def fail(kind: str, _: Emit) -> None:
    raise AwkwardError("this", "that") if kind == "awkward" else InvalidOptionError("modulus", 1, "at least 2")


def test_errors_keep_their_sentence_on_the_way_back(executor_with_workers: Executor) -> None:
    awkward, ours = executor_with_workers.run(fail, ["awkward", "ours"], lambda *_: None)
    assert str(awkward.error) == "AwkwardError: this and that"
    assert isinstance(ours.error, InvalidOptionError)
    assert str(ours.error) == "modulus must be at least 2, got 1"


@pytest.mark.parametrize("executor", ["ray"], indirect=True)
def test_what_no_node_of_a_ray_cluster_has_is_warned_of(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 0.5}}, {"Alive": False}])
    with pytest.warns(UserWarning, match="no node of the Ray cluster has 1 CPU; searches wait"):
        assert executor.run(square, [3], lambda *_: None)[0].result == 9


def warn(place: str, emit: Emit) -> None:
    """As code of this package does, or of another."""
    warnings.warn_explicit("the disk is nearly full", UserWarning, place, lineno=12)


@pytest.fixture
def new_fork_server() -> Iterator[None]:
    """One whose streams, and environment while it imports, are those of the test."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("new_fork_server")
def test_our_warnings_in_a_worker_are_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = str(Path(processes.__file__)), "/elsewhere/library.py"
    Processes(1).run(warn, [ours, theirs], lambda *_: None)
    sentence = "the disk is nearly full\n"
    assert capfd.readouterr().err == f"ib-bench: warning: {sentence}{theirs}:12: UserWarning: {sentence}"


def note(path: str, emit: Emit) -> list[str]:
    """Leave a file; what others have left before. The call of ``a`` lasts until that of ``d`` has ended."""
    folder = Path(path).parent
    deadline = time.monotonic() + 200
    while Path(path).name == "a" and not (folder / "d").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    before = sorted(other.name for other in folder.iterdir())
    Path(path).touch()
    return before


def test_a_call_waits_for_those_that_it_comes_after(tmp_path: Path) -> None:
    items = [str(tmp_path / name) for name in "abcd"]
    outcomes = Processes(4).run(note, items, lambda *_: None, after={1: [0], 2: [0, 1]})
    assert [str(outcome.error) for outcome in outcomes if outcome.error is not None] == []
    _, b, c, d = [outcome.result or [] for outcome in outcomes]
    assert "a" in b and {"a", "b"} <= set(c)
    assert d == []  # it has waited for nothing


def test_a_call_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    outcomes = Processes(2).run(square, [-1, 3], lambda *_: None, after={1: [0]})
    assert (str(outcomes[0].error), outcomes[1].result) == ("-1 is negative", 9)


def variable(name: str, emit: Emit) -> str | None:
    return os.environ.get(name)


def test_workers_have_the_environment_of_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IB_BENCH_TEST", "first")
    assert Processes(1).run(variable, ["IB_BENCH_TEST"], lambda *_: None)[0].result == "first"
    monkeypatch.setenv("IB_BENCH_TEST", "second")
    assert Processes(1).run(variable, ["IB_BENCH_TEST"], lambda *_: None)[0].result == "second"


def kill_the_server_once(marker: str, emit: Emit) -> str:
    """Kill the parent of this worker at the first call."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return "survived"


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked from a server on Linux only")
def test_calls_are_made_again_where_the_server_is_killed(tmp_path: Path) -> None:
    events: list[tuple[int, Any]] = []
    item = str(tmp_path / "marker")
    outcomes = Processes(1).run(kill_the_server_once, [item], lambda *event: events.append(event))
    assert (outcomes[0].result, events) == ("survived", [(0, Lost())])


def test_a_server_that_was_just_killed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(ProcessPoolExecutor):
        refusals: ClassVar[list[type[Exception]]] = [ConnectionRefusedError, EOFError]

        def submit(self, *arguments: Any, **named: Any) -> Any:
            if self.refusals:
                raise self.refusals.pop()
            return super().submit(*arguments, **named)

    monkeypatch.setattr("ib_bench.execution.processes.ProcessPoolExecutor", Refused)
    (outcome,) = Processes(1).run(double, [21], lambda *_: None)
    assert (outcome.result, Refused.refusals) == (42, [])


def double(number: int, emit: Emit) -> int:
    return 2 * number


def visible_gpu(_: int, emit: Emit) -> str:
    time.sleep(0.5)  # so that each worker takes one
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_workers_share_out_the_gpus() -> None:
    outcomes = Processes(2, gpus=["3", "5"]).run(visible_gpu, [0, 1], lambda *_: None)
    assert sorted(str(outcome.result) for outcome in outcomes) == ["3", "5"]


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from ib_bench.execution.processes import Processes\n"
        "def work(path, emit):\n"
        "    pathlib.Path(path).write_text(str(os.getpid()))\n"
        "    time.sleep(100)\n"
        "if __name__ == '__main__':\n"
        f"    Processes(1).run(work, [{str(tmp_path / 'pid')!r}], print)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    while _alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
