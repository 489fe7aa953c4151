"""The claims of the paper, and whether records support them.

A claim is made of statements about pairs of results that differ in one respect, such as the supervision, and in nothing
else. :mod:`ib_bench.studies.evidence` says when a pair is decided, :mod:`ib_bench.studies.verdict` when a statement is.
A claim has the verdict of its statements if they agree. It has *not enough data* as long as one of them has, and is
*mixed* if they differ.

Words are read as numbers: *far less* is a factor of 4, *orders of magnitude* a factor of 10, *kappa near 1* is within a
factor of 2, *much above* or *below 1* beyond it. N is N50 where both cells have a success curve, and N* otherwise.
``Transformer`` is the transformer, ``LSTM`` and ``DenseSSM`` are the recurrent models; models from elsewhere are no
part of the claims.

Reference: arXiv 2602.18333, sections 4 and 5; the numbers 3.1 to 3.5 (N*) and 4.1 to 4.5 (kappa) are ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ib_bench.quantities.growth.cell import Cell
from ib_bench.quantities.growth.record import LENGTH
from ib_bench.quantities.sharing.record import ALONE, JOINT
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import experiment_text
from ib_bench.studies.comparison import Interval, Threshold
from ib_bench.studies.evidence import NEVER_SUCCEEDS, Evidence, Known, Sides
from ib_bench.studies.verdict import Pair, Statement, Verdict

WHY_OPEN = (
    "A pair is open where its interval holds the bound, where it rests on single searches whose spread between seeds "
    "is unknown, or where all sequences that exist are not enough; ib-bench claims --pairs lists the reasons. Success "
    "curves (the quantity curve) narrow intervals and need no repeats."
)

TRANSFORMERS = ("Transformer",)
RECURRENT = ("LSTM", "DenseSSM")

FAR = Threshold(4.0)
ORDERS_OF_MAGNITUDE = Threshold(10.0)
MORE = Threshold(1.0, strict=True)
NOT_MORE = Threshold(1.0, strict=True, negated=True)
AT_LEAST_HALF = Threshold(0.5)
BELOW_HALF = Threshold(0.5, negated=True)
ABOVE_2 = Threshold(2.0, strict=True)
AT_MOST_2 = Threshold(2.0, strict=True, negated=True)

MIN_ACCURACY_DIFFERENCE = 0.05
SMALL_NUM_STATES, SMALL_LENGTH = 5, 5

OUTCOME, COT, ACOT = "outcome", "chain_of_thought", "aligned_chain_of_thought"
CURRICULUM = "short_to_long"


@dataclass(frozen=True)
class Claim:
    """A claim, compared with records.

    Attributes:
        name: its number, such as ``3.1``.
        text: what the paper says.
        rule: how that is decided.
        statements: the comparisons that were made.
        to_measure: the command that measures what it rests on.
    """

    name: str
    text: str
    rule: str
    statements: list[Statement]
    to_measure: str

    @property
    def verdict(self) -> Verdict:
        """By the rule above."""
        verdicts = {statement.verdict for statement in self.statements}
        if "not enough data" in verdicts:
            return "not enough data"
        return verdicts.pop() if len(verdicts) == 1 else "mixed"

    @property
    def to_decide(self) -> str:
        """Advice for statements that lack data; empty if there are none."""
        return self.advice()

    def advice(self, options: str = "") -> str:
        """The same, with more options of each command.

        Args:
            options: beginning with a space, such as ``" --store my.sqlite"``.
        """
        undecided = [one for one in self.statements if one.verdict == "not enough data"]
        if not undecided:
            return ""
        num_open = sum(one.count.open for one in undecided)
        there = f"; open among the existing pairs: {num_open}" if num_open else ""
        if any(pair.why_open == NEVER_SUCCEEDS for one in undecided for pair in one.pairs):
            there += (
                ", some as a model never succeeds: a copy of the suite with a larger search.max_steps may decide them"
            )
        commands = " && ".join(f"{command}{options}" for command in self.to_measure.split(" && "))
        return f"measure more, for example with `{commands}`{there}"

    def to_json(self) -> Json:
        """The claim as plain data, with every pair."""
        plain = {"name": self.name, "text": self.text, "rule": self.rule, "verdict": self.verdict}
        statements = [statement.to_json() for statement in self.statements]
        return {**plain, "to_measure": self.to_measure, "to_decide": self.to_decide, "statements": statements}


Rule = Callable[[Evidence], list[Statement]]
_RULES: list[tuple[str, str, str, Rule]] = []


def check_claims(records: Records) -> list[Claim]:
    """Every claim, compared with records.

    Args:
        records: of one store; cells are compared only where budget, threshold and largest size are the same, and the
            learning rates unless the architectures differ.
    """
    evidence = Evidence(records)
    return [
        Claim(name, text, inspect.getdoc(rule) or "", rule(evidence), command) for name, text, command, rule in _RULES
    ]


def _claim(name: str, text: str, command: str) -> Callable[[Rule], Rule]:
    """Register the rule of a claim.

    Args:
        name: its number.
        text: what the paper says.
        command: what measures the cells that the rule needs.
    """

    def register(rule: Rule) -> Rule:
        _RULES.append((name, text, command, rule))
        return rule

    return register


@_claim(
    "3.1",
    "transformers need far less data with chain of thought than with aligned chain of thought",
    "ib-bench run study --axes.model Transformer --axes.supervision '[chain_of_thought,aligned_chain_of_thought]' "
    "--axes.quantity curve",
)
def _transformers_want_chain_of_thought(evidence: Evidence) -> list[Statement]:
    """For each transformer, task, length and distribution: N(aligned) is at least 4 times N(chain of thought)."""
    sides = evidence.counterparts(evidence.of(TRANSFORMERS, COT), supervision=ACOT)
    return [_ratios("N(aligned) >= 4 N(chain of thought)", evidence, sides, FAR)]


@_claim(
    "3.2",
    "recurrent models need least data with aligned chain of thought, and struggle with chain of thought",
    "ib-bench run study --axes.model '[LSTM,DenseSSM]' --axes.quantity curve",
)
def _recurrent_models_want_alignment(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task, length and distribution.

    Least: N(outcome) is larger than N(aligned). Struggle: N(chain of thought) is at least 4 times N(aligned). A size
    above the largest counts on either side of these ratios, and only if that model and supervision succeed elsewhere
    with the same budget: otherwise too small a budget would support the claim.
    """
    aligned = evidence.of(RECURRENT, ACOT)
    least = evidence.counterparts(aligned, supervision=OUTCOME)
    struggle = evidence.counterparts(aligned, supervision=COT)
    return [
        _ratios("N(outcome) > N(aligned)", evidence, least, MORE),
        _ratios("N(chain of thought) >= 4 N(aligned)", evidence, struggle, FAR),
    ]


