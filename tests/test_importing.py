from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from ib_bench.importing import import_for_good, without_garbage_collection


def test_collection_goes_on_afterwards() -> None:
    @without_garbage_collection()
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()


def test_who_has_turned_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_module_is_imported_once() -> None:
    assert import_for_good("ib_bench.importing") is sys.modules["ib_bench.importing"]
    with pytest.raises(ModuleNotFoundError):
        import_for_good("ib_bench.no_such_module")
    assert gc.isenabled()


SEARCH = (
    *("search", "--model", "LSTM", "--model.hidden_size", "8", "--data", "ModularAddition", "--data.modulus", "3"),
    *("--data.max_length", "4", "--search.learning_rates", "[0.001]", "--search.seeds", "[1]"),
    *("--search.max_steps", "5", "--search.max_size", "32", "--search.max_evaluations", "1"),
    *("--trainer.accelerator", "cpu", "--wandb.mode", "disabled"),
)

FIRST_STEP = """
import sys
from ib_bench.cli import main

class Reached(BaseException):
    pass

def stop(frame, event, argument):
    if frame.f_code.co_name == "training_step":
        raise Reached

sys.setprofile(stop)
try:
    main(sys.argv[1:])
except Reached:
    sys.setprofile(None)
    print(*sys.modules)
"""

NOT_NEEDED = {
    *("matplotlib", "transformers", "scipy.signal", "scipy.stats", "pandas", "torchvision", "torchaudio", "IPython"),
    *("wandb", "altair", "vl_convert", "tensorboard", "tensorboardX", "sklearn", "pyarrow", "ray", "submitit"),
    *("transformers.modeling_utils", "huggingface_hub", "torch._inductor.compile_fx"),
}


@pytest.mark.system
@pytest.mark.slow
def test_what_a_search_does_not_import_before_its_first_step(tmp_path: Path) -> None:
    command = (sys.executable, "-c", FIRST_STEP, *SEARCH)
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    imported = set(printed.split())
    assert {"torch", "lightning.pytorch", "torchmetrics", "ib_bench.training.trial"} <= imported
    assert imported & NOT_NEEDED == set()


EXTRAS = """
import sys
from ib_bench.importing import import_for_good

import_for_good("torchmetrics", extras=False)
assert "scipy.signal" not in sys.modules
import scipy.signal, matplotlib.pyplot, transformers  # for what else needs them, they are there
assert scipy.signal.windows and matplotlib.pyplot.plot and transformers.GPT2Config
"""


@pytest.mark.system
@pytest.mark.slow
def test_what_torchmetrics_does_without_can_still_be_imported() -> None:
    pytest.importorskip("matplotlib")
    assert subprocess.run((sys.executable, "-c", EXTRAS), check=False).returncode == 0
