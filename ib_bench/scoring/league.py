"""The league: scores of one protocol and budget, ranked by one of their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ib_bench.drawing.figure import Figure
from ib_bench.drawing.labels import model_texts
from ib_bench.drawing.tables import EMPTY, Entry, StudyTable
from ib_bench.errors import InvalidOptionError, StoreError, UnknownNameError
from ib_bench.plain_text import one_line
from ib_bench.results.archive import Records, is_archive, read_archive, stored_records
from ib_bench.results.identity import Json
from ib_bench.scoring.card import interval_spec
from ib_bench.scoring.numbers import Number, numbers_of, overall_numbers, plain
from ib_bench.scoring.protocol import Budget, shipped_budgets
from ib_bench.scoring.ranking import Estimate, Rank, Standing, ranks
from ib_bench.scoring.score import Score, scores_of

SHIPPED = "shipped"
"""Name of the archive that ships with the package, among the sources."""

ARCHIVE = "records.jsonl.gz"
"""Name of the archive in a submission's folder."""

_FOLDER = Path(__file__).parent
_MAX_SAID = 3
"""Models of one's own that a sentence names."""


@dataclass(frozen=True)
class Place:
    """A model in a league.

    Attributes:
        source: name of the store or archive that its records are from.
        score: of the model.
        rank: None for a yardstick, for a score of a model of which another one counts, see :func:`league`, and where
            the number to rank by is not known.
        probability: that it needs less than the next contestant in the table; None where that is not known.
    """

    source: str
    score: Score
    rank: Rank | None
    probability: float | None


@dataclass(frozen=True)
class League:
    """Scores, ranked.

    Attributes:
        budget: of the protocol, the same for all.
        number: that is ranked by.
        places: the best first.
    """

    budget: Budget
    number: Number
    places: Sequence[Place]

    @property
    def name(self) -> str:
        """Of its table and figure, as part of a file's name."""
        return f"league_{self.budget.protocol}_{self.budget.name}".replace(".", "_")

    def standing(self, place: Place, league: str) -> Standing | None:
        """A place as its card shows it; None for a model without a rank.

        Args:
            place: one of its places.
            league: that is meant, as it follows "12 models".
        """
        if place.rank is None:
            return None
        return Standing(place.rank, sum(one.rank is not None for one in self.places), self.number.title, league)


def shipped_archive(protocol: str) -> Path | None:
    """The archive of scores that ships with the package; None where there is none."""
    path = _FOLDER / f"{protocol}.jsonl.gz"
    return path if path.is_file() else None


def league_records(source: Path) -> Records:
    """The records of a store, an archive, or a submission's folder.

    Raises:
        StoreError: it is none of them, or cannot be read.
    """
    path = source / ARCHIVE if source.is_dir() else source
    if not path.exists():
        raise StoreError(f"{str(path)!r} does not exist; name stores, archives, or folders of submissions")
    is_one = is_archive(path) or path.name.endswith(".jsonl.gz")  # which a damaged one is only by name
    return read_archive(path) if is_one else stored_records(path)


def league(sources: Mapping[str, Records], budget: Budget, sort: str = "size") -> League:
    """Rank every score that records hold.

    No model is ranked against itself: of several scores, complete ones count before others, and among these your own
    before the shipped one. The rest have no rank.

    Args:
        sources: records by the name of where they are from.
        budget: of the protocol.
        sort: name of the number that is ranked by, or its heading.

    Raises:
        UnknownNameError: there is no such number.
        InvalidOptionError: it is a time, and the scores were measured on several kinds of device.
    """
    numbers = {number.name: number for number in numbers_of(budget)}
    headings = {number.title: number for number in numbers.values()}
    if sort not in {**headings, **numbers}:
        raise UnknownNameError("number to sort by", sort, numbers)
    number = {**headings, **numbers}[sort]
    found = [(source, score) for source, records in sources.items() for score in scores_of(records, budget)]
    devices = sorted({device for _, score in found for device in score.devices})
    if number.depends_on_device and len(devices) > 1:
        allowed = (
            f"a number that does not depend on the device, as these scores are from several ({', '.join(devices)})"
        )
        raise InvalidOptionError("sort", sort, allowed)
    return _ranked(found, budget, number)


