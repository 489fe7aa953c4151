"""Scores: everything that records say of one model under a protocol, at one of its budgets."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from typing import Any

from ib_bench.plain_text import one_line
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.growth.record import growth_of
from ib_bench.quantities.sharing.curves import SharingCurves
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json, canonical
from ib_bench.results.records import ClassSpec, Config, Experiment, Record, arguments_text
from ib_bench.results.trial_record import TrialRecord
from ib_bench.scoring.plain_data import texts_in
from ib_bench.scoring.protocol import RECORDS, Budget, ProtocolCell, identity_of
from ib_bench.scoring.ranking import Estimate, Standing

YARDSTICKS = {"TabularLearner": "floor", "Majority": "chance", "Oracle": "ceiling"}
"""Models that are no contestants: what learning by looking up, by guessing and without learning comes to."""

NEAR, FAR = 2, 8
"""Multiples of the training length at which a protocol asks for accuracy."""

_PLACES = "device", "platform", "num_processes"
_CHANCE_90 = 1.645  # number of standard errors in half of a 90 % interval
_QUANTILES = 0.05, 0.95
_AFTER_A_START = "", ")", ",", "(", " "  # what a name may go on with behind the start that is given


@dataclass(frozen=True, eq=False)
class Score:
    """The score of one model.

    Attributes:
        budget: of the protocol.
        records: finished, by the identity of their cell.
        trials: that they rest on, by key.
        version: start of the digest of the model's code, where scores of several versions are shown together.
        standing: its place in a league, on cards; None where it was not looked up, or there is none.
    """

    budget: Budget
    records: Mapping[str, Record]
    trials: Mapping[str, TrialRecord]
    version: str = ""
    standing: Standing | None = None

    def __repr__(self) -> str:
        return f"<score of {self.name} under {self.budget.title}: {self.num_cells} of {len(self.budget.cells)} cells>"

    def __str__(self) -> str:
        from ib_bench.scoring.card import card_text  # noqa: PLC0415 (a card is made of a score)

        return card_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        """The card, in a notebook."""
        from ib_bench.scoring.card import card_drawing  # noqa: PLC0415

        return card_drawing(self)._repr_mimebundle_()

    @property
    def config(self) -> Config:
        """The config of one of the records."""
        return next(iter(self.records.values())).config

    @property
    def model(self) -> ClassSpec:
        """The model."""
        return self.config.experiment.model

    @property
    def identity(self) -> str:
        """What tells models apart: class, arguments and code."""
        return _identity(self.config.experiment)

    @property
    def source_digests(self) -> dict[str, str]:
        """Digests of the code and files that the model is made of, if it does not ship with this package."""
        return _digests_of_model(self.config.experiment)

    @property
    def name(self) -> str:
        """The model with all of its arguments, such as ``LSTM(hidden_size=64)``; with its path, if it is not ours.

        It is for people, in one line; :attr:`identity` tells models apart.
        """
        arguments = {key: value for key, value in self.model.init_args.items() if value is not None}
        text = f"{self.model.label}({arguments_text(arguments)})" if arguments else self.model.label
        text = f"{text} @{self.version}" if self.version else text
        return one_line(f"{text} (looks ahead)" if self.looks_ahead else text)

    @property
    def looks_ahead(self) -> bool:
        """Whether a check has shown that the model looks ahead, be it only in the longer sequences of some cells."""
        return any(record.config.experiment.looks_ahead for record in self.records.values())

    @property
    def kind(self) -> str:
        """``floor``, ``chance`` or ``ceiling``; empty for a model that takes part."""
        return YARDSTICKS.get(self.model.class_name, "") if self.model.is_shipped else ""

    @property
    def num_cells(self) -> int:
        """Number of cells that are there."""
        return sum(self.record(cell) is not None for cell in self.budget.cells)

    @property
    def is_complete(self) -> bool:
        """Whether all cells are there."""
        return self.num_cells == len(self.budget.cells)

    def record(self, cell: ProtocolCell) -> Any:
        """The record of a cell; None if there is none."""
        return self.records.get(cell.identity)

    @cached_property
    def size(self) -> Estimate | None:
        """Geometric mean of N50 over the cells, see :mod:`ib_bench.scoring.composite`."""
        from ib_bench.quantities.known_size import of_curve  # noqa: PLC0415 (loads scipy)
        from ib_bench.scoring.composite import restricted_mean  # noqa: PLC0415

        cells = self.budget.of("size")
        curves = [self.record(cell) for cell in cells]
        if not any(curves):
            return None
        limits = [math.log2(cell.max_size) for cell in cells]
        sizes = [None if curve is None else of_curve(curve) for curve in curves]
        return restricted_mean(sizes, limits)

    @cached_property
    def kappa(self) -> Estimate | None:
        """The sharing factor, from success curves; None where one of them is missing."""
        curves: list[CurveRecord | None] = [self.record(cell) for cell in self.budget.of("kappa")]
        known = [curve for curve in curves if curve is not None]
        joint = [curve for curve in known if curve.labels.length_distribution == "uniform"]
        if len(known) < len(curves) or len(joint) != 1:
            return None
        parts = {curve.labels.max_length or 0: curve for curve in known if curve is not joint[0]}
        factor = SharingCurves(joint[0], parts).estimate
        if factor.low == 0 and math.isinf(factor.high):
            return None
        return Estimate(factor.low, factor.median, factor.high)

    @cached_property
    def slope(self) -> Estimate | None:
        """The exponent with which N50 grows with L; None where cells are missing, or too few of their N50 are known."""
        cells = self.budget.of("slope")
        curves = [curve for curve in map(self.record, cells) if curve is not None]
        if not cells or len(curves) < len(cells):
            return None
        fit = growth_of(sorted(curves, key=lambda curve: curve.labels.max_length or 0)).fit
        if fit is None:
            return None
        low, high = fit.exponent.low, fit.exponent.high
        return Estimate(-math.inf if low is None else low, fit.exponent.median, math.inf if high is None else high)

    def accuracy(self, multiple: float) -> Estimate | None:
        """Normalised final-state accuracy at a multiple of the training length, the mean over tasks.

        The interval holds only which sequences were drawn: there is one trained model of each task.

        Args:
            multiple: of the length.
        """
        records: list[ExtrapolationRecord | None] = [self.record(cell) for cell in self.budget.of("extrapolation")]
        found = [one.at(multiple * one.max_length) for one in records if one is not None]
        accuracies = [one for one in found if one is not None]
        if not records or len(accuracies) < len(records):
            return None
        variance = 0.0
        for one in accuracies:
            share = (one.final_state_accuracy * one.num_sequences + 1) / (one.num_sequences + 2)  # never 0 or 1
            slope = _slope(one.final_state_accuracy, one.normalized_final_state_accuracy)
            variance += share * (1 - share) / one.num_sequences * slope**2
        mean = fmean(one.normalized_final_state_accuracy for one in accuracies)
        half = _CHANCE_90 * math.sqrt(variance) / len(accuracies)
        return Estimate(mean - half, mean, min(mean + half, 1.0))

    @cached_property
    def step_ms(self) -> Estimate | None:
        """Milliseconds of a training step with its share of set-up and validation: median, 90 % range of all trials."""
        cells = self.budget.of("size")
        curves = [curve for curve in map(self.record, cells) if curve is not None]
        trials = [trial for curve in curves for trial in self.trials_of(curve) if trial.num_steps]
        if not trials:
            return None
        times = sorted(1000 * trial.wall_time_s / trial.num_steps for trial in trials)
        low, high = (times[round(share * (len(times) - 1))] for share in _QUANTILES)
        return Estimate(low, median(times), high)

    @property
    def num_parameters(self) -> int | None:
        """To be trained, in the largest of its cells; None in records of earlier versions."""
        return max((one.num_parameters for one in self.trials.values() if one.num_parameters), default=None)

    @property
    def state_sizes(self) -> list[int]:
        """Numbers that are carried from token to token, after 4 and after 8 tokens; empty where unknown."""
        return max((one.state_sizes for one in self.trials.values()), default=[])

    @property
    def versions(self) -> dict[str, list[str]]:
        """All versions of Python and of the packages that computed."""
        return _different(trial.versions for trial in self.trials.values())

    @property
    def environment(self) -> dict[str, list[str]]:
        """All devices and platforms; what else a trial says of its surroundings is its own."""
        return _different(
            {name: trial.environment[name] for name in _PLACES if name in trial.environment}
            for trial in self.trials.values()
        )

    @property
    def device(self) -> str:
        """The kinds of device that computed, such as ``cpu`` or ``cpu, cuda``; empty where trials do not say."""
        return ", ".join(self.devices)

    @property
    def devices(self) -> list[str]:
        """The same as a list, sorted."""
        return sorted({one_line(device).partition(":")[0] for device in self.environment.get("device", [])})

    @property
    def seeds(self) -> list[int]:
        """The seeds of all trials, ascending."""
        return sorted({trial.config.seed for trial in self.trials.values()})

    @property
    def num_steps(self) -> int:
        """Optimizer steps of all trials."""
        return sum(trial.num_steps for trial in self.trials.values())

    @property
    def wall_time_s(self) -> float:
        """Time of all trials, one after the other."""
        return sum(trial.wall_time_s for trial in self.trials.values())

    @property
    def command(self) -> str:
        """The command that measures it again; a protocol that does not ship with the package is its file's name."""
        arguments = {key: value for key, value in self.model.init_args.items() if value is not None}
        name = self.model.label
        written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        model = _quoted(f"{name}({written})") if arguments else shlex.quote(name)
        protocol = f"--protocol {shlex.quote(self.budget.protocol)} --budget {shlex.quote(self.budget.name)}"
        look = " --allow_lookahead" if self.looks_ahead else ""
        return f"ib-bench score {model} {protocol}{look}"

    def trials_of(self, record: Record) -> list[TrialRecord]:
        """The trials that a record rests on."""
        return [self.trials[key] for key in record.trials if key in self.trials]


