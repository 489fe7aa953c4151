"""One call after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ib_bench.errors import FatalError
from ib_bench.execution.executor import Executor, Item, Outcome, Result, Resume, SharedOptions, Work


class Inline(Executor):
    """Runs calls one by one, in this process."""

    @classmethod
    def from_settings(cls, settings: None, shared: SharedOptions) -> Inline:
        """See :meth:`Executor.from_settings`."""
        return cls()

    def run(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[Outcome[Result]]:
        """See :meth:`Executor.run`."""
        outcomes: list[Outcome[Result]] = []
        for index, item in enumerate(items):
            try:
                outcomes.append(Outcome(result=work(item, partial(on_event, index))))
            except FatalError:
                raise
            except Exception as error:
                outcomes.append(Outcome(error=error))
        return outcomes
