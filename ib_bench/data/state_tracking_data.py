"""The LightningDataModule of every task."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Any

import torch

from ib_bench import catalogue
from ib_bench.data.batches import EpochShuffle, EvalBatches, TrainBatches
from ib_bench.data.length_distributions.length_distribution import LengthDistribution
from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.sequence_pool import SequencePool, Sequences
from ib_bench.data.sequence_sets import SequenceSpace, Step, all_of, checked_steps, sequence_space
from ib_bench.data.solution import Solution
from ib_bench.errors import InvalidTaskError, NothingHeldOutError, PoolExhaustedError, require
from ib_bench.results.records import MIN_LENGTH
from ib_bench.supervision.supervision import Batch, Supervision
from ib_bench.tasks.finite_state_machine import FiniteStateMachine
from ib_bench.tasks.task_check import check_task

EVAL_BATCH_SIZE = 500

MAX_EVAL_LOGITS = 2**27
"""In a batch of an evaluation, half a gigabyte; batches are smaller where they would have more."""

MAX_LENGTH = 2**11 - 1  # 16 times as many symbols still fit into the 16 bits of a length

DEFAULT_MAX_SEQUENCES = 16_000_000

MAX_LENGTH_MULTIPLE = 16
"""The longest evaluation, in multiples of ``max_length``: learned positions must reach that far."""


class StateTrackingData(SearchableData):
    """Runs of a finite-state machine, drawn without replacement and written down for a sequence model.

    Args:
        task: the machine whose state is to be tracked.
        supervision: what is written down: ``outcome``, ``chain_of_thought``, ``aligned_chain_of_thought``,
            ``sparse_states``, or the dotted path of another
            :class:`~ib_bench.supervision.supervision.Supervision`.
        length_distribution: ``fixed``, ``uniform``, ``short_to_long``, or the dotted path of another
            :class:`~ib_bench.data.length_distributions.length_distribution.LengthDistribution`.
        max_length: number of symbols in the longest sequences (L), in 2..2047.
        num_train_sequences: size of the training set (N), at least 1; null takes the whole pool, up to the paper's
            largest size of 16,000,000.
        batch_size: sequences per optimizer step, at least 1.
        seed: determines the validation set, the order of the training pool and the order of each epoch; in 0..2^32-1.
        separator: whether a ``=`` token follows the input; null does what the regime does.
        min_length: number of symbols in the shortest sequences, in 2..max_length.
        saturated: train on all sequences and validate on the same; none is held out, and there is no test set. The
            size is then that of the whole space. For evaluations that tell a lack of sequences from a lack of steps.
        held_out_transitions: pairs of a state and a symbol. No training sequence reads that symbol in that state, every
            validation and test sequence does so for at least one of the pairs.
        held_out_pairs: ordered pairs of consecutive symbols, kept out of training and asked for in the same way.
        revealed: probability with which ``sparse_states`` asks for a state, in 0..1; null with other regimes.

    Attributes:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        max_train_sequences: size of the training pool, the largest training set there can be.
        num_positions: tokens in the longest sequence of any evaluation, ``MAX_LENGTH_MULTIPLE`` times ``max_length``.
        num_test: size of the test set; 0 where training and validation set leave no sequence for one.
        init_args: the arguments that it was made with, by name; empty where they are not known.

    Raises:
        InvalidOptionError: a value outside its range.
        InvalidTaskError: the task is no finite-state machine.
        UnknownNameError: no such supervision or length distribution.
        NothingHeldOutError: no sequence can be held out for validation.
        PoolExhaustedError: fewer than ``num_train_sequences`` distinct sequences exist.

    Reference: arXiv 2602.18333, sections 3 and 4.
    """

    def __init__(
        self,
        task: FiniteStateMachine,
        supervision: str = "aligned_chain_of_thought",
        length_distribution: str = "uniform",
        max_length: int = 10,
        num_train_sequences: int | None = None,
        batch_size: int = 64,
        seed: int = 10,
        separator: bool | None = None,
        min_length: int = MIN_LENGTH,
        saturated: bool = False,
        held_out_transitions: list[list[int]] | None = None,
        held_out_pairs: list[list[int]] | None = None,
        revealed: float | None = None,
    ) -> None:
        super().__init__()
        self.init_args: dict[str, Any] = {}
        in_range = MIN_LENGTH <= max_length <= MAX_LENGTH
        require(in_range, "max_length", max_length, f"an integer in {MIN_LENGTH}..{MAX_LENGTH}")
        shortest = MIN_LENGTH <= min_length <= max_length
        require(shortest, "min_length", min_length, f"an integer in {MIN_LENGTH}..max_length, {max_length}")
        require(1 <= batch_size < 2**31, "batch_size", batch_size, "an integer in 1..2^31-1")
        require(0 <= seed < 2**32, "seed", seed, "an integer in 0..2^32-1")
        num = num_train_sequences
        require(num is None or num >= 1, "num_train_sequences", num, "null or an integer of at least 1")
        kind, name = catalogue.LENGTH_DISTRIBUTIONS, length_distribution
        distribution = catalogue.find_class(kind, name, "length_distribution", LengthDistribution)
        regime = catalogue.find_class(catalogue.SUPERVISION, supervision, "supervision", Supervision)
        check_task(task)
        self.task = task
        self.files = (*self.files, *task.files)
        takes_it = revealed is None or "revealed" in inspect.signature(regime).parameters
        require(takes_it, "revealed", revealed, f"null with {supervision}")
        self.supervision: Supervision = _regime(regime, task, separator, {"seed": seed, "revealed": revealed})
        self.solution = Solution(task, self.supervision)
        held_out = {"held_out_transitions": held_out_transitions, "held_out_pairs": held_out_pairs}
        # a saturated evaluation trains on all there is, held-out steps included
        space = SequenceSpace(all_of(task)) if saturated else _space(task, **held_out)
        self.pool = SequencePool(task.num_symbols, distribution(), max_length, seed, min_length, saturated, space)
        _require_sequences(self.pool, held_out, max_length)
        self.max_train_sequences = self.pool.num_train
        if saturated:
            allowed = f"null, or all {self.max_train_sequences:,} sequences where saturated"
            require(num in (None, self.max_train_sequences), "num_train_sequences", num, allowed)
            num = self.max_train_sequences
        self.num_train_sequences = min(self.max_train_sequences, DEFAULT_MAX_SEQUENCES) if num is None else num
        if self.num_train_sequences > self.max_train_sequences:
            raise PoolExhaustedError(self.num_train_sequences, self.max_train_sequences)
        self.max_length = max_length
        self.batch_size = batch_size
        self.seed = seed
        self.vocab_size = self.supervision.vocab_size
        self.num_classes = self.supervision.num_classes
        self.num_positions = self.supervision.num_tokens(MAX_LENGTH_MULTIPLE * max_length)

    def encode(self, sequences: Sequences, supervision: Supervision | None = None) -> Batch:
        """Run the machine over ``sequences`` and write the runs down.

        Args:
            sequences: to be read.
            supervision: the regime; None is that of the data.
        """
        regime = supervision or self.supervision
        states = self.task.trajectory(sequences.symbols)
        asked = states if regime.writes_states else self.task.answers(states)
        return regime.encode(sequences.symbols, asked, sequences.lengths.long())

    def train_dataloader(self) -> TrainBatches:
        """The first ``num_train_sequences`` of the pool, reshuffled every epoch."""
        shuffle = EpochShuffle(self.num_train_sequences, self.seed)
        return TrainBatches(self._training_set, self.encode, self.batch_size, shuffle)

    def val_dataloader(self) -> EvalBatches:
        """The held-out sequences; the same for every training set of this seed."""
        return self._held_out

    def test_dataloader(self) -> EvalBatches:
        """Sequences that are in neither the training nor the validation set.

        Raises:
            NothingToTestOnError: there are none.
        """
        return self._test_batches

    def confirmation_dataloader(self) -> EvalBatches | None:
        """The test set, to confirm a success on it; None where the training set leaves too few sequences for that."""
        return self._test_batches if self.pool.num_confirming(self.num_train_sequences) else None

    @cached_property
    def num_test(self) -> int:
        """See :class:`StateTrackingData`."""
        return self.pool.num_test(self.num_train_sequences)

    @property
    def _eval_batch_size(self) -> int:
        num_logits = self.supervision.complete.num_tokens(self.max_length) * self.num_classes
        return max(1, min(EVAL_BATCH_SIZE, MAX_EVAL_LOGITS // num_logits))

    @cached_property
    @torch.inference_mode(False)  # what is kept is also read outside of Lightning's inference mode
    def _training_set(self) -> Sequences:
        return self.pool.training_set(self.num_train_sequences)

    @cached_property
    @torch.inference_mode(False)  # what is kept is also read outside of Lightning's inference mode
    def _held_out(self) -> EvalBatches:
        return EvalBatches(self.pool.validation_set(), self.encode, self._eval_batch_size)

    @cached_property
    @torch.inference_mode(False)  # what is kept is also read outside of Lightning's inference mode
    def _test_batches(self) -> EvalBatches:
        return EvalBatches(self.pool.test_set(self.num_train_sequences), self.encode, self._eval_batch_size)


def _regime(
    regime: type[Supervision], task: FiniteStateMachine, separator: bool | None, options: dict[str, Any]
) -> Supervision:
    """A regime, with those of the data's options that it takes; an unset one keeps the regime's default."""
    taken = inspect.signature(regime).parameters
    given = {name: value for name, value in options.items() if name in taken and value is not None}
    return regime(task, separator, **given)


def _space(
    task: FiniteStateMachine, held_out_transitions: list[list[int]] | None, held_out_pairs: list[list[int]] | None
) -> SequenceSpace:
    """The sequences that there are, some of whose steps are kept out of training."""
    transitions: list[Step] = []
    pairs: list[Step] = []
    if held_out_transitions is not None:
        sizes, names = (task.num_states, task.num_symbols), ("state", "symbol")
        transitions = checked_steps("held_out_transitions", held_out_transitions, sizes, names)
    if held_out_pairs is not None:
        sizes, names = (task.num_symbols, task.num_symbols), ("symbol", "next symbol")
        pairs = checked_steps("held_out_pairs", held_out_pairs, sizes, names)
    return sequence_space(task, transitions, pairs)


def _require_sequences(pool: SequencePool, held_out: dict[str, list[list[int]] | None], max_length: int) -> None:
    """Make sure that there is something to train and to validate on."""
    if pool.space.asked is None:
        if pool.num_val == 0:
            raise NothingHeldOutError(pool.num_train)
        return
    option, steps = next((name, steps) for name, steps in held_out.items() if steps is not None)
    allowed = f"steps that some, but not all, sequences of up to {max_length} symbols take"
    require(pool.num_val > 0 and pool.num_train > 0, option, steps, allowed)


def data_module_of(task: type[FiniteStateMachine]) -> type[StateTrackingData]:
    """The DataModule of one task: takes the task's own parameters, then those of :class:`StateTrackingData`.

    It is made from the two signatures, so that a new task needs no DataModule of its own, and so that the command line
    and a config name the task where they name the data: ``--data ModularAddition --data.modulus 5``. For a task from
    outside, assign it in the task's module: after ``ToggleData = data_module_of(Toggle)`` in ``my_tasks.py``,
    ``--data my_tasks.ToggleData`` is such data.

    Raises:
        InvalidTaskError: the task has a parameter of the data, such as ``seed``.
    """
    own = list(inspect.signature(task, eval_str=True).parameters.values())
    shared = list(inspect.signature(StateTrackingData, eval_str=True).parameters.values())[1:]
    if both := {parameter.name for parameter in own} & {parameter.name for parameter in shared}:
        raise InvalidTaskError(task.__name__, f"must not take {', '.join(sorted(both))}: its data do")
    if any(parameter.kind is parameter.KEYWORD_ONLY for parameter in own):
        shared = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shared]

    def __init__(self: StateTrackingData, *args: Any, **kwargs: Any) -> None:
        arguments = signature.bind(self, *args, **kwargs)
        arguments.apply_defaults()
        of_task = {parameter.name: arguments.arguments[parameter.name] for parameter in own}
        of_data = {parameter.name: arguments.arguments[parameter.name] for parameter in shared}
        if missing := sorted(getattr(task, "__abstractmethods__", ())):
            raise InvalidTaskError(task.__name__, f"must define {', '.join(missing)}")
        machine = task(**of_task)
        check_task(machine, of_task)
        StateTrackingData.__init__(self, machine, **of_data)
        if type(self).__init__ is __init__:  # the constructor of a derived class may take other arguments
            self.init_args = of_task | of_data

    self_parameter = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([self_parameter, *own, *shared])
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    __init__.__annotations__ = {parameter.name: parameter.annotation for parameter in own + shared}
    shipped = task.__module__.rpartition(".")[0] == catalogue.TASKS
    name, module = (task.__name__, "ib_bench.data") if shipped else (f"{task.__name__}Data", task.__module__)
    namespace = {"__init__": __init__, "__doc__": _joined_docstring(task), "__module__": module}
    return type(name, (StateTrackingData,), namespace)


def _joined_docstring(task: type[FiniteStateMachine]) -> str:
    """The task's docstring, with the arguments of the data after its own."""
    shared = inspect.cleandoc(StateTrackingData.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
    shared = shared[shared.index("    supervision:") :]
    summary, _, rest = inspect.cleandoc(task.__doc__ or "").partition("\n\nArgs:\n")
    own, _, after = rest.partition("\n\n")
    return f"{summary}\n\nArgs:\n" + "\n".join(filter(None, [own, shared])) + f"\n\n{after}"


def num_states_of(data: SearchableData) -> int:
    """Number of the task's states; for data without a task, of the answers.

    Args:
        data: of any kind.
    """
    return data.task.num_states if isinstance(data, StateTrackingData) else data.num_classes
