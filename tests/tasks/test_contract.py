"""What every task must do."""

from __future__ import annotations

import pytest
import torch

from ib_bench import catalogue
from ib_bench.errors import SymbolRangeError
from ib_bench.tasks import ModularAddition, PermutationComposition
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine, smallest_int_dtype

EXAMPLES = [example for entry in catalogue.entries(catalogue.TASKS) for example in entry.load().examples()]
TASKS = [example.task for example in EXAMPLES] + [ModularAddition(100), PermutationComposition(5)]


def name(task: FiniteStateMachine) -> str:
    return f"{type(task).__name__}-{task.num_states}"


def test_every_shipped_task_has_examples() -> None:
    tasks = {type(example.task).__name__ for example in EXAMPLES}
    assert tasks == {entry.class_name for entry in catalogue.entries(catalogue.TASKS)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: name(example.task))
def test_examples(example: Example) -> None:
    assert example.task.trajectory(torch.tensor([example.symbols])).tolist() == [example.states]


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_table_is_closed_and_small(task: FiniteStateMachine) -> None:
    assert task.transition.shape == (task.num_states, task.num_symbols)
    assert task.transition.dtype == smallest_int_dtype(task.num_states)
    assert 0 <= int(task.transition.min()) and int(task.transition.max()) < task.num_states
    assert 0 <= task.initial_state < task.num_states


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_trajectory_follows_the_table_step_by_step(task: FiniteStateMachine) -> None:
    symbols = torch.randint(task.num_symbols, (20, 9), generator=torch.Generator().manual_seed(0))
    table = task.transition.tolist()
    expected = []
    for row in symbols.tolist():
        state, states = task.initial_state, []
        for symbol in row:
            state = table[state][symbol]
            states.append(state)
        expected.append(states)
    trajectory = task.trajectory(symbols.to(smallest_int_dtype(task.num_symbols)))
    assert trajectory.tolist() == expected
    assert trajectory.dtype == torch.int64


@pytest.mark.parametrize("task", [task for task in TASKS if task.states_are_symbols], ids=name)
def test_group_axioms(task: FiniteStateMachine) -> None:
    product, identity = task.transition.long(), task.initial_state  # product[s, x] is x after s
    elements = torch.arange(task.num_symbols)
    assert task.num_symbols == task.num_states
    assert torch.equal(product[identity], elements)
    assert torch.equal(product[:, identity], elements)
    assert ((product == identity).sum(dim=0) == 1).all() and ((product == identity).sum(dim=1) == 1).all()
    a, b, c = torch.randint(task.num_symbols, (3, 500), generator=torch.Generator().manual_seed(1))
    assert torch.equal(product[product[a, b], c], product[a, product[b, c]])


@pytest.mark.parametrize("task", TASKS, ids=name)
@pytest.mark.parametrize("too_far", [-1, 0])
def test_symbols_outside_the_alphabet(task: FiniteStateMachine, too_far: int) -> None:
    symbol = task.num_symbols if too_far == 0 else too_far
    with pytest.raises(SymbolRangeError, match=f"0..{task.num_symbols - 1}"):
        task.trajectory(torch.tensor([[0, symbol]]))
