"""What a store holds at a moment, and what has become of it at a later one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord


@dataclass(frozen=True)
class Contents:
    """Of a store.

    Attributes:
        trials: by key.
        searches: by key.
        num_rows: trials that are written, each as often as it is.
    """

    trials: dict[str, TrialRecord]
    searches: dict[str, SearchRecord]
    num_rows: int

    def num_lost(self, later: Contents) -> int:
        """Trials that are gone later, or are others."""
        return sum(later.trials.get(key) != trial for key, trial in self.trials.items())

    def num_different_verdicts(self, other: Contents) -> int:
        """Searches that are missing there, not finished, or have found another N* on another way."""
        there = {key: _course(search) for key, search in other.searches.items()}
        return sum(there.get(key) != _course(search) for key, search in self.searches.items())

    def num_different_curves(self, other: Contents) -> int:
        """Trials that are missing on either side, or have not the same validation curve bit for bit."""
        curves, others = ({key: trial.val_curve for key, trial in side.trials.items()} for side in (self, other))
        return sum(curves.get(key) != others.get(key) for key in curves.keys() | others.keys())


def contents(path: Path) -> Contents:
    """Of the store at a path; of one that is not there yet, nothing."""
    if not path.exists():
        return Contents({}, {}, 0)
    with Store(path) as store:
        trials = list(store.all(TrialRecord))
        searches = {search.key: search for search in list(store.all(SearchRecord))}
    return Contents({trial.key: trial for trial in trials}, searches, len(trials))


def num_trials(path: Path) -> int:
    """Finished so far, in the store at a path."""
    if not path.exists():
        return 0
    with Store(path) as store:
        return store.count(TrialRecord)


def is_locked(path: Path) -> bool:
    """Whether a store cannot be written at once."""
    if not path.exists():
        return False
    connection = sqlite3.connect(path, timeout=0.5, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def _course(search: SearchRecord) -> Any:
    return search.status, search.min_train_size, search.evaluations