def among_shipped(scores: Sequence[Score], budget: Budget) -> list[Score]:
    """Scores with their places among those that ship with the package; a shipped one of the same model does not count.

    Args:
        scores: of any models, each by itself. One that is incomplete or a yardstick stays as it is, and all do if no
            score of the budget ships.
        budget: that they are of.
    """
    archive = shipped_archive(budget.protocol)
    shipped = [] if archive is None else scores_of(read_archive(archive), budget)
    return [_among(shipped, score) if score.is_complete and not score.kind else score for score in scores]


def _among(shipped: Sequence[Score], score: Score) -> Score:
    if all(one.kind for one in shipped):
        return score
    number = overall_numbers(score.budget)[0]
    own = _ranked([*((SHIPPED, one) for one in shipped), ("", score)], score.budget, number)
    (place,) = (one for one in own.places if one.score is score)
    return replace(score, standing=own.standing(place, ": this one and the shipped league's"))


def _ranked(found: Sequence[tuple[str, Score]], budget: Budget, number: Number) -> League:
    """The league of some scores, each with the name of where it is from, see :func:`league`."""
    chosen = _chosen(found)
    values = {id(score): number.value(score) for _, score in found}
    sign = 1 if number.lower_is_better else -1

    def place(one: tuple[str, Score]) -> tuple[float, float, str]:
        value, name = values[id(one[1])], one[1].name
        if value is None:
            return math.inf, math.inf, name
        better_end = value.low if number.lower_is_better else value.high
        return sign * number.order(value), sign * better_end, name

    found = sorted(found, key=place)
    ranked = [
        (score, value)
        for _, score in found
        if not score.kind and chosen[score.identity] is score and (value := values[id(score)]) is not None
    ]
    given = ranks([value for _, value in ranked], number.lower_is_better)
    rank_of = {id(score): rank for (score, _), rank in zip(ranked, given, strict=True)}
    following = {id(score): other for (score, _), (_, other) in pairwise(ranked)}
    places = []
    for source, score in found:
        value, other = values[id(score)], following.get(id(score))
        probability = None if value is None or other is None else _probability_less(value, other)
        places.append(Place(source, score, rank_of.get(id(score)), probability))
    return League(budget, number, places)


def _chosen(found: Sequence[tuple[str, Score]]) -> dict[str, Score]:
    """The score of each model that counts, see :func:`league`, by the model's identity."""

    def place(one: tuple[str, Score]) -> tuple[bool, bool]:
        source, score = one
        return not score.is_complete, source == SHIPPED

    chosen: dict[str, Score] = {}
    for _, score in sorted(found, key=place):
        chosen.setdefault(score.identity, score)
    return chosen


def shipped_leagues(sources: Mapping[str, Records], with_shipped: bool) -> list[League]:
    """The league of each shipped protocol and budget under which a model was scored with all its cells.

    Args:
        sources: records by the name of where they are from.
        with_shipped: whether the scores that ship with the package take part.
    """
    leagues = []
    for budget in shipped_budgets():
        archive = shipped_archive(budget.protocol) if with_shipped else None
        shipped = {SHIPPED: read_archive(archive)} if archive is not None else {}
        own = league({**shipped, **sources}, budget)
        if any(place.score.is_complete for place in own.places):
            leagues.append(own)
    return leagues


def league_table(own: League) -> StudyTable:
    """A row for each model; the number that is ranked by comes first.

    Args:
        own: the league.
    """
    several = _has_several_sources(own)
    incomplete = any(not place.score.is_complete for place in own.places)
    numbers = [own.number, *(number for number in overall_numbers(own.budget) if number.name != own.number.name)]
    has_chances = any(place.probability is not None for place in own.places)
    columns = ["rank", "model", *(["source"] if several else []), *(["cells"] if incomplete else [])]
    num_labels = len(columns)
    columns += [number.title for number in numbers] + ["device"] + (["P(less than next)"] if has_chances else [])
    body = []
    for index, place in enumerate(own.places):
        score = place.score
        row = [Entry(_rank_text(place), index), Entry(score.name, score.name)]
        row += [Entry(place.source, place.source)] if several else []
        row += [Entry(f"{score.num_cells} of {len(own.budget.cells)}", score.num_cells)] if incomplete else []
        row += [*(_entry(number, score) for number in numbers), Entry(score.device, score.device)]
        if has_chances:
            row.append(EMPTY if place.probability is None else Entry(f"{place.probability:.2f}", place.probability))
        body.append(row)
    direction = "small is good" if own.number.lower_is_better else "large is good"
    note = (
        f"Sorted by {own.number.title} ({direction}): {own.number.meaning}. In brackets 90 % intervals; models whose "
        "intervals overlap are not ranked apart. Floor, chance and ceiling are not ranked. Compare milliseconds on one "
        "device alone."
    )
    if several:
        note += " Of several scores of one model, a complete one is ranked, your own before the shipped one."
    if has_chances:
        note += " P(less than next): probability that the number is smaller than that of the next ranked model."
    return StudyTable(
        own.name, f"League of {own.budget.title}", note, columns, num_labels, body, protocol=own.budget.title
    )


