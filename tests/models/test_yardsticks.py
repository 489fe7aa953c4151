"""The floor, chance and the ceiling: tabular learner, majority and oracle."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor

from ib_bench import data
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import InvalidOptionError
from ib_bench.models import Majority, Oracle, TabularLearner
from ib_bench.models.counting_model import CountingModel
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.quantities.extrapolation.length_evaluation import evaluate_length, evaluation_set
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.model_check import model_findings
from ib_bench.training.trial import run_trial


def built(model_class: type[SequenceModel], module: StateTrackingData, **arguments: object) -> SequenceModel:
    if model_class is Oracle:
        arguments["solution"] = module.solution
    return model_class(module.vocab_size, module.num_classes, **arguments)  # type: ignore[arg-type]


def count(model: CountingModel, *batches: Batch) -> None:
    """Take one step a batch."""
    optimizer = model.configure_optimizers()
    for batch in batches:
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()


def batch_of(tokens: list[list[int]], targets: list[list[int]]) -> Batch:
    return Batch(torch.tensor(tokens), torch.tensor(targets))


def tried(model: str, size: int, max_steps: int = 200, **arguments: object) -> TrialRecord:
    of_task = {"modulus": 4, "supervision": "aligned_chain_of_thought", "length_distribution": "uniform"}
    options = {"max_length": 6, "batch_size": 64, "separator": None}
    experiment = Experiment(
        ClassSpec(f"ib_bench.models.{model}"), DataSpec("ib_bench.data.ModularAddition", of_task | options | arguments)
    )
    return run_trial(
        TrialConfig(
            experiment=experiment,
            num_train_sequences=size,
            learning_rate=1e-3,
            seed=10,
            threshold=1e-4,
            max_steps=max_steps,
            val_check_interval=None,
            num_threads=1,
        )
    )


@pytest.mark.parametrize("supervision", ["outcome", "chain_of_thought", "aligned_chain_of_thought", "sparse_states"])
@pytest.mark.parametrize("model_class", [TabularLearner, Majority, Oracle])
class TestEveryYardstick:
    def test_the_contract(self, model_class: type[SequenceModel], supervision: str) -> None:
        module = data.ModularAddition(modulus=3, max_length=5, supervision=supervision)
        model = built(model_class, module)
        findings = model_findings(model, module, module.num_positions)
        unlike = {finding.check for finding in findings if finding.state != "ok"}
        assert unlike == ({"causal"} if model_class is Majority else set()), findings  # which reads nothing
        assert {"output", "causal", "parameters", "gradients", "rows"} <= {finding.check for finding in findings}

    def test_reading_on_is_reading_at_once(self, model_class: type[SequenceModel], supervision: str) -> None:
        module = data.ModularAddition(modulus=3, max_length=5, supervision=supervision, num_train_sequences=64)
        model = built(model_class, module)
        (batch,) = module.train_dataloader()
        if isinstance(model, CountingModel):
            count(model, batch)
        logits, state = [], None
        for piece in batch.tokens.split([1, 2, batch.tokens.shape[1] - 3], dim=1):
            of_piece, state = model.decode(piece, state)
            logits.append(of_piece)
        assert torch.equal(torch.cat(logits, dim=1), model(batch.tokens))


class TestTabularLearner:
    def test_looks_up_what_it_has_seen(self) -> None:
        model = TabularLearner(vocab_size=2, num_classes=3)
        count(model, batch_of([[0, 1, 1]], [[2, 0, 1]]))
        assert model(torch.tensor([[0, 1, 1]])).argmax(dim=2).tolist() == [[2, 0, 1]]
        unknown = model(torch.tensor([[0, 0, 1]]))
        assert unknown[0, 0].argmax() == 2
        assert (unknown[0, 1:] == 0).all()  # from the first unknown step on it guesses

    def test_counts_are_of_transitions(self) -> None:
        """Against a dictionary."""
        module = data.ModularAddition(modulus=3, max_length=5, num_train_sequences=200, batch_size=200)
        (batch,) = module.train_dataloader()
        model = TabularLearner(module.vocab_size, module.num_classes)
        count(model, batch)
        seen: Counter[tuple[int, int, int]] = Counter()
        for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
            state = 3
            for token, target in zip(tokens, targets, strict=True):
                if target != IGNORE_INDEX:
                    seen[state, token, target] += 1
                    state = target
        num_positions = int(batch.mask.sum())
        assert sum(seen.values()) == num_positions
        for place in product(range(4), range(3), range(3)):
            assert model.counts[place].item() * num_positions == pytest.approx(seen[place], abs=1e-3)

    def test_the_start_is_a_state_of_its_own_unless_it_is_known(self) -> None:
        shown = batch_of([[1, 0]], [[1, 0]])  # sums modulo 2 would be 1, 1: no machine starts in its state 0 here
        one, other = TabularLearner(2, 2), TabularLearner(2, 2, initial_state=0)
        count(one, shown)
        count(other, shown)
        assert one(torch.tensor([[1, 0, 1]])).argmax(dim=2)[0, :2].tolist() == [1, 0]
        assert (one(torch.tensor([[1, 0, 1]]))[0, 2] == 0).all()  # state 0 by symbol 1 was never seen
        assert other(torch.tensor([[1, 0, 1]])).argmax(dim=2).tolist() == [[1, 0, 1]]

    def test_derives_states_that_are_not_revealed(self) -> None:
        model = TabularLearner(vocab_size=2, num_classes=3, initial_state=0)
        count(model, batch_of([[1]], [[2]]), batch_of([[1, 0]], [[IGNORE_INDEX, 1]]))
        assert model(torch.tensor([[1, 0]])).argmax(dim=2).tolist() == [[2, 1]]
        count(model, batch_of([[0, 0]], [[IGNORE_INDEX, 1]]))  # where symbol 0 leads from the start is not known
        assert (model(torch.tensor([[0]])) == 0).all()

    def test_solves_a_task_as_soon_as_all_steps_have_been_seen(self) -> None:
        few, many = (tried("TabularLearner", size) for size in (4, 100))
        assert few.status == "failed" and many.status == "succeeded"
        assert many.metrics["sequence_accuracy"] == 1
        assert many.num_steps <= 200

    @pytest.mark.parametrize("supervision", ["outcome", "chain_of_thought"])
    def test_learns_nothing_where_states_are_not_aligned(self, supervision: str) -> None:
        record = tried("TabularLearner", 300, supervision=supervision)
        assert record.status == "failed"

    def test_held_out_transitions_are_never_learned(self) -> None:
        record = tried("TabularLearner", 500, held_out_transitions=[[1, 2]])
        assert record.status == "failed"
        assert record.metrics["sequence_accuracy"] == 0

    def test_no_such_state(self) -> None:
        with pytest.raises(InvalidOptionError, match=r"initial_state must be null or a state in 0\.\.4, got 5"):
            TabularLearner(5, 5, initial_state=5)


class TestMajority:
    def test_predicts_the_frequencies(self) -> None:
        model = Majority(vocab_size=2, num_classes=4)
        for _ in range(300):
            count(model, batch_of([[0, 1, 1, 0]], [[2, 2, 1, IGNORE_INDEX]]))
        shares = model(torch.tensor([[0, 1]])).softmax(dim=2)
        torch.testing.assert_close(shares, torch.tensor([0, 1 / 3, 2 / 3, 0]).expand(1, 2, 4), atol=2e-3, rtol=0)

    def test_starts_uniform(self) -> None:
        assert Majority(2, 4)(torch.tensor([[0, 1]])).softmax(dim=2).unique().tolist() == [0.25]

    def test_is_chance(self) -> None:
        record = tried("Majority", 500)
        assert record.status == "failed"
        assert record.best_val_loss == pytest.approx(math.log(4), rel=0.02)
        assert record.metrics["normalized_token_accuracy"] == pytest.approx(0, abs=0.1)


MODULES = [
    ("ModularAddition", {"modulus": 3}),
    ("FiniteGroup", {"group": "Q8", "generators": "standard"}),
    ("Automaton", {"file": "even_pairs"}),
    ("BoundedDyck", {"num_kinds": 2, "depth": 2}),
    ("ModularArithmetic", {"modulus": 3}),
]


class TestOracle:
    @pytest.mark.parametrize(
        "supervision", ["outcome", "chain_of_thought", "aligned_chain_of_thought", "sparse_states"]
    )
    @pytest.mark.parametrize(("task", "arguments"), MODULES)
    def test_knows_every_answer(self, task: str, arguments: dict[str, object], supervision: str) -> None:
        module = getattr(data, task)(**arguments, max_length=6, supervision=supervision, num_train_sequences=20)
        oracle = built(Oracle, module)
        for batch in [*module.train_dataloader(), *module.val_dataloader()]:
            assert torch.equal(oracle(batch.tokens).argmax(dim=2)[batch.mask], batch.targets[batch.mask])
        for result in evaluate_length(oracle, module, evaluation_set(module, 12, 50)):
            assert result.final_state_accuracy == result.token_accuracy == 1
            assert result.normalized_final_state_accuracy == 1

    def test_succeeds_with_one_sequence(self) -> None:
        record = tried("Oracle", 1)
        assert record.status == "succeeded"

    def test_needs_to_see_where_the_input_ends(self) -> None:
        module = data.ModularAddition(max_length=4, supervision="chain_of_thought", separator=False)
        with pytest.raises(InvalidOptionError, match="separator must be true or null"):
            built(Oracle, module)(torch.tensor([[0, 1]]))

    def test_needs_a_solution(self) -> None:
        with pytest.raises(InvalidOptionError, match="solution must be that of the data of a task, got None"):
            Oracle(5, 5)(torch.tensor([[0, 1]]))

    @pytest.mark.system
    def test_takes_it_from_the_data_of_a_trainer(self) -> None:
        oracle = Oracle(5, 5)
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = pl.Trainer(max_steps=1, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(oracle, datamodule=data.ModularAddition(modulus=5, max_length=4, num_train_sequences=64))
        assert trainer.callback_metrics["val/sequence_accuracy"] == 1


def test_only_what_is_read_counts() -> None:
    """Padding is no observation."""
    one, other = (TabularLearner(2, 2, initial_state=0) for _ in range(2))
    count(one, batch_of([[1, 0]], [[1, 1]]))
    count(other, batch_of([[1, 0, 0, 0]], [[1, 1, IGNORE_INDEX, IGNORE_INDEX]]))
    assert torch.equal(one.counts, other.counts)
    assert isinstance(one.counts, Tensor)
