"""CUDA that has failed for good, as far as that can be seen without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ib_bench.errors import FatalError, LostProcessError
from ib_bench.execution.cuda_failure import cuda_failure
from ib_bench.execution.executor import CallResult, Emit
from ib_bench.execution.inline import Inline
from ib_bench.execution.slurm.reports import Reader
from ib_bench.execution.slurm.task import ArrayTask

Break = Callable[..., None]


@pytest.fixture
def break_cuda(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Lets ``synchronize`` raise errors with these texts, one after the other, and return after the last."""

    def break_it(*texts: str) -> None:
        left = list(texts)

        def synchronize() -> None:
            if left:
                raise RuntimeError(left.pop(0))

        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "synchronize", synchronize)

    return break_it


ILLEGAL = "CUDA error: an illegal memory access was encountered\nFor debugging, consider passing CUDA_LAUNCH_BLOCKING=1"


def test_a_process_that_has_not_used_cuda_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: pytest.fail("this would initialise CUDA"))
    assert cuda_failure() is None


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], None),
        ([ILLEGAL], None),  # reported late, and gone
        (["CUDA error: out of memory"] * 2, None),
        ([ILLEGAL] * 2, "CUDA error: an illegal memory access was encountered"),
    ],
)
def test_what_fails_again_has_failed_for_good(texts: list[str], reason: str | None, break_cuda: Break) -> None:
    break_cuda(*texts)
    assert cuda_failure() == reason


def fail(item: str, emit: Emit) -> None:
    raise RuntimeError(item)


def test_in_this_process_it_ends_the_run(break_cuda: Break) -> None:
    break_cuda(ILLEGAL, ILLEGAL)
    with pytest.raises(
        FatalError, match=r"^CUDA has failed, and .* \(CUDA error: an illegal memory access was enc.*\); "
    ):
        Inline().run(fail, ["first", "second"], lambda *_: None)


def test_other_errors_do_not(break_cuda: Break) -> None:
    break_cuda()
    outcomes = Inline().run(fail, ["first", "second"], lambda *_: None)
    assert [str(outcome.error) for outcome in outcomes] == ["first", "second"]


def test_an_array_task_ends_without_an_outcome(tmp_path: Path, break_cuda: Break) -> None:
    task = ("submission", 0)
    (tmp_path / "submission").mkdir()

    def call(item: str, emit: Emit) -> str:
        if item == "good":
            return item
        break_cuda(ILLEGAL, ILLEGAL)
        raise RuntimeError("CUDA error")

    tasks = {name: [task] for name in ("good", "broken", "next")}
    array_task: ArrayTask[str, Any] = ArrayTask(call, {name: name for name in tasks}, None, tmp_path, tasks)
    with pytest.raises(LostProcessError, match=r"this task cannot use it any more \(CUDA error: an illegal memory"):
        array_task()
    reader = Reader(tmp_path, tasks)
    reader.news(())
    assert reader.outcomes == {"good": CallResult(result="good")}
    assert reader.begun == {task: {"good", "broken"}}
