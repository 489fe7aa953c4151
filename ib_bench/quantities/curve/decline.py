"""Whether larger training sets do worse than smaller ones, which a success curve takes to be impossible.

It happens where a larger set needs more optimizer steps than the budget has. N50 means little then.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_CHANCE = 0.1
"""Probability, by Fisher's exact test, that runs as unlike come from one chance of success; a hint decides nothing."""


def decline_text(successes: Mapping[int, tuple[int, int]]) -> str:
    """What looks as if larger sets did worse; empty where nothing does.

    The largest size is compared with all smaller ones together, from the first that had a success.

    Args:
        successes: numbers of successes and of all trials by size, ascending.

    Example:
        >>> decline_text({64: (0, 2), 128: (3, 4), 256: (0, 4)})
        '3 of 4 runs succeed at N = 128, but 0 of 4 at N = 256'
        >>> decline_text({64: (0, 2), 128: (2, 4), 256: (1, 4)})
        ''
    """
    *smaller, largest = successes or [0]
    compared = smaller[next((place for place, size in enumerate(smaller) if successes[size][0]), len(smaller)) :]
    if not compared:
        return ""
    succeeded, number = (sum(counts) for counts in zip(*(successes[size] for size in compared), strict=True))
    last_succeeded, last_number = successes[largest]
    if last_succeeded * number >= succeeded * last_number:
        return ""
    from scipy.stats import fisher_exact  # noqa: PLC0415 (a second, for which few curves have to wait)

    table = [[succeeded, number - succeeded], [last_succeeded, last_number - last_succeeded]]
    if fisher_exact(table, alternative="greater")[1] > MAX_CHANCE:
        return ""
    sizes = " to ".join(f"{size:,}" for size in dict.fromkeys([compared[0], compared[-1]]))
    return (
        f"{succeeded} of {number} runs succeed at N = {sizes}, but {last_succeeded} of {last_number} at N = {largest:,}"
    )
