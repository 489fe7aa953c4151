"""What a warm start and the futility rule would have spared in the reference results."""

from __future__ import annotations

from ib_bench.benchmarks.figure import Figure
from ib_bench.results.records import Experiment, SearchConfig, SearchRecord
from ib_bench.results.reference import reference_records
from ib_bench.studies.futility import back_test
from ib_bench.studies.neighbours import guess_from
from ib_bench.studies.search import SearchSettings

_SHARES = (0.25, 0.5, 0.75)


def warm_start() -> list[Figure]:
    """Sizes tried by the reference searches, from N_max and from the nearest search that had finished before.

    A size is taken to suffice from the search's own N* on; only sizes that fail cost a whole grid.
    """
    done: list[SearchRecord] = []
    cold, warm = [0, 0], [0, 0]
    for search in sorted(reference_records().finished, key=lambda record: record.updated_at):
        if not search.max_size:
            continue
        config = SearchConfig(Experiment(**search.config["experiment"]), search.config["settings"])
        bisection = SearchSettings(**config.settings).bisection(search.max_size)
        needed = search.max_size + 1 if search.min_train_size is None else search.min_train_size
        for counts, guess in ((cold, None), (warm, guess_from(config, done))):
            answers = [answer for _, answer, _ in bisection.run(lambda size, n=needed: size >= n, guess)]  # type: ignore[misc]
            counts[0] += len(answers)
            counts[1] += answers.count(False)
        done.append(search)
    kinds = ("sizes tried", "sizes that fail")
    return [
        Figure("warm_start", f"reference results: {kind}, from N_max against from the nearest search", one / other, "x")
        for kind, one, other in zip(kinds, cold, warm, strict=True)
        if other
    ]


def futility() -> list[Figure]:
    """The futility rule, held against the reference results' curves."""
    figures = []
    for share in _SHARES:
        cost = back_test(reference_records(), share)
        what = f"futility {share:g}: successes ended early"
        note = f"{cost.num_lost} of {cost.num_successes}; {cost.num_changed} of {cost.num_searches} verdicts changed"
        figures.append(Figure("futility", what, 100 * cost.num_lost / max(cost.num_successes, 1), "%", note=note))
        figures.append(Figure("futility", f"futility {share:g}: steps saved", 100 * cost.share_saved, "%"))
    return figures
