"""Models that say so can be trained as a stack: ``vmap`` batches them, and every member keeps its own result.

Where ``vmap`` would loop over the members it warns, and warnings are errors in tests.
"""

from __future__ import annotations

import inspect

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ib_bench import catalogue
from ib_bench.models.sequence_model import SequenceModel

MODELS = [entry.load() for entry in catalogue.entries(catalogue.MODELS)]
STACKABLE = [model_class for model_class in MODELS if vars(model_class).get("stackable")]


class Stackable(torch.nn.Module):
    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model.stackable_forward(tokens)


@pytest.mark.parametrize("model_class", STACKABLE, ids=lambda model_class: model_class.__name__)
def test_each_member_computes_what_it_would_alone(model_class: type[SequenceModel]) -> None:
    small = {"hidden_size": 8, "num_heads": 2, "dropout": 0.0}
    known = inspect.signature(model_class).parameters
    arguments = {name: value for name, value in small.items() if name in known}
    members = [model_class(5, 3, **arguments).double() for _ in range(3)]
    tokens = torch.randint(5, (3, 4, 7), generator=torch.Generator().manual_seed(0))
    expected = torch.stack([model(own) for model, own in zip(members, tokens, strict=True)])
    assert not list(members[0].buffers())
    wrapped = [Stackable(model) for model in members]
    parameters, _ = stack_module_state(wrapped)
    with sdpa_kernel(SDPBackend.MATH):  # the others have no batching rule
        logits = vmap(lambda own, rows: functional_call(wrapped[0], own, (rows,)))(parameters, tokens)
    torch.testing.assert_close(logits, expected)
    gradients = torch.autograd.grad(logits.square().sum(), list(parameters.values()))
    alone = torch.autograd.grad(expected[1].square().sum(), list(members[1].parameters()))
    for own, other in zip(gradients, alone, strict=True):
        torch.testing.assert_close(own[1], other)
