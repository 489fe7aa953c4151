"""Numbers that no computer can work with, whichever option they are given for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from ib_bench.errors import require

_MAX_INTEGER = 2**63 - 1
_MAX_ACCUMULATED = 2**31 - 1


def require_usable_numbers(options: Mapping[str, Any] | Namespace) -> None:
    """Refuse integers beyond 64 bits, and options that are no number (``.nan``).

    Args:
        options: of a command, or a config.

    Raises:
        InvalidOptionError: there is such a value.
    """
    for option, value in _numbers("", vars(options) if isinstance(options, Namespace) else options):
        if isinstance(value, int):
            require(abs(value) <= _MAX_INTEGER, option, value, "an integer below 2^63")
        else:
            require(not math.isnan(value), option, value, "a number")


def require_finite(option: str, arguments: Mapping[str, Any]) -> None:
    """Refuse infinite numbers among arguments that enter a key.

    Raises:
        InvalidOptionError: there is one.
    """
    for name, value in _numbers(option, arguments):
        require(math.isfinite(value), name, value, "a finite number")


def require_trainer_numbers(trainer: Mapping[str, Any]) -> None:
    """Check what Lightning's Trainer accepts, and fails on when it trains.

    Args:
        trainer: its options.

    Raises:
        InvalidOptionError: a value lies outside its range.
    """
    accumulated = trainer.get("accumulate_grad_batches", 1)
    allowed = "an integer of at least 1 and below 2^31"
    require(1 <= accumulated <= _MAX_ACCUMULATED, "trainer.accumulate_grad_batches", accumulated, allowed)
    clip = trainer.get("gradient_clip_val")
    is_positive = clip is None or 0 <= clip < math.inf
    require(is_positive, "trainer.gradient_clip_val", clip, "null or a finite number of at least 0")


def _numbers(option: str, value: Any) -> Iterator[tuple[str, int | float]]:
    """All numbers in a value, each with the option that it belongs to."""
    if isinstance(value, Mapping | Namespace):
        inner = vars(value) if isinstance(value, Namespace) else value
        for name, one in inner.items():
            is_of_class = name in ("init_args", "dict_kwargs")
            yield from _numbers(option if is_of_class else f"{option}.{name}".lstrip("."), one)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for one in value:
            yield from _numbers(option, one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield option, value
