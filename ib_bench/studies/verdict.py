"""From pairs of results to a verdict on a statement.

Each pair speaks for the statement, against it, or is open. Pairs that rest on some of the same records are no
independent evidence: kappa at L = 5 and at L = 6 share the curves at all shorter lengths. Such pairs form a *group*,
which has one vote, that of the majority of its decided pairs. A pair that shares nothing is a group of its own.

How likely is so lopsided a vote if each group flipped a coin? That is the *chance*: the binomial probability of at
least as many on the side of the majority (a one-sided sign test). A statement is

* *not enough data* if fewer than 5 groups vote: even five alike have a chance of 3 %, four of 6 %,
* *supported* if at least 80 % of the votes are for it and the chance is at most 5 %,
* *contradicted* if at most 20 % are and the chance is at most 5 %,
* *not enough data* if only the chance is in the way, *mixed* in all other cases.

Pairs of one statement fall into strata: the architecture, and whether all sequences have one length or several. Each
stratum is counted apart. If at least 5 groups vote in each of two strata, and one leans for the statement (80 %) and
the other against it (20 %), the statement is mixed, even if the sum is decided.

Where the truth is near the bound, each pair by itself stays open, however many there are. So where counting gives *not
enough data*, the *pooled* ratio may decide: the geometric mean of the ratios of all pairs that are known from both
sides, decided or not, with the 90 % interval of Student's t on the logarithms of the groups' means. The scatter between
groups has both the error of measurement and the differences between tasks and lengths in it; where it is smaller than
the pairs' own intervals suggest (cells share seeds), these count. It takes 5 groups. If more than a fifth of the known
ratios have no end on one side, as with sizes above the largest, there is none: leaving them out would bend it. It
counts for strata likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb, isinf, log2, sqrt
from statistics import fmean, stdev
from typing import Literal

from scipy.stats import norm, t

from ib_bench.results.identity import Json
from ib_bench.studies.comparison import UNDECIDED, Interval, Threshold, all_hold

Verdict = Literal["supported", "contradicted", "mixed", "not enough data"]

MIN_VOTES = 5
MAX_CHANCE = 0.05
SUPPORTED_SHARE, CONTRADICTED_SHARE = 0.8, 0.2
MAX_ONE_SIDED_SHARE = 0.2
"""Of known ratios that have no end on one side: with more of them there is no pooled ratio."""

_TAIL = 0.05  # probability on each side of a 90 % interval


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


def groups(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs that share records with each other, directly or through others, in one list each.

    Args:
        pairs: of one statement.
    """
    found: list[tuple[set[str], list[Pair]]] = []
    for pair in pairs:
        keys, own = set(pair.records), [pair]
        linked = [one for one in found if one[0] & keys]
        for one in linked:
            found.remove(one)
            keys |= one[0]
            own = [*one[1], *own]
        found.append((keys, own))
    return [own for _, own in found]


@dataclass(frozen=True)
class Count:
    """The number of pairs for a statement, against it, and open; and the votes of their groups.

    Attributes:
        true: pairs for which it holds.
        false: pairs for which it does not.
        open: pairs that what is known cannot decide.
        votes_true: groups of which more decided pairs speak for it than against it.
        votes_false: groups of which more speak against it.
    """

    true: int
    false: int
    open: int
    votes_true: int
    votes_false: int

    @property
    def decided(self) -> int:
        """Number of pairs that say something."""
        return self.true + self.false

    @property
    def votes(self) -> int:
        """Number of groups that say something."""
        return self.votes_true + self.votes_false

    @property
    def chance(self) -> float:
        """Probability that at least so many coin flips, one for each vote, agree with the majority."""
        return chance_of(self.votes_true, self.votes_false)

    @property
    def lean(self) -> Verdict:
        """The direction of the vote, ignoring its chance: not enough data, supported, contradicted or mixed."""
        if self.votes < MIN_VOTES:
            return "not enough data"
        share = self.votes_true / self.votes
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


def chance_of(one: int, other: int) -> float:
    """Probability that of as many coin flips as both together at least the larger number agree.

    Example:
        >>> chance_of(5, 0)
        0.03125
    """
    flips = one + other
    return sum(comb(flips, number) for number in range(max(one, other), flips + 1)) / 2**flips


def count(pairs: Sequence[Pair]) -> Count:
    """Count pairs, and the votes of their groups."""
    answers = [pair.holds for pair in pairs]
    found = [[pair.holds for pair in own] for own in groups(pairs)]
    leads = [own.count(True) - own.count(False) for own in found]
    votes = sum(lead > 0 for lead in leads), sum(lead < 0 for lead in leads)
    return Count(answers.count(True), answers.count(False), answers.count(None), *votes)


