"""Saturated trials of a success curve: they show whether the model can fit all sequences that exist.

In short lengths all training sequences together may not suffice (m = 10, n = 2: 80 of 100). Only the held-out sequences
are missing then, so N50 is at most the number of all sequences, if training on all of them succeeds more often than
not. This is measured: trials train on all sequences and validate on the same, until the posterior of their chance of
success, from a uniform prior, says with 95 % on which side of 1/2 it lies. Four alike suffice. Saturated trials are no
part of the curve.

It is ours, as is :mod:`ib_bench.quantities.search.saturation`, which does the same for N*.
"""

from __future__ import annotations

from math import comb

MAX_SATURATED_TRIALS = 15
"""With a chance near 1/2 the question stays open after so many."""

_CERTAINTY = 0.95


def fits_all(num_succeeded: int, num_failed: int) -> bool | None:
    """Whether training on all sequences succeeds more often than not.

    Args:
        num_succeeded: saturated trials that succeeded.
        num_failed: and that failed.

    Returns:
        None while it is open.

    Example:
        >>> fits_all(3, 0), fits_all(4, 0), fits_all(0, 4), fits_all(5, 2)
        (None, True, False, None)
    """
    number = num_succeeded + num_failed + 1
    # The posterior is Beta(1 + successes, 1 + failures); its tail is that of a binomial distribution.
    chance = sum(comb(number, count) for count in range(num_succeeded + 1)) / 2**number
    if chance >= _CERTAINTY:
        return True
    return False if chance <= 1 - _CERTAINTY else None
