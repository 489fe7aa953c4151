"""Which calls were submitted in which array tasks, remembered in files.

A submission is written down before it is made, under a name that the queue knows it by. So wherever its caller is
killed, the next one can ask the queue what has become of it, and nothing is queued twice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ib_bench.execution.slurm.call_files import Task

_RECORD = "submission.json"


class Submissions:
    """The folder, in which every submission has one of its own.

    Args:
        folder: of the submissions.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._chunks: dict[str, list[list[str]]] = {}
        self._parameters: dict[str, Any] = {}
        self._tasks: dict[str, list[Task]] = {}
        for path in sorted(folder.glob(f"*/{_RECORD}")):
            with suppress(FileNotFoundError):  # another driver tidies up
                record = json.loads(path.read_text())
                self._remember(path.parent.name, record["chunks"], record["parameters"])

    def tasks(self, call: str) -> list[Task]:
        """The array tasks in which a call was submitted, oldest first."""
        return self._tasks.get(call, [])

    def chunk(self, task: Task) -> list[str]:
        """The calls of an array task."""
        name, number = task
        return self._chunks[name][number]

    def parameters(self, task: Task) -> Any:
        """With which an array task was submitted."""
        return self._parameters[task[0]]

    def begin(self, chunks: Sequence[Sequence[str]], parameters: dict[str, Any]) -> str:
        """Write down what is about to be submitted; returns the name to submit it by.

        Args:
            chunks: ids of the calls of every array task.
            parameters: of the tasks, as plain data.
        """
        name = f"ib-bench-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        (self.folder / name).mkdir(parents=True)
        self._remember(name, [list(chunk) for chunk in chunks], parameters)
        self._write(name)
        return name

    def newest_log_line(self, call: str) -> str | None:
        """The last line that says something in the log of the newest array task of a call."""
        name, number = self.tasks(call)[-1]
        alone = len(self._chunks[name]) == 1
        logs = sorted((self.folder / name).glob("*_0_log.err" if alone else f"*_{number}_0_log.err"))
        lines = logs[-1].read_text(errors="replace").split("\n") if logs else []
        said = [line.strip() for line in lines if line.strip() and "Exited with exit code" not in line]
        return said[-1] if said else None

    def forget(self, calls: Collection[str], active: Iterable[Task] | None) -> None:
        """Forget calls, and remove submissions of which nothing is wanted any more.

        Args:
            calls: to forget.
            active: array tasks that have not ended, whose submissions stay until a later time; None may be any.
        """
        busy = set(self._chunks) if active is None else {name for name, _ in active}
        for name, chunks in list(self._chunks.items()):
            wanted = [[call for call in chunk if call not in calls] for chunk in chunks]
            if any(wanted) or name in busy:
                if wanted != chunks:
                    self._chunks[name] = wanted
                    with suppress(FileNotFoundError):  # another driver has removed it
                        self._write(name)
            else:
                del self._chunks[name]
                shutil.rmtree(self.folder / name, ignore_errors=True)
        for call in calls:
            self._tasks.pop(call, None)

    def _remember(self, name: str, chunks: list[list[str]], parameters: Any) -> None:
        self._chunks[name], self._parameters[name] = chunks, parameters
        for number, chunk in enumerate(chunks):
            for call in chunk:
                self._tasks.setdefault(call, []).append((name, number))

    def _write(self, name: str) -> None:
        path = self.folder / name / _RECORD
        unfinished = path.with_suffix(f".{os.getpid()}")
        record = {"chunks": self._chunks[name], "parameters": self._parameters[name]}
        unfinished.write_text(json.dumps(record))
        os.replace(unfinished, path)