@dataclass(frozen=True)
class Pooled:
    """The geometric mean of the ratios of several pairs.

    Attributes:
        mean: the estimate.
        interval: that it lies in with 90 %.
        num_pairs: that it is made of.
        num_groups: that these pairs form.
    """

    mean: float
    interval: Interval
    num_pairs: int
    num_groups: int

    def to_json(self) -> Json:
        """The mean as plain data."""
        ends = {"low": self.interval.low, "high": self.interval.high}
        return {"mean": self.mean, **ends, "num_pairs": self.num_pairs, "num_groups": self.num_groups}


def pooled(pairs: Sequence[Pair]) -> Pooled | None:
    """The pooled ratio of pairs, by the rule above; None if there is none.

    Args:
        pairs: of one statement.
    """
    num_known = sum(_is_known(pair) for pair in pairs)
    usable = [[_middle_and_error(pair) for pair in group if _is_whole(pair)] for group in groups(pairs)]
    own = [group for group in usable if group]
    num_whole = sum(map(len, own))
    if len(own) < MIN_VOTES or num_whole < (1 - MAX_ONE_SIDED_SHARE) * num_known:
        return None
    middles = [fmean(middle for middle, _ in group) for group in own]
    variance = max(stdev(middles) ** 2, fmean(fmean(error**2 for _, error in group) for group in own))
    mean = fmean(middles)
    reach = float(t.ppf(1 - _TAIL, len(own) - 1)) * sqrt(variance / len(own))
    return Pooled(2**mean, Interval(2 ** (mean - reach), 2 ** (mean + reach)), num_whole, len(own))


def _is_known(pair: Pair) -> bool:
    """Whether a pair has a ratio that nothing speaks against."""
    return pair.interval is not None and (pair.holds is not None or pair.why_open == UNDECIDED)


def _is_whole(pair: Pair) -> bool:
    """Whether such a ratio has both ends."""
    return _is_known(pair) and pair.interval is not None and pair.interval.low > 0 and not isinf(pair.interval.high)


def _middle_and_error(pair: Pair) -> tuple[float, float]:
    """The middle of a pair's interval in octaves, and the standard error that the interval suggests."""
    assert pair.interval is not None
    low, high = log2(pair.interval.low), log2(pair.interval.high)
    return (low + high) / 2, (high - low) / 2 / float(norm.ppf(1 - _TAIL))


@dataclass(frozen=True)
class Statement:
    """One comparison that a claim makes.

    Attributes:
        text: what is compared, and what should come out.
        pairs: of results that were compared.
        thresholds: that a ratio is held against; without any, nothing is pooled.
    """

    text: str
    pairs: Sequence[Pair]
    thresholds: Sequence[Threshold] = ()

    @property
    def count(self) -> Count:
        """The count of all pairs."""
        return count(self.pairs)

    @property
    def pooled(self) -> Pooled | None:
        """The pooled ratio of all pairs."""
        return pooled(self.pairs) if self.thresholds else None

    @property
    def strata(self) -> dict[str, Statement]:
        """The same statement about the pairs of each stratum, by its name."""
        names = sorted({pair.stratum for pair in self.pairs})
        return {name: replace(self, pairs=[pair for pair in self.pairs if pair.stratum == name]) for name in names}

    @property
    def verdict(self) -> Verdict:
        """By the rule above."""
        leans = {stratum._decided(stratum.count.lean) for stratum in self.strata.values()}
        return "mixed" if {"supported", "contradicted"} <= leans else self._decided(self.count.verdict)

    def _decided(self, verdict: Verdict) -> Verdict:
        """The verdict of a count; where that has too few pairs, the one of the pooled ratio."""
        own = self.pooled
        holds = None if own is None else all_hold(own.interval, self.thresholds)
        if verdict != "not enough data" or holds is None:
            return verdict
        return "supported" if holds else "contradicted"

    def to_json(self) -> Json:
        """The statement as plain data."""
        strata = {name: stratum._numbers() for name, stratum in self.strata.items()}
        pairs = [pair.to_json() for pair in self.pairs]
        return {"text": self.text, "verdict": self.verdict, **self._numbers(), "strata": strata, "pairs": pairs}

    def _numbers(self) -> Json:
        own = self.pooled
        return {"count": self.count.to_json(), "pooled": None if own is None else own.to_json()}
