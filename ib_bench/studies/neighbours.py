"""Where N* probably lies, from a search that is much like the one at hand."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ib_bench.results.records import Experiment, Json, SearchConfig, SearchRecord, class_name


def guess_from(config: SearchConfig, searches: Iterable[SearchRecord]) -> int | None:
    """N* of the nearest finished search; a censored one says one more than its largest size.

    Args:
        config: of the search at hand.
        searches: that have been run.

    Returns:
        None if there is no such search.
    """
    search = nearest_search(config, searches)
    if search is None:
        return None
    return search.max_size + 1 if search.min_train_size is None else search.min_train_size


def nearest_search(config: SearchConfig, searches: Iterable[SearchRecord]) -> SearchRecord | None:
    """The nearest finished search with the same model, regime and settings.

    Nearest is the one that differs in the fewest of task size, maximal length and length distribution, and then least
    in the numbers.

    Args:
        config: of the search at hand.
        searches: that have been run.

    Returns:
        None if there is no such search.
    """
    candidates = []
    for search in searches:
        distance = _distance(config, search) if search.status == "finished" and search.max_size else None
        if distance is not None:
            candidates.append((distance, search.key, search))
    return min(candidates)[2] if candidates else None


def _distance(config: SearchConfig, search: SearchRecord) -> tuple[int, float] | None:
    """How many init arguments of the data differ, and by what factors; None if anything else does."""
    experiment = Experiment(**search.config["experiment"])
    if (config.experiment.model, config.experiment.trainer) != (experiment.model, experiment.trainer):
        return None
    if class_name(config.experiment.data) != class_name(experiment.data):
        return None
    if _limits_apart(config.settings) != _limits_apart(search.config["settings"]):
        return None
    own, other = config.experiment.data["init_args"], experiment.data["init_args"]
    if own.get("supervision") != other.get("supervision"):
        return None
    differing = [name for name in own.keys() | other.keys() if own.get(name) != other.get(name)]
    pairs = [(own.get(name), other.get(name)) for name in differing]
    numbers = [(one, two) for one, two in pairs if isinstance(one, int) and isinstance(two, int) and one and two]
    return len(differing), sum(abs(math.log(one / two)) for one, two in numbers)


def _limits_apart(settings: Json) -> Json:
    """The settings that decide whether a size suffices."""
    searching = ("start", "max_size", "multiplier", "max_evaluations", "midpoint", "relative_tolerance", "exhaustive")
    return {name: value for name, value in settings.items() if name not in searching}
