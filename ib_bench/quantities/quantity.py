"""The interface of a quantity: other code iterates over quantities and knows none of them.

A quantity is a folder of this package, or a module or package elsewhere that an entry point of the group
``ib_bench.quantities`` names. Its ``__init__`` assigns an instance of a :class:`Quantity` to ``QUANTITY``. Commands
that only list import it too, so it imports neither torch nor Altair at its top: jobs, tables and figures are imported
in the methods that return them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from ib_bench.drawing.columns import Column, Table, flat_table, json_row, listing
from ib_bench.drawing.labels import Result, setting_texts
from ib_bench.results.identity import Json
from ib_bench.results.records import Experiment, Record

if TYPE_CHECKING:
    from rich.console import Group

    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.notebook import Drawing
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job
    from ib_bench.quantities.logged_run import LoggedRun
    from ib_bench.results.archive import Records


R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Request:
    """A measurement that a command, or a cell of a suite, asks for.

    Attributes:
        experiment: what is trained on what.
        settings: for each section of the config that a quantity has, an instance of its settings.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by.
        num_states: number of the task's states, or of classes for data of one's own; None if none can be held out.
        placement: arguments of the Trainer that say where trials run.
        weights: folder for the best weights at the largest size, or None to keep none.
        train: trains a trial, as :func:`~ib_bench.training.trial.train_trial` does; None is that function.
    """

    experiment: Experiment
    settings: Mapping[str, Any]
    pool_size: int
    num_states: int | None
    placement: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    train: Callable[..., Any] | None = None


class Quantity(ABC, Generic[R]):
    """One thing that is measured.

    Attributes:
        name: of the command, and of the value on a suite's axis ``quantity``.
        job_type: of its runs in W&B, a noun.
        title: what tables call it, such as ``N*``.
        caption: the same in words, above a suite's results.
        summary: what its command does, in one line that begins with a verb.
        note: what stands below a list of its results on a terminal.
        columns: everything about a result, in order: for terminals, CSV, JSON, exports and W&B summaries.
        record: what it stores; None if it is derived from the records of other quantities.
        other_records: what its jobs store besides, of which there are no results of their own.
        sections: the settings that it adds to a config, by the name of their section.
        unused: options of these that change nothing in what it measures; its help says so.
        stage: jobs of a lower stage run first, as those of a higher one use what they leave.
        has_many_jobs: whether one request leads to several jobs, which its command runs side by side.
        keeps_weights: whether its jobs keep the best weights in :attr:`Request.weights`; its command then takes
            ``--keep_weights``.
    """

    name: ClassVar[str]
    job_type: ClassVar[str]
    title: ClassVar[str]
    caption: ClassVar[str]
    summary: ClassVar[str]
    note: ClassVar[str] = ""
    columns: ClassVar[Sequence[Column[Any]]]
    record: ClassVar[type[Record] | None] = None
    other_records: ClassVar[Sequence[type[Record]]] = ()
    sections: ClassVar[Mapping[str, type]] = {}
    unused: ClassVar[Sequence[str]] = ()
    stage: ClassVar[int] = 0
    has_many_jobs: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    def accepts(self, data_arguments: Json) -> bool:
        """Whether a cell of a suite makes sense for it.

        Args:
            data_arguments: those init arguments of the data that are axes of the suite.
        """
        return True

    @abstractmethod
    def jobs(self, request: Request) -> list[Job[Any]]:
        """The jobs to run, the main one first.

        Raises:
            BenchError: the quantity cannot be measured for this experiment.
        """

    def result(self, records: Sequence[Record]) -> R:
        """The result of one request: the record of its only job, unless a quantity says otherwise.

        Args:
            records: that the jobs of the request returned, in the order of the jobs.
        """
        (record,) = records
        return cast(R, record)

    def results(self, records: Records) -> list[R]:
        """Every finished result that records hold: what the quantity stores, unless it says otherwise.

        Args:
            records: of all kinds.
        """
        return [] if self.record is None else cast(list[R], records.finished(self.record))

    def run_id(self, result: R) -> str:
        """The id of the result's W&B run: the same each time and on each machine."""
        return result.key

    @abstractmethod
    def logged(self, result: R, records: Records) -> LoggedRun:
        """The result as a W&B run.

        Args:
            result: finished or, if it is a stored record, still growing.
            records: that hold its trials.
        """

    def options(self, result: R) -> list[str] | None:
        """What its command needs to measure a result again, besides the result's config.

        Args:
            result: finished.

        Returns:
            Arguments of the command, such as the values of a series; None if no command measures it again.
        """
        return []

    def listing(self, results: Sequence[R], title: str, notes: Iterable[str] = ()) -> Group:
        """Results on a terminal, a row each.

        Args:
            results: in the order of the rows.
            title: of the table.
            notes: what stands below it, besides the quantity's own note.
        """
        below = "\n".join(filter(None, [self.note, *notes]))
        return listing(results, self.columns, title, below, setting_texts)

    def detail(self, result: R, notes: Iterable[str] = ()) -> Group:
        """One result on a terminal, as its command prints it.

        Args:
            result: finished.
            notes: what stands below it.
        """
        return self.listing([result], self.title, notes)

    def detail_json(self, result: R) -> Json:
        """One result as its command prints it with ``--format json``: all columns, and the config."""
        return {**json_row(result, self.columns), "config": result.config.to_json()}

    def exported(self, results: Iterable[R]) -> Table:
        """Results as flat columns, for spreadsheets and data frames."""
        return flat_table(results, self.columns)

    def tables(self, study: Study) -> list[StudyTable]:
        """The tables of a report; those without rows are not shown."""
        return []

    def figures(self, study: Study) -> list[Figure]:
        """The figures of a report for which there are results."""
        return []

    def sentence(self, study: Study) -> str:
        """What the results say, in one sentence with intervals, for the top of a report; empty without results."""
        return ""

    def band(self, result: R) -> list[tuple[int, float, float, float]]:
        """The success curve that was fitted: size, lower end, median and upper end of the chance of success.

        Args:
            result: finished.
        """
        return []

    def shares(self, result: R) -> list[tuple[int, int, int]]:
        """How often training runs succeed that the band rests on: size, successes and number of runs.

        Args:
            result: finished.

        Returns:
            Nothing where all trials of the result count.
        """
        return []

    def overview(self, study: Study, name: str) -> Figure | None:
        """The figure that a suite ends with; None where a suite's own results give none.

        Args:
            study: the results of the suite.
            name: of the suite; the figure's name begins with it, and figures of two quantities have two names.
        """
        return None

    def figure(self, study: Study, name: str) -> Figure | None:
        """The one figure that a notebook shows: the overview, or else the first of the report.

        Args:
            study: the results.
            name: of what they are from.
        """
        return self.overview(study, name) or next(iter(self.figures(study)), None)

    def drawing(self, result: R) -> Drawing:
        """One result in a notebook: what the command prints, and a figure.

        Args:
            result: finished or, if it is a stored record, still growing.
        """
        from ib_bench.drawing.notebook import Drawing  # noqa: PLC0415 (as the methods of the quantities)
        from ib_bench.drawing.study import study_of  # noqa: PLC0415
        from ib_bench.quantities.num_states import num_states  # noqa: PLC0415
        from ib_bench.quantities.search.futility import futility_notes  # noqa: PLC0415
        from ib_bench.results.archive import Records  # noqa: PLC0415

        notes = futility_notes([result])
        if not getattr(result, "finished", True):
            return Drawing([self.listing([result], self.title, notes)])
        source = Records() if self.record is None else Records.of_all([cast(Record, result)])
        figure = self.figure(study_of({"": source}, [("", result)], num_states), self.name)
        return Drawing([self.detail(result, notes)], [figure] if figure is not None else [])