def scores_of(records: Records, budget: Budget) -> list[Score]:
    """The score of every model of which a cell is finished, in the order of the records.

    Args:
        records: of a store.
        budget: of the protocol.
    """
    cells = {cell.identity for cell in budget.cells}
    found: dict[str, dict[str, Record]] = {}
    for kind in RECORDS:
        for record in records.finished(kind):
            identity = identity_of(record)
            if identity in cells:
                own = found.setdefault(_identity(record.config.experiment), {})
                own.setdefault(str(identity), record)
    scores = [Score(budget, own, _trials(own.values(), records)) for own in found.values()]
    num_with = Counter(score.name for score in scores)
    return [score if num_with[score.name] == 1 else replace(score, version=_version(score)) for score in scores]


def scores_called(scores: Iterable[Score], given: str) -> list[Score]:
    """The scores with a name; if there is none, those whose name begins with it and goes on with other arguments.

    Args:
        scores: to choose from.
        given: a name, or the start of one.
    """
    scores, start = list(scores), given.removesuffix(")")
    followed = [one for one in scores if one.name.startswith(start) and one.name[len(start) :][:1] in _AFTER_A_START]
    return [one for one in scores if one.name == given] or followed


def _identity(experiment: Experiment) -> str:
    return json.dumps([canonical(experiment.model), _digests_of_model(experiment)], sort_keys=True)


def _digests_of_model(experiment: Experiment) -> dict[str, str]:
    """Digests of code and files, without those of the data: a protocol may have data of a user's own in some cells."""
    named = set(texts_in(canonical(experiment.data)))
    of_data = named | {f"file {Path(text).name}" for text in named}
    return {name: digest for name, digest in experiment.source_digests.items() if name not in of_data}


def _version(score: Score) -> str:
    """The start of a digest of all code that a model is made of."""
    text = json.dumps(score.source_digests, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _trials(own: Iterable[Record], records: Records) -> dict[str, TrialRecord]:
    return {trial.key: trial for record in own for trial in records.trials_of(record)}


def _quoted(text: str) -> str:
    """A word of a shell's command line: in double quotes where that is enough."""
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


def _slope(accuracy: float, normalized: float) -> float:
    """By how much an accuracy is stretched where guessing becomes 0; 1 / (1 - chance)."""
    return (1 - normalized) / (1 - accuracy) if accuracy < 1 else 1.0


def _different(values: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """For each name the different values, sorted."""
    found: dict[str, set[str]] = {}
    for own in values:
        for name, value in own.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(found[name]) for name in sorted(found)}
