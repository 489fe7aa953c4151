"""Drawing and encoding a training set: how long it takes, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.measurement import Measurement, OnRound

_PROGRAM = """
import json, resource, sys, time
from ib_bench.data import ModularAddition
num = int(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
data = ModularAddition(modulus=100, max_length=30, length_distribution="uniform", num_train_sequences=num)
num_encoded = sum(len(batch.tokens) for batch in data.train_dataloader())
assert num_encoded == num
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, before / 2**20]))
"""
"""In a process of its own, whose peak memory is that of the work; in KiB on Linux."""

_SIZES = ((1_000_000, None, None), (16_000_000, 30.0, 1.5))
"""Sequences, and the targets: seconds and GB."""


def sequences(on_round: OnRound) -> list[Measurement]:
    """Draw and encode sequences of sums modulo 100, lengths 2..30: one epoch of batches of 64.

    Args:
        on_round: receives the number of sequences.
    """
    measurements = []
    for num, seconds_target, memory_target in _SIZES:
        on_round(f"{num:,} sequences")
        command = [sys.executable, "-c", _PROGRAM, str(num)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, peak, before = json.loads(output)
        what = f"{num / 1e6:g}M sequences, m = 100, L = 30"
        measurements.append(Measurement("sequences", f"{what}: time of the first epoch", seconds, "s", seconds_target))
        note = f"{before:.2f} GB before, with torch"
        measurements.append(Measurement("sequences", f"{what}: peak memory", peak, "GB", memory_target, note=note))
    return measurements
