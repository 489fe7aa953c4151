"""Mistakes in models are found before anything is trained."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from own_mixers import RunningMean
from torch import Tensor, nn

from ib_bench import catalogue, models
from ib_bench.data import ModularAddition
from ib_bench.models import Oracle
from ib_bench.models.counting_model import CountingModel
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.integrity import Finding
from ib_bench.training.model_check import few_rows, milliseconds_per_step, model_findings, state_size
from ib_bench.training.seed_check import seeding_finding

DATA = ModularAddition(modulus=5, max_length=6)
SHIPPED = [entry.load() for entry in catalogue.entries(catalogue.MODELS)]
ARCHITECTURES = [model_class for model_class in SHIPPED if not issubclass(model_class, CountingModel | Oracle)]


class Own(SequenceModel):
    """A user's own, correct unless ``change`` says otherwise."""

    def __init__(self, change: Callable[[Tensor], Any] = lambda logits: logits, num_layers: int = 1) -> None:
        super().__init__(5)
        self.change = change
        self.embedding = nn.Embedding(DATA.vocab_size, 8)
        self.gru = nn.GRU(8, 8, num_layers, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, tokens: Tensor) -> Any:
        return self.change(self.head(self.gru(self.embedding(tokens))[0]))


class Learned(Own):
    """Has a vector for each position, up to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Embedding(10, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        position = self.position(torch.arange(tokens.shape[1]))
        return self.head(self.gru(self.embedding(tokens) + position)[0])


class Frozen(Own):
    """Nothing in it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)


class Idle(Own):
    """Has parameters that take no part."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Linear(2, 2)


class Detached(Own):
    """No gradient reaches a parameter; the constant that is trained is not used."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).detach().requires_grad_()


class Failing(Own):
    """Fails in training mode only."""

    def forward(self, tokens: Tensor) -> Any:
        assert not self.training, "not today"
        return super().forward(tokens)


class Packed(Own):
    """Offers to leave padding out; ``repack`` does something to the result."""

    packable = True

    def __init__(self, repack: Callable[[Tensor], Any] = lambda logits: logits) -> None:
        super().__init__()
        self.repack = repack

    def packed_forward(self, batch: PackedBatch) -> Any:
        logits = self(batch.pad(batch.tokens))
        return self.repack(batch.unpad(logits)[batch.supervised])


class PackedInNameOnly(Own):
    """Says so and does not do it."""

    packable = True


