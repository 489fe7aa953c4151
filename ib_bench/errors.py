"""The exceptions a user can meet.

Each one is a single sentence that names the option, its value and what is allowed. The command line prints the sentence
and exits with code 2; a caller in Python catches :class:`BenchError`.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ib_bench.plain_text import one_line

_MAX_SHOWN = 200
_MAX_REASON = 500


class BenchError(Exception):
    """Base of all errors that are the input's fault, not the program's."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Through another process with the finished sentence; the constructors of subclasses differ."""
        return _restore, (type(self), str(self), self.__dict__)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the sentence."""
        return [f"{type(self).__name__}: {self}"]


class InvalidOptionError(BenchError, ValueError):
    """An option has a value outside its range.

    Args:
        option: the option's name, as it is written in a config.
        value: what was given.
        allowed: what may be given, to be read after "must be".
    """

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"{option} must be {allowed}, got {shown(value)}")
        self.option = option


class UnknownNameError(BenchError, LookupError):
    """A name that is not known.

    Args:
        option: what was being named, such as ``model``.
        name: the name that was given.
        known: the names that would have been right.
    """

    def __init__(self, option: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        hint = nearest(name, known) if len(name) <= _MAX_SHOWN else ""
        super().__init__(f"unknown {option} {shown(name)}{hint}; known: {', '.join(known)}")


class SymbolRangeError(BenchError, ValueError):
    """A symbol lies outside the alphabet of its task."""


class InvalidTaskError(BenchError, ValueError):
    """A task that is no finite-state machine.

    Args:
        task: name of its class.
        reason: what is wrong, to be read after the name.
    """

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(f"task {task} {reason}")


class PoolExhaustedError(BenchError, ValueError):
    """More distinct sequences were requested than exist.

    Args:
        requested: number of sequences.
        available: number of sequences the pool holds.
    """

    def __init__(self, requested: int, available: int) -> None:
        super().__init__(
            f"num_train_sequences must be at most {available:,}, the number of distinct training sequences "
            f"that exist for this task, length distribution and max_length, got {requested:,}"
        )
        self.available = available


class NothingHeldOutError(BenchError, ValueError):
    """So few sequences exist that none can be held out for validation.

    Args:
        available: number of sequences there are.
    """

    def __init__(self, available: int) -> None:
        super().__init__(
            f"max_length must be larger, or the task have more sequences of such lengths: only {available} sequences "
            f"exist, and at most a fifth of those of any one length can be held out for validation, which is none"
        )


class NothingToTestOnError(BenchError, ValueError):
    """Validation and training set leave no sequence for a test set.

    Args:
        num_train_sequences: size of the training set.
        available: size of the training pool.
        is_default: whether nobody has asked for that many.
        reason: why that does not depend on the size of the training set; None where it does.
    """

    def __init__(
        self, num_train_sequences: int, available: int, is_default: bool = False, reason: str | None = None
    ) -> None:
        super().__init__(
            reason
            or f"num_train_sequences must be below {available:,} to leave sequences for a test set, which neither "
            f"training nor validation has seen, got {num_train_sequences:,}{', the default' if is_default else ''}"
        )


class OutOfMemoryError(BenchError):
    """A training run has run out of memory.

    Args:
        num_train_sequences: size of its training set.
        batch_size: sequences per optimizer step, or None if the data do not say.
    """

    def __init__(self, num_train_sequences: int, batch_size: int | None) -> None:
        batch = "" if batch_size in (None, 1) else f"a data.batch_size below {batch_size}, or "
        super().__init__(
            f"out of memory in a training run on {num_train_sequences:,} sequences: try {batch}a smaller model"
        )


class LostProcessError(BenchError):
    """A process that was needed has died. The input is fine, and the same command continues."""


class FatalError(BenchError):
    """An error that every other call would hit too; executors abort the run."""


class StoreError(FatalError):
    """The store cannot be used: not a database, another version's, or not writable."""


class DamagedStoreError(StoreError):
    """The store's file is malformed; SQLite's own tool recovers what can be read."""


def _restore(kind: type[BenchError], message: str, attributes: dict[str, Any]) -> BenchError:
    error = kind.__new__(kind)
    error.args = (message,)
    error.__dict__.update(attributes)
    return error


def shown(value: object) -> str:
    """A value as an error quotes it: its ``repr``, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}... ({len(text):,} characters)"


def reason_of(error: BaseException) -> str:
    """What an exception says, in one line, without the C++ stack that torch adds."""
    return shortened(" ".join(str(error).partition("Exception raised from")[0].split()))


def exit_called(exit: SystemExit) -> BenchError:
    """The error of a model or data that have called ``sys.exit``, which would end the command."""
    return BenchError(f"the model or its data called sys.exit({exit.code!r})")


def shortened(text: str) -> str:
    """A text, cut where it is too long for an error."""
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


def with_short_words(text: str) -> str:
    """A sentence in which each word of more than a thousand characters is cut: an option that somebody mistyped."""
    return re.sub(r"\S{1000,}", lambda word: f"{word[0][:_MAX_SHOWN]}...", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that names the closest match, such as ``, did you mean 'LSTM'?``, or nothing."""
    folded = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), folded, n=1)
    return f", did you mean {folded[matches[0]]!r}?" if matches else ""


def require(condition: bool, option: str, value: object, allowed: str) -> None:
    """Raise :class:`InvalidOptionError` unless ``condition`` holds."""
    if not condition:
        raise InvalidOptionError(option, value, allowed)


_PYTHONS_FORMAT = warnings.formatwarning


def warn_in_one_sentence() -> None:
    """Print our own warnings in this process as errors are printed; those of libraries keep Python's format."""
    warnings.formatwarning = _in_one_sentence


def _in_one_sentence(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    if category is UserWarning and Path(filename).is_relative_to(Path(__file__).parent):
        return f"ib-bench: warning: {one_line(str(message))}\n"
    return _PYTHONS_FORMAT(message, category, filename, lineno, line)