@_claim(
    "3.3",
    "with outcome supervision recurrent models need orders of magnitude less data than transformers, which fail beyond "
    "small tasks and lengths",
    "ib-bench run study --axes.supervision outcome --axes.quantity curve",
)
def _outcome_favours_recurrence(evidence: Evidence) -> list[Statement]:
    """For each recurrent model a statement of its own, so that every transformer is counted once in each.

    At the same task, length and distribution N(transformer) is at least 10 times N(recurrent). Sizes above the largest
    count as in 3.2. Fail: for each task of more than 5 states and L > 5, the transformer succeeds at no size, although
    it does elsewhere with the same budget.
    """
    transformers = evidence.of(TRANSFORMERS, OUTCOME)
    statements = []
    for model in RECURRENT:
        sides = evidence.opposed(transformers, evidence.of([model], OUTCOME))
        statements.append(_ratios(f"N(transformer) >= 10 N({model})", evidence, sides, ORDERS_OF_MAGNITUDE))
    beyond = [cell for cell in transformers if _is_beyond_small(cell)]
    fail = [evidence.no_size_suffices(cell, _stratum(cell)) for cell in beyond]
    return [*statements, Statement("transformer, more than 5 states, L > 5: no size suffices", fail)]


@_claim(
    "3.4",
    "with aligned chain of thought longer sequences make recurrent models more data-efficient: fixed lengths are best, "
    "then uniform, then short-to-long, and N* falls as L grows; transformers with chain of thought gain nothing",
    "ib-bench run lengths && "
    "ib-bench run study --axes.model Transformer --axes.supervision chain_of_thought --axes.quantity curve",
)
def _longer_sequences_help_recurrence(evidence: Evidence) -> list[Statement]:
    """Recurrent models, aligned, at the same length: N(uniform) > N(fixed), N(short-to-long) > N(uniform).

    For each series that differs in L alone: N(shortest) > N(longest), by the slope of log N over all L that are not
    exhausted. Transformers, chain of thought, likewise: N(shortest) is not larger than N(longest).
    """
    fixed, uniform = evidence.of(RECURRENT, ACOT, ALONE), evidence.of(RECURRENT, ACOT, JOINT)
    to_uniform = evidence.counterparts(fixed, length_distribution=JOINT)
    to_curriculum = evidence.counterparts(uniform, length_distribution=CURRICULUM)
    return [
        _ratios("recurrent: N(uniform) > N(fixed)", evidence, to_uniform, MORE),
        _ratios("recurrent: N(short-to-long) > N(uniform)", evidence, to_curriculum, MORE),
        _falls("recurrent: N(shortest L) > N(longest L)", evidence, evidence.of(RECURRENT, ACOT), MORE),
        _falls("transformer: N(shortest L) <= N(longest L)", evidence, evidence.of(TRANSFORMERS, COT), NOT_MORE),
    ]


