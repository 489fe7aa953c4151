"""The paper's claims and their verdicts, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isinf

from ib_bench.drawing.tables import EMPTY, Entry, StudyTable, by_source
from ib_bench.results.records import PAPER_PROTOCOL
from ib_bench.studies.claims import WHY_OPEN, Claim
from ib_bench.studies.comparison import Interval
from ib_bench.studies.verdict import Count, Pair, Statement

COUNT_NOTE = (
    "true, false, open: pairs of results for which the comparison holds, does not, or cannot be decided; below: the "
    "same by architecture and lengths. votes: for and against; pairs that share records have one vote together. "
    "chance: probability that as many coin flips agree as votes do; at most 0.05 to be supported or contradicted. "
    "pooled: geometric mean of the ratios (or kappas) of at least 5 such groups, also open pairs, and its 90 % "
    "interval; it decides where too few votes do. "
)


def claims_table(claims: Mapping[str, Sequence[Claim]]) -> StudyTable:
    """A row for each statement of a claim, followed by a row for each of its strata.

    Args:
        claims: for each source.
    """
    columns, body = by_source(
        ["claim", "verdict", "comparison", "outcome", "true", "false", "open", "votes", "chance", "pooled"],
        {source: [row for claim in checked for row in _rows(claim)] for source, checked in claims.items()},
    )
    table = StudyTable("claims", "Claims of the paper", COUNT_NOTE + WHY_OPEN, columns, len(columns) - 6, body)
    return replace(table, protocol=PAPER_PROTOCOL)


def pairs_table(claims: Mapping[str, Sequence[Claim]]) -> StudyTable:
    """A row for each pair of results that a statement compares.

    Args:
        claims: for each source.
    """
    columns, body = by_source(
        ["claim", "comparison", "pair", "of", "interval", "holds", "why open"],
        {source: [_pair_row(*found) for found in _pairs(checked)] for source, checked in claims.items()},
    )
    note = "interval: of the ratio, or of kappa; with 90 % intervals of N50, or the spread between seeds of N*, in it"
    table = StudyTable("pairs", "Pairs that the claims rest on", note, columns, len(columns), body)
    return replace(table, protocol=PAPER_PROTOCOL)


def interval_text(interval: Interval | None) -> str:
    """An interval with three digits, such as ``[0.84, 3.1]``; nothing for None."""
    if interval is None:
        return ""
    high = "\N{INFINITY}" if isinf(interval.high) else f"{interval.high:.3g}"
    return f"[{interval.low:.3g}, {high}]"


def votes_text(count: Count) -> str:
    """The votes for and against, such as ``6:1``; nothing without votes."""
    return f"{count.votes_true}:{count.votes_false}" if count.votes else ""


def chance_text(count: Count) -> str:
    """The chance of a count; nothing without votes."""
    return f"{count.chance:.3f}" if count.votes else ""


def pooled_text(statement: Statement) -> str:
    """The pooled ratio with its interval; nothing where there is none."""
    own = statement.pooled
    return "" if own is None else f"{own.mean:.3g} {interval_text(own.interval)}"


def shown_strata(statement: Statement) -> dict[str, Statement]:
    """The strata that say more than their sum: those with decided pairs or a pooled ratio, if there are several."""
    strata = statement.strata
    shown = {name: own for name, own in strata.items() if own.count.decided or own.pooled is not None}
    return shown if len(strata) > 1 else {}


def _rows(claim: Claim) -> Iterator[list[Entry]]:
    """The first row has the claim's name and verdict."""
    for index, statement in enumerate(claim.statements):
        head = (claim.name, claim.verdict) if index == 0 else ("", "")
        order = f"{claim.name} {index}"
        texts = [Entry(text, order) for text in (*head, statement.text, statement.verdict)]
        yield [*texts, *_numbers(statement)]
        for name, stratum in shown_strata(statement).items():
            yield [EMPTY, EMPTY, Entry(f"\N{MIDDLE DOT} {name}", order), EMPTY, *_numbers(stratum)]


def _pair_row(claim: Claim, statement: Statement, pair: Pair) -> list[Entry]:
    """The pair leads to its first record, what it is of to its second."""
    keys = [*pair.records, None, None]
    low = "" if pair.interval is None else pair.interval.low
    holds = {True: "yes", False: "no", None: "open"}[pair.holds]
    return [
        *(Entry(text, text) for text in (claim.name, statement.text)),
        *(Entry(text, text, key) for text, key in zip((pair.title, pair.measure), keys, strict=False)),
        Entry(interval_text(pair.interval), low),
        *(Entry(text, text) for text in (holds, pair.why_open)),
    ]


def _numbers(statement: Statement) -> list[Entry]:
    count, own = statement.count, statement.pooled
    numbers = [Entry(str(number), number) for number in (count.true, count.false, count.open)]
    pooled = EMPTY if own is None else Entry(pooled_text(statement), own.mean)
    votes = Entry(votes_text(count), count.votes)
    return [*numbers, votes, Entry(chance_text(count), count.chance), pooled]


def _pairs(claims: Sequence[Claim]) -> Iterator[tuple[Claim, Statement, Pair]]:
    for claim in claims:
        for statement in claim.statements:
            for pair in statement.pairs:
                yield claim, statement, pair