def league_json(own: League) -> Json:
    """The league for programs."""
    rows = []
    for place in own.places:
        score = place.score
        rows.append(
            {
                "rank": None if place.rank is None else [place.rank.best, place.rank.worst],
                "kind": score.kind or "contestant",
                "model": score.name,
                "source": place.source,
                "num_cells": score.num_cells,
                "device": score.device,
                "probability_less_than_next": place.probability,
                "numbers": {number.name: plain(number.value(score)) for number in numbers_of(own.budget)},
            }
        )
    head = {"protocol": own.budget.protocol, "budget": own.budget.name, "sort": own.number.name}
    return {**head, "num_all_cells": len(own.budget.cells), "rows": rows}


def league_figure(own: League) -> Figure:
    """The number that is ranked by, with its interval, a line for each model.

    Models are named by those arguments in which models of one class differ, as in a report: names with all of them are
    longer than a figure has room for.
    """
    is_ratio, several = own.number.is_ratio, _has_several_sources(own)
    values = [(place, value) for place in own.places if (value := own.number.value(place.score)) is not None]
    widest = max((value.high for _, value in values if math.isfinite(value.high)), default=None)
    names = model_texts([next(iter(place.score.records.values())) for place, _ in values])
    rows = []
    for (place, value), model in zip(values, names, strict=True):
        if math.isinf(value.low) or (value.low <= 0 and is_ratio):
            continue
        source = f" ({place.source})" if several else ""
        name = one_line(f"{_rank_text(place)}  {model}{source}")
        text = own.number.text(place.score)
        rows.append({"row": name, **_drawn(value, own.number.largest(place.score), widest), "text": text})
        rows[-1]["is_bound"] |= text.startswith(">")
    above = [f"League of {own.budget.title}", own.number.meaning]
    return Figure(own.name, above[0], interval_spec(rows, own.number.title, above, is_ratio))


def _drawn(value: Estimate, largest: float | None, widest: float | None) -> Json:
    """The ends and the median as the figure shows them.

    Args:
        value: whose lower end is known.
        largest: value that could be measured; None where there is none.
        widest: upper end that is known of the other values; None where there is none.
    """
    is_bound = value.median is None and math.isinf(value.high)
    known = [end for end in (value.low, value.median, widest if largest is None else largest) if end is not None]
    high = value.high if math.isfinite(value.high) else max(known)
    bound = value.low if largest is None else high
    return {"low": value.low, "median": bound if is_bound else value.median, "high": high, "is_bound": is_bound}


def league_sentence(own: League) -> str:
    """Who is first, and where the scores stand that do not ship with the package; empty if no model is ranked."""
    ranked = [place for place in own.places if place.rank is not None]
    if not ranked:
        return ""
    texts = [f"{place.score.name} {own.number.text(place.score)}" for place in ranked]
    said = [f"{texts[0]}, the first of {len(ranked)} models" if len(ranked) > 1 else texts[0]]
    others = [(place, text) for place, text in zip(ranked[1:], texts[1:], strict=True) if place.source != SHIPPED]
    said += [f"{text} has rank {place.rank}" for place, text in others[:_MAX_SAID]]
    return f"{own.budget.title}, {own.number.title}: {'; '.join(said)}."


def _probability_less(value: Estimate, other: Estimate) -> float | None:
    from ib_bench.scoring.composite import probability_less  # noqa: PLC0415 (loads scipy)

    return probability_less(value, other)


def _entry(number: Number, score: Score) -> Entry:
    value = number.value(score)
    return EMPTY if value is None else Entry(number.text(score), number.order(value))


def _has_several_sources(own: League) -> bool:
    return len({place.source for place in own.places}) > 1


def _rank_text(place: Place) -> str:
    return place.score.kind or ("" if place.rank is None else str(place.rank))
