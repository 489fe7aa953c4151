from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ib_bench.errors import BenchError
from ib_bench.results.records import ClassSpec, DataSpec
from ib_bench.training.instantiation import check_parameters, instantiate_data, instantiate_model, source_digests

DATA = DataSpec("ib_bench.data.ModularAddition", {"modulus": 5, "max_length": 4})


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own module, with a base class in another module of the same package."""
    package = tmp_path / "outside"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text("from ib_bench.models import LSTM\nclass Base(LSTM): pass\n")
    (package / "model.py").write_text("from outside.base import Base\nclass Model(Base): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "outside"]:
        del sys.modules[name]


def digest(spec: dict[str, object]) -> dict[str, str]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "outside"]:
        del sys.modules[name]
    __import__("linecache").clearcache()
    return source_digests(spec)


def test_shipped_classes_have_no_digest() -> None:
    assert source_digests(ClassSpec("ib_bench.models.LSTM", {"x": "a. b", "y": "v1.0"})) == {}


@pytest.mark.parametrize("edited", ["model.py", "base.py"])
def test_an_edit_changes_the_digest(outside: Path, edited: str) -> None:
    spec = DataSpec("outside.model.Model", {})
    before = digest(spec)
    assert set(before) == {"outside.model.Model"}
    assert digest(spec) == before
    (outside / edited).write_text((outside / edited).read_text() + "# edited\n")
    assert digest(spec) != before


def test_classes_named_inside_a_spec_count_too(outside: Path) -> None:
    nested = DataSpec("ib_bench.data.ModularAddition", {"supervision": "outside.base.Base"})
    assert set(digest(nested)) == {"outside.base.Base"}


def test_the_model_takes_from_the_data_what_it_asks_for() -> None:
    data = instantiate_data(DATA, seed=3)
    model = instantiate_model(ClassSpec("ib_bench.models.Transformer", {"hidden_size": 8}), data)
    assert model.head.out_features == 5
    assert model.position_embedding.num_embeddings == data.num_positions == 16 * 4


def test_missing_parameters_are_named() -> None:
    with pytest.raises(BenchError, match=r"model torch\.nn\.GELU must take the parameters vocab_size, num_classes"):
        check_parameters(ClassSpec("torch.nn.GELU"), "model", ("vocab_size", "num_classes"))
