"""What the paper claims, and whether the records in hand bear it out.

A claim is made of statements about pairs of results that differ in one respect, such as the supervision, and in nothing
else. Each pair speaks for the statement, against it, or is open: N* is only known up to its bracket, and a censored N*
is only ever "larger than" (:mod:`ib_bench.studies.comparison`). A statement is

* *not enough data* if fewer than 3 pairs are decided,
* *supported* if at least 80 % of those decided speak for it,
* *contradicted* if at most 20 % do,
* *mixed* otherwise,

and so is a claim if all its statements are; it is *mixed* if they differ, and *not enough data* as long as one of them
is. Words are read as numbers: *far less* is a factor of 4, *orders of magnitude* a factor of 10, *kappa near 1* is
within a factor of 2, *much above* or *below 1* beyond it. ``Transformer`` is the transformer, ``LSTM`` and ``DenseSSM``
are the recurrent models; models from elsewhere are no part of the claims.

Reference: arXiv 2602.18333, sections 4 and 5; the numbers 3.1 to 3.5 (N*) and 4.1 to 4.5 (kappa) are ours.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.search.record import SearchConfig, SearchRecord
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.sharing.record import JOINT, Sharing, sharings
from ib_bench.results.archive import Records
from ib_bench.results.identity import canonical
from ib_bench.studies.comparison import Count, Interval, count, min_train_size, sharing_interval

WHY_OPEN = (
    "A pair is open where brackets overlap, which a smaller search.relative_tolerance can fix, or where N* is "
    "censored, which a larger search.max_size or search.max_steps can fix unless all sequences have been used."
)

Verdict = Literal["supported", "contradicted", "mixed", "not enough data"]

TRANSFORMERS = ("Transformer",)
RECURRENT = ("LSTM", "DenseSSM")

FAR = 4.0
ORDERS_OF_MAGNITUDE = 10.0
NEAR = 2.0
MIN_DECIDED = 3
SUPPORTED_SHARE, CONTRADICTED_SHARE = 0.8, 0.2
MIN_ACCURACY_DIFFERENCE = 0.05
SMALL_NUM_STATES, SMALL_LENGTH = 5, 5

OUTCOME, COT, ACOT = "outcome", "chain_of_thought", "aligned_chain_of_thought"


@dataclass(frozen=True)
class Statement:
    """One comparison that a claim makes.

    Attributes:
        text: what is compared, and what should come out.
        count: of the pairs for it, against it and open.
    """

    text: str
    count: Count

    @property
    def verdict(self) -> Verdict:
        """By the rule above."""
        if self.count.decided < MIN_DECIDED:
            return "not enough data"
        share = self.count.true / self.count.decided
        if share >= SUPPORTED_SHARE:
            return "supported"
        return "contradicted" if share <= CONTRADICTED_SHARE else "mixed"


@dataclass(frozen=True)
class Claim:
    """A claim, held against records.

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
        """What to do about statements that too few pairs decide; empty if there is none."""
        undecided = [statement.count for statement in self.statements if statement.count.decided < MIN_DECIDED]
        if not undecided:
            return ""
        num_open = sum(count.open for count in undecided)
        there = f" (of the pairs that are there {num_open} are open)" if num_open else ""
        return f"measure more tasks and lengths, as {self.to_measure}{there}"


class Evidence:
    """Records, arranged for comparison.

    Args:
        records: of one store.
    """

    def __init__(self, records: Records) -> None:
        finished = records.finished(SearchRecord)
        ours = [one for one in finished if one.config.experiment.model.class_path.startswith("ib_bench.")]
        self.searches = [record for record in ours if record.max_size]
        self.sharings = sharings(ours, records.of(SaturationRecord))
        self.extrapolations = records.of(ExtrapolationRecord)
        self._by_setting: dict[str, SearchRecord] = {}
        for record in self.searches:
            self._by_setting.setdefault(_setting(record), record)

    def of(self, models: Sequence[str], supervision: str) -> list[SearchRecord]:
        """The searches of some architectures under one regime."""
        searches = (record for record in self.searches if record.labels.model in models)
        return [record for record in searches if record.labels.supervision == supervision]

    def counterpart(self, record: SearchRecord, **changes: object) -> SearchRecord | None:
        """The search that differs in these init arguments of the data and in nothing else."""
        return self._by_setting.get(_setting(record, **changes))

    def ratios(self, over: Iterable[SearchRecord], **changes: object) -> Iterator[Interval]:
        """N* of each counterpart over N* of the search itself, where both are there."""
        for record in over:
            other = self.counterpart(record, **changes)
            if other is not None:
                yield min_train_size(other) / min_train_size(record)

    def growth(self, of: Iterable[SearchRecord]) -> Iterator[Interval]:
        """N* at the shortest maximal length over N* at the longest, of searches that differ in nothing else.

        One pair for each such series: all pairs of one would be far from independent.
        """
        series: dict[str, list[SearchRecord]] = {}
        for record in of:
            series.setdefault(_setting(record, max_length=None), []).append(record)
        for records in series.values():
            by_length = sorted(records, key=lambda record: record.labels.max_length or 0)
            if len(by_length) > 1:
                yield min_train_size(by_length[0]) / min_train_size(by_length[-1])

    def kappas(self, models: Sequence[str], supervision: str) -> list[Interval]:
        """Kappa of some architectures under one regime."""
        return [sharing_interval(sharing) for sharing in self.sharings if _is_of(sharing.joint, models, supervision)]


