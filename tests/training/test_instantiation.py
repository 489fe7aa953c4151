from __future__ import annotations

import pytest

from ib_bench.errors import BenchError
from ib_bench.results.records import ClassSpec, DataSpec
from ib_bench.training.instantiation import check_parameters, instantiate_data, instantiate_model

DATA = DataSpec("ib_bench.data.ModularAddition", {"modulus": 5, "max_length": 4})


def test_the_model_takes_from_the_data_what_it_asks_for() -> None:
    data = instantiate_data(DATA, seed=3)
    model = instantiate_model(ClassSpec("ib_bench.models.Transformer", {"hidden_size": 8}), data)
    assert model.head.out_features == 5
    assert model.position_embedding.num_embeddings == data.num_positions == 16 * 4


def test_missing_parameters_are_named() -> None:
    with pytest.raises(BenchError, match=r"model torch\.nn\.GELU must take the parameters vocab_size, num_classes"):
        check_parameters(ClassSpec("torch.nn.GELU"), "model", ("vocab_size", "num_classes"))
