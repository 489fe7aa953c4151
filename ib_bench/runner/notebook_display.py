"""Progress of jobs in the cell of a notebook: the terminal's bars, in one output that is replaced now and then.

Rich's own display of bars in notebooks needs ipywidgets, and is gone when the notebook is opened again.
"""

from __future__ import annotations

import io
import time
from collections import deque
from typing import Any

from IPython.display import HTML
from IPython.display import display as display_output
from rich.console import Console, Group
from rich.text import Text

from ib_bench.drawing.notebook import tables_html
from ib_bench.quantities.progress import Progress
from ib_bench.runner.display import Display
from ib_bench.runner.watching import Batch

_INTERVAL_S = 0.5
"""Seconds between two pictures; each is a message to the browser."""

_WIDTH = 110
_MAX_LINES = 10
"""Jobs that have ended, of which the last few are shown."""


class NotebookDisplay(Display):
    """Draws the bars of :class:`Display` into the cell that runs.

    Args:
        batch: the jobs.
    """

    def __init__(self, batch: Batch) -> None:
        self._ended: deque[Text] = deque(maxlen=_MAX_LINES)
        self._shown_at_s = time.monotonic()
        super().__init__(batch, Console(file=io.StringIO(), width=_WIDTH, force_jupyter=False, force_terminal=False))
        self._output: Any = display_output(HTML(self._html()), display_id=True)

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        super().show(index, newest)
        if time.monotonic() - self._shown_at_s >= _INTERVAL_S:
            self._redraw()

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""
        super().leave(error)
        self._redraw()

    def say(self, line: Text) -> None:
        """See :class:`Display`."""
        self._ended.append(line)

    def _redraw(self) -> None:
        self._shown_at_s = time.monotonic()
        self._output.update(HTML(self._html()))

    def _html(self) -> str:
        return tables_html([Group(*self._ended, self._bars.get_renderable())])
