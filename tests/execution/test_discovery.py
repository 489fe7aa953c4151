"""An executor is one file: the command line finds it, its settings and its options."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser

from ib_bench import catalogue, execution
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.execution.executor import Executor
from ib_bench.runner.executors import add_executor_arguments, chosen_executor
from ib_bench.runner.measure import require_room

BACKWARDS = """
from dataclasses import dataclass

from ib_bench.execution.executor import Executor
from ib_bench.runner.measure import require_room
from ib_bench.execution.inline import Inline


@dataclass(frozen=True)
class BackwardsSettings:
    cores: int = 1


class Backwards(Executor):
    '''Runs the last call first.'''

    settings_class = BackwardsSettings
    takes = frozenset({"workers"})

    @classmethod
    def from_settings(cls, settings, shared):
        executor = cls()
        executor.cores_per_call, executor.cores_advice = settings.cores, f"at most {settings.cores}"
        executor.num_at_once = shared.workers or 1
        return executor

    def run(self, function, items, on_event, resume=None):
        last = len(items) - 1
        return Inline().run(function, items[::-1], lambda index, event: on_event(last - index, event), resume)[::-1]
"""


@pytest.fixture(autouse=True)
def one_more_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of executors as it is, with one more file."""
    folder = tmp_path / "execution"
    shutil.copytree(Path(execution.__file__).parent, folder)
    (folder / "backwards.py").write_text(BACKWARDS)
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "catalogue.py"))
    monkeypatch.setattr(execution, "__path__", [*execution.__path__, str(folder)])
    catalogue.entries.cache_clear()
    yield
    catalogue.entries.cache_clear()


def parser() -> ArgumentParser:
    built = ArgumentParser(prog="test", exit_on_error=False)
    add_executor_arguments(built)
    return built


def chosen(*arguments: str) -> Executor:
    return chosen_executor(parser().parse_args(list(arguments)))


def times_ten(item: int, emit: Any) -> int:
    emit(item)
    return 10 * item


def test_it_is_offered_with_its_settings() -> None:
    text = parser().format_help()
    assert "{backwards,inline,processes,ray,slurm}" in text
    assert "--backwards.cores" in text
    assert "backwards or processes" in " ".join(text.split())


def test_it_runs() -> None:
    executor = chosen("--executor", "backwards", "--backwards.cores", "2", "--workers", "3")
    events: list[tuple[int, Any]] = []
    outcomes = executor.run(times_ten, [1, 2, 3], lambda *event: events.append(event))
    assert [outcome.result for outcome in outcomes] == [10, 20, 30]
    assert events == [(2, 3), (1, 2), (0, 1)]
    assert executor.num_at_once == 3
    require_room(executor, 2)
    with pytest.raises(InvalidOptionError, match=r"search\.spread must be at most 2, got 3"):
        require_room(executor, 3)


def test_options_of_another_executor_are_refused() -> None:
    with pytest.raises(BenchError, match=r"backwards\.\* options only apply to --executor backwards"):
        chosen("--executor", "inline", "--backwards.cores", "2")
    with pytest.raises(BenchError, match="--collect only applies to --executor slurm"):
        chosen("--executor", "backwards", "--collect")
