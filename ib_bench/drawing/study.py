"""Everything that a report shows: results side by side from one or several sources, distinguished by labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ib_bench.drawing.labels import AnyResult, Result, Shown, labelled
from ib_bench.drawing.styles import colours
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json


@dataclass(frozen=True)
class Study:
    """Results with their labels.

    Attributes:
        sources: the records, by the name of the store or archive that they are from.
        results: of every kind, in order.
        settings: the setting that each of the short names in groups stands for; empty where there is only one.
        search: key, or its start, of the search whose loss curves are drawn; None takes the one with the most trials.
    """

    sources: Mapping[str, Records]
    results: Sequence[Shown[Any]]
    settings: Mapping[str, str]
    search: str | None = None

    def shown(self, kind: type[AnyResult]) -> list[Shown[AnyResult]]:
        """The results of one kind, in order.

        Args:
            kind: class of the results.
        """
        return [one for one in self.results if isinstance(one.result, kind)]

    @property
    def colours(self) -> dict[str, str]:
        """A colour for each model, the same in all figures."""
        return colours(one.label.model for one in self.results)

    def settings_notes(self, rows: Iterable[Json]) -> list[str]:
        """Explanations of the short names of settings.

        Args:
            rows: of a chart, with their ``group``; settings that none of them has are left out.
        """
        named = {name for group in {row.get("group", "") for row in rows} for name in group.split(", ")}
        return [f"{name}: {text}" for name, text in self.settings.items() if name in named]


def study_of(
    sources: Mapping[str, Records],
    results: Sequence[tuple[str, Result]],
    num_states: Callable[[Result], int | None],
    search: str | None = None,
) -> Study:
    """Label results.

    Args:
        sources: the records, by the name of where they are from.
        results: of every kind, each with the name of its source.
        num_states: returns the number of the task's states.
        search: key, or its start, of the search whose loss curves are drawn.
    """
    return Study(sources, *labelled(results, num_states), search)