@_claim(
    "3.5",
    "with outcome supervision recurrent models need less data under short-to-long than under uniform lengths",
    "ib-bench run study --axes.model '[LSTM,DenseSSM]' --axes.supervision outcome --axes.quantity curve",
)
def _curricula_help_recurrence(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task and length: N(uniform) is larger than N(short-to-long)."""
    sides = evidence.counterparts(evidence.of(RECURRENT, OUTCOME, CURRICULUM), length_distribution=JOINT)
    return [_ratios("N(uniform) > N(short-to-long)", evidence, sides, MORE)]


@_claim(
    "4.1",
    "transformers share nothing between lengths: kappa is near 1 or below for every kind of supervision",
    "ib-bench run kappa --axes.model Transformer --axes.quantity sharing && "
    "ib-bench run study --axes.model Transformer --axes.quantity sharing",
)
def _transformers_share_nothing(evidence: Evidence) -> list[Statement]:
    """For each transformer, task and length, and each kind of supervision as a statement of its own: kappa <= 2."""
    return [
        _kappas(f"{regime}: kappa <= 2", evidence, evidence.of(TRANSFORMERS, regime, JOINT), AT_MOST_2)
        for regime in (OUTCOME, COT, ACOT)
    ]


@_claim(
    "4.2",
    "transformers with chain of thought: the lengths interfere, kappa is much below 1",
    "ib-bench run kappa --axes.model Transformer --axes.supervision chain_of_thought --axes.quantity sharing && "
    "ib-bench run study --axes.model Transformer --axes.supervision chain_of_thought --axes.quantity sharing",
)
def _transformers_interfere(evidence: Evidence) -> list[Statement]:
    """For each transformer, task and length, with chain of thought: kappa < 1/2."""
    return [_kappas("kappa < 1/2", evidence, evidence.of(TRANSFORMERS, COT, JOINT), BELOW_HALF)]


@_claim(
    "4.3",
    "recurrent models share: kappa is much above 1 for outcome and aligned chain of thought, near 1 for "
    "chain of thought",
    "ib-bench run kappa --axes.model '[LSTM,DenseSSM]' --axes.quantity sharing && "
    "ib-bench run study --axes.model '[LSTM,DenseSSM]' --axes.quantity sharing",
)
def _recurrent_models_share(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task and length: kappa > 2 with outcome, and with aligned chain of thought.

    With chain of thought: 1/2 <= kappa <= 2.
    """
    shared = [
        _kappas(f"{regime}: kappa > 2", evidence, evidence.of(RECURRENT, regime, JOINT), ABOVE_2)
        for regime in (OUTCOME, ACOT)
    ]
    near = evidence.of(RECURRENT, COT, JOINT)
    return [*shared, _kappas(f"{COT}: 1/2 <= kappa <= 2", evidence, near, AT_LEAST_HALF, AT_MOST_2)]


@_claim(
    "4.4",
    "the dense state-space model with aligned chain of thought needs less data as L grows",
    "ib-bench run lengths --axes.model DenseSSM",
)
def _longer_sequences_help_the_dense_ssm(evidence: Evidence) -> list[Statement]:
    """``DenseSSM``, aligned: N(shortest) > N(longest), for each series that differs in L alone, as in 3.4.

    Lengths at which all sequences that exist are not enough are left out.
    """
    cells = evidence.of(["DenseSSM"], ACOT)
    return [_falls("N(shortest L) > N(longest L)", evidence, cells, MORE)]


@_claim(
    "4.5",
    "kappa and length extrapolation go together",
    "ib-bench run kappa && "
    "ib-bench run study --axes.length_distribution uniform --axes.quantity '[sharing,extrapolate]'",
)
def _sharing_and_extrapolation_go_together(evidence: Evidence) -> list[Statement]:
    """For pairs of experiments at the same task, L and settings whose kappas surely differ.

    The one with the larger kappa has the larger normalised final-state accuracy at twice the training length. Each
    experiment is part of one pair: those of one task and L are sorted by kappa, and the first of the lower half is
    compared with the first of the upper half, and so on. Pairs whose accuracies differ by less than 0.05 are open. An
    accuracy is that of one training run; its luck makes the comparison a coin flip, which the chance allows for.
    """
    groups: dict[str, list[tuple[Cell, Known, float]]] = {}
    for cell in evidence.cells:
        accuracy = evidence.accuracy(cell)
        kappa = evidence.kappa(cell) if cell.labels.length_distribution == JOINT else None
        if accuracy is not None and kappa is not None:
            group = cell.setting({"supervision": None}, of_model=False)
            groups.setdefault(group, []).append((cell, kappa, accuracy))
    pairs = []
    for own in groups.values():
        ordered = sorted(own, key=lambda one: (_middle(one[1].interval), one[0].setting()))
        half = len(ordered) // 2
        pairs += [_concordance(*two) for two in zip(ordered[:half], ordered[-half:] if half else [], strict=True)]
    return [Statement("larger kappa, larger accuracy at 2 L", pairs)]


def _concordance(lower: tuple[Cell, Known, float], upper: tuple[Cell, Known, float]) -> Pair:
    """Whether of two experiments the one with the larger kappa has the larger accuracy."""
    (one, one_kappa, one_accuracy), (other, other_kappa, other_accuracy) = lower, upper
    difference = other_accuracy - one_accuracy
    keys = (*one_kappa.records, *other_kappa.records)
    why_open, interval = one_kappa.why_open or other_kappa.why_open, None
    if one_kappa.interval is not None and other_kappa.interval is not None:
        interval = other_kappa.interval / one_kappa.interval
        why_open = why_open or one_kappa.objection or other_kappa.objection
    larger = None if interval is None else interval.above(1)
    if not why_open and larger is None:
        why_open = "the intervals of kappa overlap"
    if not why_open and abs(difference) < MIN_ACCURACY_DIFFERENCE:
        why_open = f"the accuracies differ by less than {MIN_ACCURACY_DIFFERENCE}"
    title = (
        f"{experiment_text(other.labels)} ({other_accuracy:.2f}) / {experiment_text(one.labels)} ({one_accuracy:.2f})"
    )
    holds = None if why_open else larger == (difference > 0)
    return Pair(title, "all", f"kappa, {one_kappa.measure}", interval, holds, why_open, keys)


def _middle(interval: Interval | None) -> tuple[float, float]:
    """By which kappas are sorted: its lower end, then its upper one."""
    return (0.0, 0.0) if interval is None else (interval.low, interval.high)


def _ratios(text: str, evidence: Evidence, sides: Iterable[Sides], threshold: Threshold) -> Statement:
    """A statement about ratios of two cells; it is counted with the denominator's stratum."""
    pairs = []
    for both in sides:
        title = " / ".join(experiment_text(cell.labels) for cell in both)
        known = evidence.ratio(both, threshold.bound)
        pairs.append(known.pair(title, _stratum(both.denominator), threshold))
    return Statement(text, pairs, [threshold])


def _falls(text: str, evidence: Evidence, cells: Iterable[Cell], threshold: Threshold) -> Statement:
    """A statement about N at the shortest L over N at the longest: a pair for each series."""
    series: dict[str, list[Cell]] = {}
    for cell in cells:
        series.setdefault(cell.setting({LENGTH: None}), []).append(cell)
    pairs = []
    for own in series.values():
        ordered = sorted(own, key=lambda cell: cell.labels.max_length or 0)
        if len(ordered) > 1:
            ends = f"L={ordered[0].labels.max_length} / {experiment_text(ordered[-1].labels)}"
            pairs.append(evidence.falls(ordered).pair(ends, _stratum(ordered[0]), threshold))
    return Statement(text, pairs, [threshold])


def _kappas(text: str, evidence: Evidence, cells: Sequence[Cell], *thresholds: Threshold) -> Statement:
    """A statement about kappa; an architecture is a stratum."""
    known = [(cell, evidence.kappa(cell)) for cell in cells]
    pairs = [
        kappa.pair(f"kappa of {experiment_text(cell.labels)}", cell.labels.model, *thresholds)
        for cell, kappa in known
        if kappa is not None
    ]
    return Statement(text, pairs, thresholds)


def _stratum(cell: Cell) -> str:
    lengths = "fixed lengths" if cell.labels.length_distribution == ALONE else "several lengths"
    return f"{cell.labels.model}, {lengths}"


def _is_beyond_small(cell: Cell) -> bool:
    return (cell.num_states or 0) > SMALL_NUM_STATES and (cell.labels.max_length or 0) > SMALL_LENGTH
