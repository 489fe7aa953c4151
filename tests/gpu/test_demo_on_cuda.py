"""The cheap cells of the demo have on a GPU the N* that they have on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import ib_bench
from ib_bench.runner.suites import find_suite

pytestmark = [pytest.mark.gpu, pytest.mark.system, pytest.mark.filterwarnings("default")]

ON_A_CPU = {
    ("DenseSSM", "aligned_chain_of_thought"): 8,
    ("LSTM", "aligned_chain_of_thought"): 128,
    ("LSTM", "outcome"): None,
}
"""As the README shows them; None where no size suffices."""


@pytest.mark.parametrize(("model", "supervision"), ON_A_CPU)
def test_n_star_is_that_of_a_cpu(accelerator: str, model: str, supervision: str, tmp_path: Path) -> None:
    suite = yaml.safe_load(find_suite("demo").read_text(encoding="utf-8"))
    data = suite["base"]["data"]
    (spec,) = [one for one in suite["axes"]["model"] if one["class_path"] == model]
    found = ib_bench.search(
        model=spec,
        data={**data, "init_args": {**data["init_args"], "supervision": supervision}},
        trainer={"accelerator": accelerator},
        search=suite["base"]["search"],
        store=tmp_path / "store.sqlite",
    )
    assert found.min_train_size == ON_A_CPU[model, supervision]
