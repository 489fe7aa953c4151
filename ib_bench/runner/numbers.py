"""Numbers that no computer can work with, whichever option they are given for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonargparse import Namespace

from ib_bench.errors import require

_MAX_INTEGER = 2**63 - 1
_MAX_COUNT = 2**31 - 1
_MAX_PROCESSES = 1024
_TIME = r"\d{1,5}(:\d\d){3}"

_TRAINER_RANGES = {
    "accumulate_grad_batches": (1, _MAX_COUNT),
    "check_val_every_n_epoch": (1, _MAX_COUNT),
    "log_every_n_steps": (0, _MAX_COUNT),
    "num_sanity_val_steps": (-1, _MAX_COUNT),
    "min_epochs": (0, _MAX_COUNT),
    "min_steps": (0, _MAX_COUNT),
    **{f"limit_{name}_batches": (0, _MAX_COUNT) for name in ("train", "val", "test", "predict")},
    "overfit_batches": (0, _MAX_COUNT),
    "devices": (-1, _MAX_PROCESSES),
    "num_nodes": (1, _MAX_PROCESSES),
}
"""What may be given, if it is a number."""


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
    """Check what Lightning's Trainer accepts, and fails on when it trains, or never ends.

    Args:
        trainer: its options.

    Raises:
        InvalidOptionError: a value lies outside its range.
    """
    for name, (least, most) in _TRAINER_RANGES.items():
        value = _number_of(trainer.get(name))
        in_range = value is None or least <= value <= most
        kind = (
            "a fraction or an integer"
            if name.endswith("_batches") and name != "accumulate_grad_batches"
            else "an integer"
        )
        require(in_range, f"trainer.{name}", value, f"{kind} in {least:,}..{most:,}")
    for name in ("max_time", "val_check_interval"):
        duration = trainer.get(name)
        is_time = not isinstance(duration, str) or re.fullmatch(_TIME, duration)
        require(bool(is_time), f"trainer.{name}", duration, "a time DD:HH:MM:SS of at most 99,999 days")
    clip = trainer.get("gradient_clip_val")
    is_positive = clip is None or 0 <= clip < math.inf
    require(is_positive, "trainer.gradient_clip_val", clip, "null or a finite number of at least 0")


def _number_of(value: Any) -> int | float | None:
    """A number, which is a text where an option takes these too; None for anything else: Lightning checks that."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int | float) else None


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