Rule = Callable[[Evidence], list[Statement]]
_RULES: list[tuple[str, str, str, Rule]] = []


def check_claims(records: Records) -> list[Claim]:
    """Every claim, held against records.

    Args:
        records: of one store; searches are compared only where grid, budget and threshold are the same, but for the
            learning rates of different architectures.
    """
    evidence = Evidence(records)
    return [
        Claim(name, text, inspect.getdoc(rule) or "", rule(evidence), f"ib-bench run small {axes}".rstrip())
        for name, text, axes, rule in _RULES
    ]


def _claim(name: str, text: str, axes: str) -> Callable[[Rule], Rule]:
    """Register the rule of a claim.

    Args:
        name: its number.
        text: what the paper says.
        axes: what to narrow the suite ``small`` to, to measure what the rule needs.
    """

    def register(rule: Rule) -> Rule:
        _RULES.append((name, text, axes, rule))
        return rule

    return register


@_claim(
    "3.1",
    "transformers need far less data with chain of thought than with aligned chain of thought",
    "--axes.model Transformer --axes.supervision [chain_of_thought,aligned_chain_of_thought] --axes.quantity search",
)
def _transformers_want_chain_of_thought(evidence: Evidence) -> list[Statement]:
    """For each transformer, task, length and distribution: N*(aligned) is at least 4 times N*(chain of thought)."""
    ratios = evidence.ratios(evidence.of(TRANSFORMERS, COT), supervision=ACOT)
    return [_statement("N*(aligned) >= 4 N*(chain of thought)", (ratio.at_least(FAR) for ratio in ratios))]


