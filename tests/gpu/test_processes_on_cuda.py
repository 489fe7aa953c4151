"""Processes and GPUs: several on one, the one that is named, and a group of one process over NCCL."""

from __future__ import annotations

import pytest
from cuda_trials import curve_in_a_group, curve_of, small_trial, what_is_visible

from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.processes import Processes
from ib_bench.training.trial import run_trial

pytestmark = [pytest.mark.gpu, pytest.mark.system, pytest.mark.filterwarnings("default")]


def test_workers_share_a_gpu_and_train_what_one_process_does(accelerator: str) -> None:
    configs = [small_trial(name) for name in ("LSTM", "DenseSSM", "Transformer")]
    expected = [run_trial(config, {"accelerator": accelerator}).val_curve for config in configs]
    items = [(config, accelerator) for config in configs]
    ended = Processes(3, visible_gpus()[:1]).run(curve_of, items, lambda *_: None)
    assert [one.error for one in ended] == [None] * 3
    assert [one.result for one in ended] == expected


def test_a_worker_sees_the_gpu_that_it_is_given_and_no_other(accelerator: str) -> None:
    (first, *_) = visible_gpus()
    (given,) = Processes(1, [first]).run(what_is_visible, [0], lambda *_: None)
    assert given.result == (first, 1, [first])


@pytest.mark.parametrize("nothing", ["", "-1"])
def test_a_process_that_may_see_none_sees_none(accelerator: str, nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
    (outcome,) = Processes(1).run(what_is_visible, [0], lambda *_: None)
    assert outcome.result == (nothing, 0, [])


def test_a_group_of_one_process(accelerator: str) -> None:
    config = small_trial("LSTM")
    (ended,) = Processes(1).run(curve_in_a_group, [(config, accelerator)], lambda *_: None)
    assert ended.error is None
    assert ended.result is not None
    curve, backend = ended.result
    assert backend == {"cuda": "nccl", "cpu": "gloo"}[accelerator]
    expected = run_trial(config, {"accelerator": accelerator}).val_curve
    assert [loss for _, loss in curve] == pytest.approx([loss for _, loss in expected], rel=1e-4)