class Growing(Own):
    """Carries something of every token that it has read."""

    def decode(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, seen = super().decode(tokens, None if state is None else state["tokens"])
        return logits, {"tokens": seen}


class HiddenLookahead(Own):
    """Looks ahead as soon as something that starts at zero has been trained."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.gate = nn.Parameter(torch.zeros(1))
        if kind == "head":
            self.gru = nn.GRU(8, 4, batch_first=True, bidirectional=True)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.gru(self.embedding(tokens))[0]
        mean = hidden.mean(dim=1, keepdim=True)
        leaks = {
            "head": lambda: hidden + self.gate,
            "gate": lambda: hidden + self.gate * mean,
            "clamped gate": lambda: hidden + self.gate.relu() * mean,
            "other clamped gate": lambda: hidden - (-self.gate).relu() * mean,
            "small": lambda: hidden + 1e-4 * mean + self.gate,
            "small in float32": lambda: (hidden + 1e-4 * mean + self.gate).float().to(hidden.dtype),
        }
        return self.head(leaks[self.kind]())


class HiddenNeighbours(Own):
    """Lets sequences see each other once a gate has been trained."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor) -> Tensor:
        logits = super().forward(tokens)
        return logits + self.gate * logits.mean(dim=0)


class ZeroHead(Own):
    """Correct; its head starts at zero, so that no gradient reaches the rest at first."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.head.weight)


class Float32(Own):
    """Correct, and insists on float32."""

    def forward(self, tokens: Tensor) -> Tensor:
        weight = torch.ones(8, 5, dtype=torch.float32)
        return self.head(self.gru(self.embedding(tokens))[0]) + self.embedding(tokens) @ weight


class RoundsInside(Own):
    """Correct, but what comes later changes how the sums of float32 round."""

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.gru(self.embedding(tokens))[0]
        single = hidden.float()
        later = single.flip(1).cumsum(1).flip(1)
        return self.head(hidden + (later[:, :1] - later + single).to(hidden.dtype))


class Overwriting(Own):
    """Changes the tokens that it is given, in training mode only if ``training`` is so."""

    def __init__(self, training: bool) -> None:
        super().__init__()
        self.in_training = training

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens.clamp_(max=1) if self.training or not self.in_training else tokens)


class Counting(Own):
    """Carries something from call to call."""

    num_calls = 0

    def forward(self, tokens: Tensor) -> Tensor:
        self.num_calls += 1
        return super().forward(tokens) + self.num_calls


class ByWidth(Own):
    """Does ``change`` to the logits of sequences of at least ``width`` tokens."""

    def __init__(self, width: int, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.width, self.changed = width, change

    def forward(self, tokens: Tensor) -> Tensor:
        logits = super().forward(tokens)
        return self.changed(logits) if tokens.shape[1] >= self.width else logits


class BatchSecond(Own):
    """Reads batches as sequences: a GRU without ``batch_first``."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 8)


class Lazy(Own):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.LazyLinear(5)


def _unseeded() -> float:
    return float(os.urandom(1)[0] + 256 * os.urandom(1)[0])


class Drawing(Own):
    """Draws its head's weights, or a factor in training, in a way of its own."""

    def __init__(self, kind: str) -> None:
        if kind == "seeded":
            torch.default_generator.manual_seed(0)
        super().__init__()
        self.kind = kind
        if kind == "own generator":
            self.head.weight.data.mul_(_unseeded())
        if kind == "constant":
            for parameter in self.parameters():
                nn.init.constant_(parameter, 0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        factor = _unseeded() if self.kind == "in training" and self.training else 1.0
        return super().forward(tokens) * factor


class Uncopyable(Own):
    def __deepcopy__(self, memo: object) -> None:
        raise TypeError("no")


class Closed(Own):
    """Correct; it keeps a function that uses it, as ``torch.compile(self.forward)`` does, which no copy can have."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.ones(1))
        self.scaled = lambda logits: self.gate * logits

    def forward(self, tokens: Tensor) -> Tensor:
        scaled: Tensor = self.scaled(super().forward(tokens))
        return scaled


class Plain(pl.LightningModule):
    """No SequenceModel."""

    def __init__(self, name: str = "val/loss") -> None:
        super().__init__()
        self.head = nn.Linear(2, 2)
        self.name = name

    def validation_step(self, batch: object, batch_idx: int) -> None:
        self.log(self.name, self.head.weight.sum())


class Unjudged(Plain):
    def validation_step(self, batch: object, batch_idx: int) -> None:
        raise KeyError("loss")


def found(model: pl.LightningModule, num_positions: int = 0) -> list[Finding]:
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return model_findings(model, DATA, num_positions)


def failures(model: pl.LightningModule) -> dict[str, str]:
    return {finding.check: finding.text for finding in found(model) if finding.state != "ok"}


@pytest.mark.parametrize("model_class", ARCHITECTURES, ids=lambda model_class: model_class.__name__)
def test_shipped_models_pass(model_class: type[SequenceModel]) -> None:
    mixer = {"mixer": RunningMean} if "mixer" in inspect.signature(model_class).parameters else {}
    model = model_class(DATA.vocab_size, DATA.num_classes, hidden_size=16, **mixer)  # type: ignore[call-arg]
    assert {finding.state for finding in found(model, DATA.num_positions)} == {"ok"}
    num_positions = {"num_positions": 96} if "num_positions" in inspect.signature(model_class).parameters else {}

    def build() -> SequenceModel:
        return model_class(DATA.vocab_size, DATA.num_classes, hidden_size=16, **mixer, **num_positions)  # type: ignore[call-arg]

    assert seeding_finding(build, few_rows(DATA)).state == "ok"


def test_what_leaves_padding_out_must_agree_with_what_does_not() -> None:
    assert [finding.state for finding in found(Packed()) if finding.check == "packed"] == ["ok"]
    differs = "packed_forward and forward give other logits at the same positions"
    wrong: list[tuple[SequenceModel, str]] = [
        (Packed(lambda logits: logits.flip(0)), differs),
        (Packed(lambda logits: 2 * logits), differs),
        (Packed(lambda logits: logits[:-1]), "packed_forward returns shape"),
        (Packed(lambda logits: (logits,)), "packed_forward returns a tuple"),
        (PackedInNameOnly(), "packed_forward raises NotImplementedError: PackedInNameOnly is packable but defines no"),
    ]
    for model, text in wrong:
        assert failures(model)["packed"].startswith(text)


def test_a_correct_one_passes_and_is_left_as_it_was() -> None:
    model = Own()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert failures(model) == {}
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda logits: (logits, None), "forward returns a tuple"),
        (lambda logits: SimpleNamespace(logits=logits), "forward returns a SimpleNamespace"),
        (lambda logits: logits.to(torch.complex64), "forward returns numbers of type complex64"),
        (lambda logits: logits.argmax(-1), "forward returns numbers of type int64"),
        (lambda logits: logits[:, -1], r"forward returns a tensor of shape \(8, 5\)"),
        (lambda logits: logits[..., :4], r"forward returns a tensor of shape \(8, \d, 4\)"),
        (lambda logits: logits.transpose(0, 1), r"forward returns a tensor of shape \(\d, 8, 5\)"),
        (lambda logits: logits @ torch.eye(3), "forward raises RuntimeError: mat1 and mat2"),
    ],
)
def test_what_is_no_tensor_of_logits(change: Callable[[Tensor], Any], text: str) -> None:
    (finding,) = found(Own(change))
    assert (finding.check, finding.state) == ("output", "failure")
    assert re.search(text, finding.text)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda logits: logits / 0, "finite"),
        (lambda logits: logits + torch.rand(()), "repeatable"),
        (lambda logits: logits - logits.mean(dim=0), "rows"),
        (lambda logits: logits - logits.mean(dim=1, keepdim=True), "causal"),
        (lambda logits: logits.flip(1), "causal"),
        (lambda logits: logits / logits.shape[1], "causal"),
    ],
)
def test_what_logits_must_be(change: Callable[[Tensor], Any], check: str) -> None:
    assert check in failures(Own(change))


@pytest.mark.parametrize("kind", ["head", "gate", "clamped gate", "other clamped gate", "small", "small in float32"])
def test_a_look_ahead_is_seen_before_training_makes_it_matter(kind: str) -> None:
    model = HiddenLookahead(kind)
    assert failures(model)["causal"].startswith("it looks ahead")
    assert model.gate.item() == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_a_part_that_is_compiled_in_place_can_be_copied() -> None:
    model = HiddenLookahead("gate")
    model.head.compile(backend="eager")
    assert failures(model)["causal"].startswith("it looks ahead")


def test_the_full_width_of_the_data_and_longer_sequences_are_looked_at() -> None:
    data = ModularAddition(modulus=5, max_length=40)
    widths = {6: DATA, 40: data}
    for width, one in widths.items():
        states = {finding.check: finding.state for finding in model_findings(ByWidth(width, lambda x: x.flip(1)), one)}
        assert states["causal"] == "failure"
    assert failures(ByWidth(7, lambda x: x.flip(1))) == {}
    positions = {
        "it looks ahead in a sequence of 96 tokens": lambda logits: logits.flip(1),
        "forward returns shape (1, 20, 5), which must be a tensor of shape (1, 96, 5)": lambda logits: logits[:, :20],
        "480 of 480 logits are not finite": lambda logits: logits * torch.nan,
    }
    for text, change in positions.items():
        (warning,) = [one for one in found(ByWidth(21, change), DATA.num_positions) if one.state != "ok"]
        assert warning.check == "positions" and text in warning.text


def test_rows_and_time_mistaken_for_each_other() -> None:
    assert failures(BatchSecond())["rows"].startswith("a sequence's logits depend")


def test_few_rows_are_read_at_once() -> None:
    assert failures(Own(lambda logits: logits if len(logits) <= 8 else 1 / 0)) == {}


def test_an_error_on_other_tokens_is_a_finding() -> None:
    alone = failures(Own(lambda logits: logits if len(logits) > 1 else 1 / 0))
    assert alone["rows"] == "forward raises ZeroDivisionError: division by zero"


def test_lazy_layers() -> None:
    (finding,) = found(Lazy())
    assert finding.state == "failure" and finding.text.startswith("no size before the first batch: head.weight")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("own generator", "built twice with one seed, head.weight differs"),
        ("in training", "built twice with one seed, the loss in training mode differs"),
        ("seeded", "the constructor seeds torch's generator"),
        ("constant", ""),
    ],
)
def test_where_randomness_comes_from(kind: str, text: str) -> None:
    before = torch.get_rng_state()
    finding = seeding_finding(lambda: Drawing(kind), few_rows(DATA))
    assert finding.state == {"seeded": "warning", "constant": "ok"}.get(kind, "failure") and finding.text.startswith(
        text
    )
    assert torch.get_rng_state().equal(before)


def test_dependence_on_other_sequences_is_seen_before_training_makes_it_matter() -> None:
    texts = failures(HiddenNeighbours())
    assert texts["rows"].startswith("a sequence's logits depend")
    assert texts["causal"] == "not checked, as logits depend on the other sequences of a batch"


@pytest.mark.parametrize("model_class", [ZeroHead, Float32, RoundsInside, Uncopyable, Closed])
def test_what_is_correct_is_not_suspected(model_class: type[Own]) -> None:
    assert failures(model_class()) == {}


def test_nothing_outside_is_changed() -> None:
    model = ZeroHead()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    model_findings(model, DATA)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() is torch.float32
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_logits_that_depend_on_nothing() -> None:
    texts = failures(Own(lambda logits: logits * 0))
    assert texts == {
        "causal": "not checked, as no logit depends on any token but the first",
        "gradients": "no parameter gets a gradient other than zero",
    }


@pytest.mark.parametrize("in_training", [False, True])
def test_what_overwrites_its_tokens(in_training: bool) -> None:
    before = [batch.tokens.clone() for batch in DATA.val_dataloader()]
    (text,) = failures(Overwriting(in_training)).values()
    assert "changes its input" in text
    assert all(one.equal(batch.tokens) for one, batch in zip(before, DATA.val_dataloader(), strict=True))


@pytest.mark.parametrize(
    ("model", "first", "cause"),
    [
        (Own(lambda logits: logits + torch.rand(())), "repeatable", "the same tokens give other logits"),
        (Counting(), "repeatable", "the same tokens give other logits"),
        (Packed(lambda logits: logits), "", ""),
        (Own(lambda logits: logits * torch.nan), "finite", "logits are not finite"),
    ],
    ids=["random", "stateful", "packed", "nan"],
)
def test_one_failure_is_told_once(model: Own, first: str, cause: str) -> None:
    findings = found(model)
    assert [one.check for one in findings if one.state == "failure"] == [first] * bool(first)
    after = {one.check for one in findings if one.text == f"not checked, as {cause}"}
    expected = {"": set(), "repeatable": {"rows", "causal"}, "finite": {"repeatable", "rows", "causal", "gradients"}}
    assert after == expected[first]


def test_batches_of_inference_mode() -> None:
    """Lightning makes held-out sets in inference mode; a training may follow."""
    data = ModularAddition(modulus=5, max_length=6, num_train_sequences=50)
    with torch.inference_mode():
        loaders = data.val_dataloader(), data.test_dataloader(), data.train_dataloader()
        assert next(iter(loaders[0])).tokens.shape[1] > 0
    assert not any(next(iter(loader)).tokens.is_inference() for loader in loaders)
    assert {finding.state for finding in model_findings(Own(), data)} == {"ok"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Frozen(), {"parameters": "there is no parameter to train"}),
        (Idle(), {"gradients": "none but zero for idle.weight, idle.bias, which are never trained"}),
        (Detached(), {"gradients": "no parameter gets a gradient"}),
        (Own(lambda logits: logits.detach()), {"gradients": "the loss depends on no parameter"}),
        (Own(lambda logits: logits.sqrt().nan_to_num()), {"gradients": "not finite"}),
        (Failing(), {"gradients": "the loss in training mode raises AssertionError: not today"}),
        (Plain(), {}),
        (Plain("loss"), {"validation": "validation_step must log val/loss, as in self.log('val/loss', loss)"}),
        (Unjudged(), {"validation": "validation raises KeyError"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_trained(model: pl.LightningModule, expected: dict[str, str]) -> None:
    texts = failures(model)
    assert texts.keys() == expected.keys()
    assert all(texts[check].startswith(text) for check, text in expected.items())


def test_too_few_positions_is_a_warning() -> None:
    model = Learned()
    assert failures(model) == {}
    (warning,) = [finding for finding in found(model, DATA.num_positions) if finding.state != "ok"]
    assert (warning.check, warning.state) == ("positions", "warning")
    assert warning.text.startswith(
        "a sequence of 96 tokens cannot be read, which extrapolation to 96 needs (IndexError"
    )


def test_sizes_of_states() -> None:
    num = DATA.vocab_size
    assert state_size(models.LSTM(num, 5, hidden_size=12), num) == "24 numbers"
    assert state_size(models.DenseSSM(num, 5, hidden_size=12), num) == "12 numbers"
    assert state_size(models.Transformer(num, 5, hidden_size=12, num_layers=1, num_heads=2), num).endswith("it grows")
    assert state_size(Growing(), num) == "4 numbers after 4 tokens, 8 after 8: it grows"
    assert (
        state_size(Own(), num)
        == "unknown, as the model does not define decode(tokens, state), which reads on from a state"
    )


def test_a_step_takes_time() -> None:
    assert milliseconds_per_step(Own(), next(iter(DATA.train_dataloader()))) > 0
