"""What is no finite-state machine is refused where data are built, in one sentence."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from torch import Tensor

from ib_bench import catalogue
from ib_bench.data.state_tracking_data import StateTrackingData, data_module_of
from ib_bench.errors import InvalidTaskError
from ib_bench.tasks import ModularAddition
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine
from ib_bench.tasks.task_check import check_task

_calls = count()


class Own(FiniteStateMachine):
    """A machine whose parts are arguments."""

    def __init__(
        self,
        table: object = None,
        num_states: int = 3,
        initial_state: int = 0,
        answers: Tensor | None = None,
        allowed: Tensor | None = None,
    ) -> None:
        self.num_symbols, self.num_states = 2, num_states
        self.table = torch.zeros(int(num_states), 2, dtype=torch.int64) if table is None else table
        self.initial_state = initial_state
        self.answer_of_state = answers
        self.allowed = allowed

    def _build_transition(self) -> Tensor:
        return self.table  # type: ignore[return-value]

    @classmethod
    def examples(cls) -> list[Example]:
        return []


class Drawn(Own):
    """Another machine each time."""

    def __init__(self) -> None:
        super().__init__(torch.full((3, 2), next(_calls) % 3))


class Started(Own):
    """Starts elsewhere each time."""

    def __init__(self) -> None:
        super().__init__(initial_state=next(_calls) % 3)


class Answering(Own):
    """Asks for something else each time."""

    def __init__(self) -> None:
        super().__init__(answers=torch.tensor([0, 1, next(_calls) % 2]))


class Wrong(Own):
    """Does not do what its example says."""

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), [0, 1], [0, 2])]


class Shortcut(Own):
    """Computes runs in another way than by its table."""

    def _run(self, symbols: Tensor) -> Tensor:
        return symbols.long()


class SymbolsAreStates(Own):
    """Says that symbols are states, of which there are three and two."""

    states_are_symbols = True


TABLE = torch.tensor([[0, 1], [1, 2], [2, 0]])


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (Own(TABLE.T), r"must have transition of shape \(num_states, num_symbols\), here \(3, 2\), got \(2, 3\)"),
        (Own(torch.cat([TABLE, TABLE], dim=1)), r".* here \(3, 2\), got \(3, 4\)"),
        (Own(TABLE.flatten()), r".* here \(3, 2\), got \(6,\)"),
        (Own(TABLE > 0), "must have integers in its transition, got numbers of type bool"),
        (Own(TABLE.float()), "must have integers in its transition, got numbers of type float32"),
        (Own(TABLE + 1), r"must have values in 0\.\.2 in its transition, got 1\.\.3"),
        (
            Own(torch.full((300, 2), -1), num_states=300),
            r"must have values in 0\.\.299 in its transition, got -1\.\.-1",
        ),
        (Own(TABLE.tolist()), "must build its transition as a torch tensor, got list"),
        (Own(num_states=0), "must set num_states to an integer of at least 2, got 0"),
        (Own(num_states=True), "must set num_states to an integer of at least 2, got True"),
        (Own(initial_state=3), r"must have initial_state in 0\.\.2, got 3"),
        (Own(initial_state=-1), r"must have initial_state in 0\.\.2, got -1"),
        (Own(answers=torch.tensor([0, 1])), r"must have answer_of_state of shape \(num_states,\), here \(3,\), got"),
        (Own(answers=torch.tensor([0, 1, 3])), r"must have values in 0\.\.2 in its answer_of_state, got 0\.\.3"),
        (Own(answers=torch.tensor([1, 1, 1])), "must have at least two different answers"),
        (Own(allowed=torch.ones(2, 3, dtype=torch.bool)), "must have bools of shape"),
        (Own(allowed=torch.ones(3, 2)), "must have bools of shape"),
        (SymbolsAreStates(), "says that its states are symbols, but has 2 symbols and 3 states"),
    ],
)
def test_what_is_no_machine(task: Own, fault: str) -> None:
    with pytest.raises(InvalidTaskError, match=f"task {type(task).__name__} {fault}"):
        StateTrackingData(task, max_length=4)


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (Drawn, "must be the same machine each time it is built"),
        (Started, "must be the same machine each time it is built"),
        (Answering, "must be the same machine each time it is built, got two different answer_of_state"),
        (Wrong, r"must do what its examples say: \[0, 1\] leads to \[0, 0\], the example says \[0, 2\]"),
        (Shortcut, "must have trajectories that follow its transition"),
    ],
)
def test_what_is_not_always_the_same(task: type[Own], fault: str) -> None:
    with pytest.raises(InvalidTaskError, match=f"task {task.__name__} {fault}"):
        data_module_of(task)(max_length=4)


class Unexplained(FiniteStateMachine):
    """Has no examples."""

    num_states = num_symbols = 2

    def _build_transition(self) -> Tensor:
        return torch.zeros(2, 2, dtype=torch.int64)


def test_a_task_must_have_examples() -> None:
    with pytest.raises(InvalidTaskError, match="task Unexplained must define examples"):
        data_module_of(Unexplained)(max_length=4)


def test_a_table_that_is_wrong_is_never_used() -> None:
    with pytest.raises(InvalidTaskError, match="must have values in"):
        Own(torch.full((3, 2), -1)).trajectory(torch.tensor([[0, 1]]))


def test_data_are_made_of_what_is_right() -> None:
    data = data_module_of(Own)(TABLE.to(torch.int16), answers=torch.tensor([1, 0, 1]), max_length=4)
    assert data.num_classes == 2


@pytest.mark.parametrize("entry", catalogue.entries(catalogue.TASKS), ids=lambda entry: entry.class_name)
def test_shipped_tasks_pass(entry: catalogue.Entry) -> None:
    check_task(entry.load()(), {})


def test_a_table_that_no_memory_holds_is_not_built() -> None:
    with pytest.raises(InvalidTaskError, match="must have at most 268,435,456 entries in its transition, got 32,768"):
        _ = ModularAddition(2**15).transition


class OnlyByName(Own):
    def __init__(self, *, num_switches: int = 3) -> None:
        super().__init__(num_states=num_switches)


class WithSeed(Own):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()


def test_parameters_that_are_given_by_name_alone() -> None:
    data = data_module_of(OnlyByName)(num_switches=4, max_length=5)
    assert (data.task.num_states, data.max_length) == (4, 5)


def test_a_parameter_of_the_data_is_none_of_the_task() -> None:
    with pytest.raises(InvalidTaskError, match="task WithSeed must not take seed: its data do"):
        data_module_of(WithSeed)
