"""One call after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ib_bench.errors import FatalError
from ib_bench.execution.cuda_failure import cuda_failure
from ib_bench.execution.executor import CallResult, Executor, Function, Item, Result, Resume, SharedOptions


class Inline(Executor):
    """Runs calls one by one, in this process."""

    takes_after = True
    in_this_process = True

    @classmethod
    def from_settings(cls, settings: None, shared: SharedOptions) -> Inline:
        """See :meth:`Executor.from_settings`."""
        return cls()

    def run(
        self,
        function: Function[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
        after: Mapping[int, Collection[int]] | None = None,
    ) -> list[CallResult[Result]]:
        """See :meth:`Executor.run`.

        Raises:
            FatalError: also where CUDA does not work in this process any more.
        """
        outcomes: list[CallResult[Result]] = []
        for index, item in enumerate(items):
            try:
                outcomes.append(CallResult(result=function(item, partial(on_event, index))))
            except FatalError:
                raise
            except Exception as error:
                reason = cuda_failure()
                if reason is not None:
                    raise FatalError(
                        f"CUDA has failed, and this process cannot use it any more ({reason}); finished trials are "
                        f"kept, and the same command continues from them"
                    ) from error
                outcomes.append(CallResult(error=error))
        return outcomes
