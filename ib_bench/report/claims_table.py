"""The paper's claims, and what the records say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ib_bench.drawing.tables import Entry, StudyTable
from ib_bench.studies.claims import WHY_OPEN, Claim


def claims_table(claims: Mapping[str, Sequence[Claim]]) -> StudyTable:
    """A row for each statement of a claim.

    Args:
        claims: for each source.
    """
    columns = ["claim", "verdict", "comparison", "outcome", "true", "false", "open"]
    several = len(claims) > 1
    body = []
    for source, checked in claims.items():
        for claim in checked:
            for row in _rows(claim):
                body.append([Entry(source, source), *row] if several else row)
    if several:
        columns.insert(0, "source")
    note = "true, false, open: pairs of results for which the comparison holds, does not, or cannot be decided. "
    return StudyTable("claims", "Claims of the paper", note + WHY_OPEN, columns, len(columns) - 3, body)


def _rows(claim: Claim) -> list[list[Entry]]:
    """The first row has the claim's name and verdict."""
    rows = []
    for index, statement in enumerate(claim.statements):
        name, verdict = (claim.name, claim.verdict) if index == 0 else ("", "")
        order = f"{claim.name} {index}"
        count = statement.count
        texts = [Entry(text, order) for text in (name, verdict, statement.text, statement.verdict)]
        rows.append([*texts, *(Entry(str(number), number) for number in (count.true, count.false, count.open))])
    return rows