@_claim(
    "3.2",
    "recurrent models need least data with aligned chain of thought, and struggle with chain of thought",
    "--axes.model [LSTM,DenseSSM] --axes.quantity search",
)
def _recurrent_models_want_alignment(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task, length and distribution.

    Least: N*(outcome) is larger than N*(aligned). Struggle: N*(chain of thought) is at least 4 times N*(aligned).
    """
    aligned = evidence.of(RECURRENT, ACOT)
    least = (ratio.above(1) for ratio in evidence.ratios(aligned, supervision=OUTCOME))
    struggle = (ratio.at_least(FAR) for ratio in evidence.ratios(aligned, supervision=COT))
    return [
        _statement("N*(outcome) > N*(aligned)", least),
        _statement("N*(chain of thought) >= 4 N*(aligned)", struggle),
    ]


@_claim(
    "3.3",
    "with outcome supervision recurrent models need orders of magnitude less data than transformers, which fail beyond "
    "small tasks and lengths",
    "--axes.supervision outcome --axes.quantity search",
)
def _outcome_favours_recurrence(evidence: Evidence) -> list[Statement]:
    """For each recurrent model and each transformer at the same task, length and distribution.

    N*(transformer) is at least 10 times N*(recurrent). Fail: for each task of more than 5 states and L > 5, the
    transformer succeeds at no size.
    """
    transformers: dict[str, list[SearchRecord]] = {}
    for record in evidence.of(TRANSFORMERS, OUTCOME):
        transformers.setdefault(_setting(record, model=None), []).append(record)
    ratios = [
        min_train_size(transformer) / min_train_size(recurrent)
        for recurrent in evidence.of(RECURRENT, OUTCOME)
        for transformer in transformers.get(_setting(recurrent, model=None), [])
    ]
    beyond = [record for record in evidence.of(TRANSFORMERS, OUTCOME) if _is_beyond_small(record)]
    return [
        _statement("N*(transformer) >= 10 N*(recurrent)", (ratio.at_least(ORDERS_OF_MAGNITUDE) for ratio in ratios)),
        _statement("transformer, more than 5 states, L > 5: no size suffices", (record.censored for record in beyond)),
    ]


@_claim(
    "3.4",
    "with aligned chain of thought longer sequences make recurrent models more data-efficient: fixed lengths are best, "
    "then uniform, then short-to-long, and N* falls as L grows; transformers with chain of thought gain nothing",
    "--axes.supervision [chain_of_thought,aligned_chain_of_thought] --axes.quantity search",
)
def _longer_sequences_help_recurrence(evidence: Evidence) -> list[Statement]:
    """Recurrent models, aligned, at the same length: N*(uniform) > N*(fixed), N*(short-to-long) > N*(uniform).

    At the same distribution, for the shortest and the longest L: N*(shortest) > N*(longest). Transformers, chain of
    thought, likewise: N*(shortest) is not larger than N*(longest).
    """
    aligned = evidence.of(RECURRENT, ACOT)
    fixed = _distributed(aligned, "fixed")
    uniform = _distributed(aligned, JOINT)
    gain = [ratio.above(1) for ratio in evidence.growth(evidence.of(TRANSFORMERS, COT))]
    return [
        _statement("recurrent: N*(uniform) > N*(fixed)", _above_1(evidence.ratios(fixed, length_distribution=JOINT))),
        _statement(
            "recurrent: N*(short-to-long) > N*(uniform)",
            _above_1(evidence.ratios(uniform, length_distribution="short_to_long")),
        ),
        _statement("recurrent: N*(shortest L) > N*(longest L)", _above_1(evidence.growth(aligned))),
        _statement("transformer: N*(shortest L) <= N*(longest L)", map(_not, gain)),
    ]


@_claim(
    "3.5",
    "with outcome supervision recurrent models need less data under short-to-long than under uniform lengths",
    "--axes.model [LSTM,DenseSSM] --axes.supervision outcome --axes.quantity search",
)
def _curricula_help_recurrence(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task and length: N*(uniform) is larger than N*(short-to-long)."""
    curricula = _distributed(evidence.of(RECURRENT, OUTCOME), "short_to_long")
    return [
        _statement("N*(uniform) > N*(short-to-long)", _above_1(evidence.ratios(curricula, length_distribution=JOINT)))
    ]


@_claim(
    "4.1",
    "transformers share nothing between lengths: kappa is near 1 or below for every kind of supervision",
    "--axes.model Transformer --axes.quantity sharing",
)
def _transformers_share_nothing(evidence: Evidence) -> list[Statement]:
    """For each transformer, task and length, and each kind of supervision as a statement of its own: kappa <= 2."""
    return [
        _statement(
            f"{regime}: kappa <= 2", (_not(kappa.above(NEAR)) for kappa in evidence.kappas(TRANSFORMERS, regime))
        )
        for regime in (OUTCOME, COT, ACOT)
    ]


@_claim(
    "4.2",
    "transformers with chain of thought: the lengths interfere, kappa is much below 1",
    "--axes.model Transformer --axes.supervision chain_of_thought --axes.quantity sharing",
)
def _transformers_interfere(evidence: Evidence) -> list[Statement]:
    """For each transformer, task and length, with chain of thought: kappa < 1/2."""
    kappas = evidence.kappas(TRANSFORMERS, COT)
    return [_statement("kappa < 1/2", (_not(kappa.at_least(1 / NEAR)) for kappa in kappas))]


@_claim(
    "4.3",
    "recurrent models share: kappa is much above 1 for outcome and aligned chain of thought, near 1 for "
    "chain of thought",
    "--axes.model [LSTM,DenseSSM] --axes.quantity sharing",
)
def _recurrent_models_share(evidence: Evidence) -> list[Statement]:
    """For each recurrent model, task and length: kappa > 2 with outcome, and with aligned chain of thought.

    With chain of thought: 1/2 <= kappa <= 2.
    """
    near = [_both(k.at_least(1 / NEAR), _not(k.above(NEAR))) for k in evidence.kappas(RECURRENT, COT)]
    shared = [
        _statement(f"{regime}: kappa > 2", (kappa.above(NEAR) for kappa in evidence.kappas(RECURRENT, regime)))
        for regime in (OUTCOME, ACOT)
    ]
    return [*shared, _statement("chain_of_thought: 1/2 <= kappa <= 2", near)]


@_claim(
    "4.4",
    "the dense state-space model with aligned chain of thought needs less data as L grows",
    "--axes.model DenseSSM --axes.supervision aligned_chain_of_thought --axes.quantity search",
)
def _longer_sequences_help_the_dense_ssm(evidence: Evidence) -> list[Statement]:
    """``DenseSSM``, aligned, same task and distribution, for the shortest and longest L: N*(shortest) > N*(longest)."""
    return [_statement("N*(shortest L) > N*(longest L)", _above_1(evidence.growth(evidence.of(("DenseSSM",), ACOT))))]


@_claim(
    "4.5",
    "kappa and length extrapolation go together",
    "--axes.length_distribution uniform --axes.quantity [sharing,extrapolate]",
)
def _sharing_and_extrapolation_go_together(evidence: Evidence) -> list[Statement]:
    """For every two experiments at the same task, L and settings whose kappas surely differ.

    The one with the larger kappa has the larger normalised final-state accuracy at twice the training length. Pairs
    whose accuracies differ by less than 0.05 are open.
    """
    accuracies = headline_accuracies(evidence.extrapolations)
    by_task: dict[str, list[tuple[Sharing, float]]] = {}
    for sharing in evidence.sharings:
        if sharing.joint.key in accuracies:
            points = by_task.setdefault(_setting(sharing.joint, model=None, supervision=None), [])
            points.append((sharing, accuracies[sharing.joint.key]))
    answers = [_concordant(*pair) for points in by_task.values() for pair in combinations(points, 2)]
    return [_statement("larger kappa, larger accuracy at 2 L", answers)]


def headline_accuracies(extrapolations: Iterable[ExtrapolationRecord]) -> dict[str, float]:
    """Normalised final-state accuracy at twice the training length, by the key of the search of the same experiment.

    Args:
        extrapolations: of any experiments; of several of one experiment, that with the most sequences counts.
    """
    accuracies = {}
    for record in sorted(extrapolations, key=lambda record: record.config.settings.num_sequences):
        if record.headline_accuracy is not None:
            search = SearchConfig(record.config.experiment, record.config.search)
            accuracies[search.key] = record.headline_accuracy
    return accuracies


def _concordant(one: tuple[Sharing, float], other: tuple[Sharing, float]) -> bool | None:
    difference = one[1] - other[1]
    if abs(difference) < MIN_ACCURACY_DIFFERENCE:
        return None
    better, worse = (one, other) if difference > 0 else (other, one)
    better_kappa, worse_kappa = sharing_interval(better[0]), sharing_interval(worse[0])
    if (better_kappa / worse_kappa).above(1):
        return True
    return False if (worse_kappa / better_kappa).above(1) else None


def _statement(text: str, answers: Iterable[bool | None]) -> Statement:
    return Statement(text, count(answers))


def _above_1(ratios: Iterable[Interval]) -> Iterator[bool | None]:
    return (ratio.above(1) for ratio in ratios)


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _both(one: bool | None, other: bool | None) -> bool | None:
    if False in (one, other):
        return False
    return None if None in (one, other) else True


def _is_of(record: SearchRecord, models: Sequence[str], supervision: str) -> bool:
    return record.labels.model in models and record.labels.supervision == supervision


def _is_beyond_small(record: SearchRecord) -> bool:
    size = num_states(record)
    return (size or 0) > SMALL_NUM_STATES and (record.labels.max_length or 0) > SMALL_LENGTH


def _distributed(records: Iterable[SearchRecord], length_distribution: str) -> list[SearchRecord]:
    return [record for record in records if record.labels.length_distribution == length_distribution]


def _setting(record: SearchRecord, **changes: object) -> str:
    """Everything that determines a search, with some of it changed: ``model`` or init arguments of the data.

    If the model is set to None its learning rates are left out too, as each architecture may have its own, and so are
    the options that make an architecture faster.
    """
    experiment = record.config.experiment
    settings = canonical(record.config.settings)
    model = changes.pop("model", canonical(experiment.model))
    if model is None:
        for name in ("learning_rates", "start", "vectorize", "compile"):
            settings.pop(name, None)
    data = {**experiment.data.init_args, **changes}
    rest = [data, experiment.trainer, experiment.source_digests, settings]
    return json.dumps([model, experiment.data.class_name, *rest], sort_keys=True)
