"""What is run under torture."""

from __future__ import annotations

from pathlib import Path

SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4, batch_size: 16}}
  search: {learning_rates: [0.01, 0.001], seeds: [1, 2, 3], max_steps: 120, max_size: 64, max_evaluations: 4,
           multiplier: 4, threshold: 0.3}
axes:
  model:
    - {class_path: LSTM, init_args: {hidden_size: 16}}
    - {class_path: DenseSSM, init_args: {hidden_size: 16}}
    - {class_path: Transformer, init_args: {hidden_size: 16, num_heads: 2, num_layers: 1}}
"""
"""Three searches of up to 14 trials, which take a few seconds; they end at 16, 4 and above 64."""


def write_suite(folder: Path) -> None:
    """The suite as ``suite.yaml``."""
    (folder / "suite.yaml").write_text(SUITE)
