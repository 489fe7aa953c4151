"""Limits on a process's address space, as ``ulimit -v`` and some queues set them.

Libraries in C++ answer a failed allocation with an abort and a stack trace, so commands ask before they load these.
"""

from __future__ import annotations

from ib_bench.errors import BenchError

TRAINING_GB = 1
"""To load torch and train a small model: 0.9 GB suffice, 0.7 GB do not."""

FIGURES_GB = 70
"""What the JavaScript engine that draws figures reserves, nearly all of which it never uses: 60 GB do not suffice."""


def require_address_space(num_gb: int, purpose: str) -> None:
    """Make sure that no limit on the address space is below a size.

    Args:
        num_gb: the size, in 10^9 bytes.
        purpose: what needs it, for the error.

    Raises:
        BenchError: a limit is.
    """
    import resource  # noqa: PLC0415 (Windows, on which commands say that they are refused, has none)

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < num_gb * 10**9:
        raise BenchError(
            f"{purpose} needs an address space of {num_gb} GB, and `ulimit -v` allows {limit / 1e9:.1f} GB; "
            "`ulimit -v unlimited` lifts that limit"
        )
