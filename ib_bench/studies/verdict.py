"""From pairs of results to a verdict on a statement.

Each pair speaks for the statement, against it, or is open. How likely is so lopsided a count if each decided pair were
a coin flip? That is the *chance*: the binomial probability of at least as many on the side of the majority (a one-sided
sign test). A statement is

* *not enough data* if fewer than 5 pairs are decided: even five alike have a chance of 3 %, four of 6 %,
* *supported* if at least 80 % of the decided pairs speak for it and the chance is at most 5 %,
* *contradicted* if at most 20 % do and the chance is at most 5 %,
* *not enough data* if only the chance is in the way, *mixed* in all other cases.

Pairs of one statement fall into strata: the architecture, and whether all sequences have one length or several. Each
stratum is counted apart. If at least 5 pairs are decided in each of two strata, and one leans for the statement (80 %)
and the other against it (20 %), the statement is mixed, even if the sum is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, isinf
from typing import Literal

from ib_bench.results.identity import Json
from ib_bench.studies.comparison import Interval

Verdict = Literal["supported", "contradicted", "mixed", "not enough data"]

MIN_DECIDED = 5
MAX_CHANCE = 0.05
SUPPORTED_SHARE, CONTRADICTED_SHARE = 0.8, 0.2


@dataclass(frozen=True)
class Pair:
    """Two results that are compared, or one that a statement is about.

    Attributes:
        title: what is compared.
        stratum: that it is counted in.
        measure: what the number is made of, such as ``N50``.
        interval: of the ratio, or of the number that the statement is about; None where there is none.
        holds: whether the statement holds for it; None is open.
        why_open: why it is; empty where it is decided.
        records: keys of the records that it rests on.
    """

    title: str
    stratum: str
    measure: str
    interval: Interval | None
    holds: bool | None
    why_open: str
    records: tuple[str, ...]

    def __post_init__(self) -> None:
        if (self.holds is None) != bool(self.why_open):
            raise ValueError("a pair is open for a reason, and for none if it is decided")

    def to_json(self) -> Json:
        """The pair as plain data; an infinite end is None."""
        ends = (self.interval.low, self.interval.high) if self.interval else (None, None)
        low, high = (None if end is None or isinf(end) else end for end in ends)
        plain = {"title": self.title, "stratum": self.stratum, "measure": self.measure, "low": low, "high": high}
        return {**plain, "holds": self.holds, "why_open": self.why_open, "records": list(self.records)}


@dataclass(frozen=True)
class Count:
    """The number of pairs for a statement, against it, and open.

    Attributes:
        true: pairs for which it holds.
        false: pairs for which it does not.
        open: pairs that what is known cannot decide.
    """

    true: int
    false: int
    open: int

    @property
    def decided(self) -> int:
        """Number of pairs that say something."""
        return self.true + self.false

    @property
    def chance(self) -> float:
        """Probability that at least so many coin flips of the decided ones agree with the majority."""
        majority = max(self.true, self.false)
        return sum(comb(self.decided, number) for number in range(majority, self.decided + 1)) / 2**self.decided

    @property
    def lean(self) -> Verdict:
        """The direction of the count, ignoring its chance: not enough data, supported, contradicted or mixed."""
        if self.decided < MIN_DECIDED:
            return "not enough data"
        share = self.true / self.decided
        if share >= SUPPORTED_SHARE:
            return "supported"
        return "contradicted" if share <= CONTRADICTED_SHARE else "mixed"

    @property
    def verdict(self) -> Verdict:
        """By the rule above, for these pairs alone."""
        is_one_sided = self.lean in ("supported", "contradicted")
        return "not enough data" if is_one_sided and self.chance > MAX_CHANCE else self.lean

    def to_json(self) -> Json:
        """The count as plain data, with its verdict and chance."""
        return {**vars(self), "chance": self.chance, "verdict": self.verdict}


def count(pairs: Iterable[Pair]) -> Count:
    """Count pairs."""
    answers = [pair.holds for pair in pairs]
    return Count(answers.count(True), answers.count(False), answers.count(None))


@dataclass(frozen=True)
class Statement:
    """One comparison that a claim makes.

    Attributes:
        text: what is compared, and what should come out.
        pairs: of results that were compared.
    """

    text: str
    pairs: Sequence[Pair]

    @property
    def count(self) -> Count:
        """The count of all pairs."""
        return count(self.pairs)

    @property
    def strata(self) -> dict[str, Count]:
        """The count of each stratum, by its name."""
        names = sorted({pair.stratum for pair in self.pairs})
        return {name: count(pair for pair in self.pairs if pair.stratum == name) for name in names}

    @property
    def verdict(self) -> Verdict:
        """By the rule above."""
        leans = {stratum.lean for stratum in self.strata.values()}
        return "mixed" if {"supported", "contradicted"} <= leans else self.count.verdict

    def to_json(self) -> Json:
        """The statement as plain data."""
        strata = {name: stratum.to_json() for name, stratum in self.strata.items()}
        plain = {"text": self.text, "verdict": self.verdict, "count": self.count.to_json(), "strata": strata}
        return {**plain, "pairs": [pair.to_json() for pair in self.pairs]}
