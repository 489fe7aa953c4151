"""What the record of a trial may say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_up_records import OUTCOME, Point, trial

from ib_bench.results.codec import UnreadableRecordError, decode, encode
from ib_bench.results.trial_record import TrialRecord

TRIAL = trial(Point("LSTM", OUTCOME), 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state_sizes": [8]}, "state_sizes has 1 number; it has two, or none"),
        ({"state_sizes": [8, 8, 8]}, "state_sizes has 3 numbers"),
        ({"wall_time_s": 1e308}, r"wall_time_s is 1e\+308, which is not in 0"),
        ({"process_time_s": float("nan")}, "process_time_s is nan"),
    ],
)
def test_what_no_trial_has_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(TRIAL, **change)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"state_sizes": []', '"state_sizes": [8]'), ('"wall_time_s": 1.0', '"wall_time_s": 1e308')],
)
def test_such_a_record_is_unreadable(old: str, new: str) -> None:
    text = encode(TRIAL)
    assert old in text and decode(TrialRecord, text.encode()) == TRIAL
    with pytest.raises(UnreadableRecordError, match=old.split('"')[1]):
        decode(TrialRecord, text.replace(old, new).encode())
