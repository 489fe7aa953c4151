"""Memory that runs out in one search: it is recorded, a smaller batch is suggested, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torture.contents import Contents, contents, is_locked
from torture.figures import Figures
from torture.processes import Command
from torture.suites import SUITE

pytestmark = [pytest.mark.system, pytest.mark.torture]

HUNGRY_MODEL = """
import torch

from ib_bench.models import LSTM


class Hungry(LSTM):
    def forward(self, tokens):
        if len(tokens) > 8:
            torch.empty(2**45)
        return super().forward(tokens)
"""


def test_out_of_memory_in_one_search(tmp_path: Path, figures: Figures, undisturbed: Contents) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY_MODEL)
    (tmp_path / "suite.yaml").write_text(SUITE.replace("class_path: LSTM", "class_path: hungry.Hungry"))
    store = tmp_path / "ib_bench.sqlite"
    run = Command(tmp_path, "run", "suite.yaml", "--workers", "2", "--wandb.mode", "disabled")
    assert run.finish() == 1, run.err
    assert "out of memory in a training run on 64 sequences: try a data.batch_size below 16" in run.out
    assert "Traceback" not in run.out + run.err
    kept = contents(store)
    figures.note_fault(kept, kept)
    failed, *finished = sorted(kept.searches.values(), key=lambda search: search.labels.model != "hungry.Hungry")
    assert failed.status == "failed" and "out of memory" in str(failed.error)
    assert undisturbed.num_different_verdicts(kept) == 1 and len(finished) == 2, "the others are as they were"
    listing = Command(tmp_path, "results", "--format", "json")
    assert listing.finish() == 0
    assert {row["status"] for row in json.loads(listing.out)} == {"finished", "failed"}
    figures.processes += run.num_left()
    figures.locks += is_locked(store)
