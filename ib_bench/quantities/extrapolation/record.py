"""Length extrapolation: where accuracy is measured, and what was found.

Reference: arXiv 2602.18333, section 5; the multiple 2 is the paper's, the others are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ib_bench.errors import require
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import Config, Count, Experiment, Key, Record

HEADLINE_MULTIPLE = 2.0

_ROUNDING = 1e-6

Mode = Literal["teacher_forced", "generated"]


@dataclass(frozen=True)
class ExtrapolationSettings:
    """Options of length extrapolation.

    Args:
        multiples: lengths at which accuracy is measured, as multiples of the training length L, each in 1..16.
        num_sequences: sequences at each length, at least 1; at L itself, those of the validation set of that length if
            they are fewer. Training stopped on them, so that accuracy there is slightly too high.

    Raises:
        InvalidOptionError: a value outside its range.
    """

    multiples: list[float] = field(default_factory=lambda: [1.0, 1.5, 2.0, 4.0, 8.0, 16.0])
    num_sequences: int = 1000

    def __post_init__(self) -> None:
        in_range = bool(self.multiples) and all(1 <= multiple <= 16 for multiple in self.multiples)
        allowed = "a list of at least one number, each in 1..16"
        require(in_range, "extrapolation.multiples", self.multiples, allowed)
        num = self.num_sequences
        require(num >= 1, "extrapolation.num_sequences", num, "an integer of at least 1")

    def lengths(self, max_length: int) -> list[int]:
        """The lengths in symbols, ascending, none twice."""
        return sorted({round(multiple * max_length) for multiple in self.multiples})


@dataclass(frozen=True)
class ExtrapolationConfig(Config):
    """One measurement of length extrapolation.

    Attributes:
        experiment: model, data and trainer.
        search: the grid, its budget and the largest training set.
        settings: where accuracy is measured.
    """

    experiment: Experiment
    search: SearchSettings
    settings: ExtrapolationSettings


@dataclass(frozen=True)
class LengthAccuracy:
    """Accuracy at one length.

    Attributes:
        mode: ``teacher_forced``, or ``generated`` where the model reads the states that it has written itself.
        length: number of symbols.
        num_sequences: number of sequences.
        final_state_accuracy: share of sequences whose last state is right.
        token_accuracy: share of states that are right.
        normalized_final_state_accuracy: (accuracy - chance) / (1 - chance), chance = 1 / number of answers.
        normalized_token_accuracy: likewise.
        position_accuracy: share of sequences whose k-th supervised state is right, for every k; at least one.

    Raises:
        ValueError: there are no sequences, or no supervised states, or a share lies outside its range.
    """

    mode: Mode
    length: Count
    num_sequences: Count
    final_state_accuracy: float
    token_accuracy: float
    normalized_final_state_accuracy: float
    normalized_token_accuracy: float
    position_accuracy: list[float]

    def __post_init__(self) -> None:
        if not (self.num_sequences and self.position_accuracy):
            raise ValueError("an accuracy is of at least one sequence and one state")
        shares = [self.final_state_accuracy, self.token_accuracy, *self.position_accuracy]
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("an accuracy lies outside 0..1")
        normalized = [self.normalized_final_state_accuracy, self.normalized_token_accuracy]
        if not all(abs(share) <= 1 + _ROUNDING for share in normalized):  # -1: wrong throughout, of two answers
            raise ValueError("a normalized accuracy lies outside -1..1")


@dataclass(frozen=True)
class ExtrapolationRecord(Record):
    """The accuracies of a trained model at longer lengths.

    Attributes:
        key: of the config.
        config: what was measured.
        num_train_sequences: size of the training set, the largest there is; 0 where so few sequences exist that none
            can be held out, so that nothing can be trained.
        trial: key of the trial whose model was evaluated; None where there is none.
        trial_succeeded: whether its validation loss went below the threshold.
        accuracies: at each length, ascending.
        finished_at: UTC, ISO 8601.
        num_states: number of the task's states; None in records of earlier versions.

    Raises:
        ValueError: accuracies without a trial, or none with one.
    """

    table: ClassVar[str] = "extrapolations"
    incidental: ClassVar[frozenset[str]] = frozenset({"finished_at", "num_states"})
    headline: ClassVar[tuple[str, ...]] = ("trial_succeeded",)

    key: Key
    config: ExtrapolationConfig
    num_train_sequences: Count
    trial: Key | None
    trial_succeeded: bool
    accuracies: list[LengthAccuracy]
    finished_at: str
    num_states: Count | None = None

    def __post_init__(self) -> None:
        if (self.trial is None) != (not self.accuracies):
            raise ValueError("accuracies and the trial that they are of come together")

    @property
    def trials(self) -> Sequence[str]:
        """Key of the trial whose model was evaluated."""
        return [] if self.trial is None else [self.trial]

    @property
    def trained_on_all(self) -> bool:
        """Whether it was trained on all training sequences that exist, fewer than the settings allow."""
        return 0 < self.num_train_sequences < self.config.search.max_size

    @property
    def max_length(self) -> int:
        """Number of symbols in the longest training sequences, L; 0 for data without lengths."""
        return self.labels.max_length or 0

    def at(self, length: float) -> LengthAccuracy | None:
        """The accuracy at a length, generated where the model reads its own states; None where not measured.

        Args:
            length: in symbols.
        """
        found = [accuracy for accuracy in self.accuracies if accuracy.length == length]
        return max(found, key=lambda accuracy: accuracy.mode == "generated", default=None)

    @property
    def headline_accuracy(self) -> float | None:
        """Normalised final-state accuracy at twice the training length; None where not measured."""
        headline = self.at(HEADLINE_MULTIPLE * self.max_length)
        return None if headline is None else headline.normalized_final_state_accuracy
