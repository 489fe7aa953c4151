"""Leaving padding out changes what a loss costs, not what it is."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor

from ib_bench import catalogue, models
from ib_bench.data import ModularAddition
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.models.sharding import share_of
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch

MODELS = [entry.load() for entry in catalogue.entries(catalogue.MODELS)]
PACKABLE = [model_class for model_class in MODELS if vars(model_class).get("packable")]
SUPERVISIONS = [entry.name for entry in catalogue.entries(catalogue.SUPERVISION)]

of_every_model = pytest.mark.parametrize("model_class", PACKABLE, ids=lambda model_class: model_class.__name__)


def build(model_class: type[SequenceModel], vocab_size: int = 6, num_classes: int = 5) -> SequenceModel:
    """A small one, in float64 and without dropout; every model can leave padding out, whether or not that is faster."""
    small = {"hidden_size": 12, "num_layers": 2, "num_heads": 2, "dropout": 0.0}
    known = inspect.signature(model_class).parameters
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        model = model_class(vocab_size, num_classes, **{name: size for name, size in small.items() if name in known})
    model.packable = True
    return model.double()


def spy(model: SequenceModel, monkeypatch: pytest.MonkeyPatch) -> list[PackedBatch]:
    """The batches that the model takes without padding, from now on."""
    seen = []

    def packed_forward(batch: PackedBatch) -> Tensor:
        seen.append(batch)
        return type(model).packed_forward(model, batch)

    monkeypatch.setattr(model, "packed_forward", packed_forward)
    return seen


def assert_same(model: SequenceModel, batch: Batch) -> None:
    """Loss and gradients of the packed and of the padded batch are the same."""
    packed = PackedBatch(batch)
    losses = [
        cross_entropy(model(batch.tokens), batch.targets),
        cross_entropy(model.packed_forward(packed), packed.targets),
    ]
    torch.testing.assert_close(losses[1], losses[0])
    padded_gradients, gradients = (torch.autograd.grad(loss, list(model.parameters())) for loss in losses)
    for (name, _), own, other in zip(model.named_parameters(), gradients, padded_gradients, strict=True):
        torch.testing.assert_close(own, other, msg=lambda text, name=name: f"{name}: {text}")


@of_every_model
@pytest.mark.parametrize("batch_size", [1, 2, 33])
@pytest.mark.parametrize("lengths", ["fixed", "uniform"])
@pytest.mark.parametrize("supervision", SUPERVISIONS)
def test_same_loss_and_gradients(
    model_class: type[SequenceModel], supervision: str, lengths: str, batch_size: int
) -> None:
    data = ModularAddition(
        modulus=5,
        max_length=7,
        supervision=supervision,
        length_distribution=lengths,
        batch_size=batch_size,
        num_train_sequences=99,
    )
    assert_same(build(model_class, data.vocab_size, data.num_classes), next(iter(data.train_dataloader())))


@of_every_model
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_supervised_positions_may_be_anywhere(model_class: type[SequenceModel], share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, (9, 8), generator=generator)
    asked = torch.rand(9, 8, generator=generator) < share
    asked[2], asked[3] = False, torch.arange(8) == 7
    assert_same(build(model_class), Batch(tokens, torch.where(asked, tokens, IGNORE_INDEX)))


@pytest.mark.parametrize(
    ("model_class", "options"),
    [
        (models.Transformer, {"positions": "rotary"}),
        (models.Transformer, {"positions": "alibi"}),
        (models.Transformer, {"positions": "none", "num_loops": 2}),
        (models.DenseSSM, {"write_term": True}),
    ],
    ids=["rotary", "alibi", "no positions, loops", "write term"],
)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_options(model_class: type[SequenceModel], options: dict[str, object], share: float) -> None:
    """They change neither this nor that reading on is reading at once."""
    sizes = {"num_layers": 2, "num_heads": 2, "dropout": 0.0} if model_class is models.Transformer else {}
    model = model_class(6, 5, hidden_size=12, **sizes, **options).double()  # type: ignore[arg-type]
    tokens = torch.randint(5, (9, 8), generator=torch.Generator().manual_seed(0))
    asked = torch.rand(9, 8, generator=torch.Generator().manual_seed(1)) < share
    asked[:, 2] = True
    asked[3:, 6:] = False
    assert_same(model, Batch(tokens, torch.where(asked, tokens, IGNORE_INDEX)))
    first, state = model.decode(tokens[:, :3])
    second, state = model.decode(tokens[:, 3:4], state)
    third, _ = model.decode(tokens[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second, third], dim=1), model(tokens))


@of_every_model
def test_one_supervised_position_in_every_row(model_class: type[SequenceModel]) -> None:
    last = torch.tensor([0, 3, 3, 5, 0])
    tokens = torch.randint(5, (5, 6), generator=torch.Generator().manual_seed(0))
    assert_same(build(model_class), Batch(tokens, torch.where(torch.arange(6) == last[:, None], tokens, IGNORE_INDEX)))


@of_every_model
def test_a_rank_without_rows_takes_part_with_zero(
    model_class: type[SequenceModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(model_class)
    batch = Batch(torch.tensor([[1, 2, 3]]), torch.tensor([[IGNORE_INDEX, 2, IGNORE_INDEX]]))
    own, num_own = share_of(batch, rank=1, num_ranks=2)
    seen = spy(model, monkeypatch)
    (model.loss(own) * own.mask[:num_own].sum()).backward()  # type: ignore[no-untyped-call]
    assert len(seen) == 1
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and not parameter.grad.any(), name


@of_every_model
def test_training_and_validation_leave_padding_out(
    model_class: type[SequenceModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ModularAddition(modulus=50, max_length=5, supervision="outcome", length_distribution="uniform")
    model = build(model_class, data.vocab_size, data.num_classes)
    batch = next(iter(data.val_dataloader()))
    metrics = []
    for packable in (True, False):
        model.packable = packable
        seen = spy(model, monkeypatch)
        with torch.no_grad():
            loss = model.loss(batch)
            model.validation_step(batch, 0)
        assert len(seen) == (2 if packable else 0)
        metrics.append({"of loss": loss, **model.metrics["val"].compute()})
        model.metrics["val"].reset()
    torch.testing.assert_close(metrics[0], metrics[1])


@of_every_model
def test_where_nothing_can_be_left_out_nothing_is_rearranged(
    model_class: type[SequenceModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ModularAddition(modulus=5, max_length=6, supervision="aligned_chain_of_thought", length_distribution="fixed")
    model = build(model_class, data.vocab_size, data.num_classes)
    batch = next(iter(data.train_dataloader()))
    seen = spy(model, monkeypatch)
    assert torch.equal(model.loss(batch), cross_entropy(model(batch.tokens), batch.targets))
    assert not seen


@pytest.mark.parametrize(
    ("lengths", "asked", "of_dense_ssm", "of_transformer"),
    [
        ([8, 8, 8, 7], "everywhere", False, False),  # a batch with little padding is faster as it is
        ([8, 8, 8, 7], "at the end", False, True),  # but the last block is smaller where little is asked for
        ([8, 6, 5, 5], "everywhere", True, True),
    ],
)
def test_padding_stays_where_leaving_it_out_does_not_pay(
    lengths: list[int], asked: str, of_dense_ssm: bool, of_transformer: bool
) -> None:
    position, end = torch.arange(8), torch.tensor(lengths)[:, None]
    is_asked = position < end if asked == "everywhere" else position == end - 1
    batch = Batch(torch.zeros(4, 8, dtype=torch.int64), torch.where(is_asked, 1, IGNORE_INDEX))
    for model_class, is_packed in ((models.DenseSSM, of_dense_ssm), (models.Transformer, of_transformer)):
        assert (build(model_class)._packed(batch) is not None) == is_packed


class Recurrence(SequenceModel):
    """A user's own, as the models' README has it."""

    packable = True

    def __init__(self, vocab_size: int, num_classes: int) -> None:
        super().__init__(num_classes)
        self.embedding, self.cell = torch.nn.Embedding(vocab_size, 8), torch.nn.GRUCell(8, 8)
        self.initial_state = torch.nn.Parameter(torch.randn(8))
        self.head = torch.nn.Linear(8, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, visited = self.initial_state.expand(len(tokens), -1), []
        for step in self.embedding(tokens).unbind(dim=1):
            hidden = self.cell(step, hidden)
            visited.append(hidden)
        logits: Tensor = self.head(torch.stack(visited, dim=1))
        return logits

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        hidden, visited = self.initial_state.expand(batch.num_rows, -1), []
        for step in torch.split(self.embedding(batch.tokens), batch.num_active):
            hidden = self.cell(step, hidden[: len(step)])
            visited.append(hidden)
        logits: Tensor = self.head(torch.cat(visited)[batch.supervised])
        return logits


@pytest.mark.parametrize("supervision", SUPERVISIONS)
def test_a_recurrence_from_outside(supervision: str) -> None:
    data = ModularAddition(modulus=5, max_length=5, supervision=supervision, batch_size=16)
    assert_same(build(Recurrence, data.vocab_size, data.num_classes), next(iter(data.train_dataloader())))


class Derived(models.DenseSSM):
    """A user's own: what it computes is another thing than what it inherits."""

    def forward(self, tokens: Tensor) -> Tensor:
        return 2 * super().forward(tokens)


class DerivedAndPackable(Derived):
    """That says how to do so without padding."""

    packable = True

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        return 2 * super().packed_forward(batch)


@pytest.mark.parametrize(("model_class", "num_seen"), [(Derived, 0), (DerivedAndPackable, 1)])
def test_a_derived_class_has_to_say_so_itself(
    model_class: type[SequenceModel], num_seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = build(model_class), torch.tensor([[1, 2, 3], [3, 2, 1]])
    targets = torch.tensor([[1, IGNORE_INDEX, IGNORE_INDEX], [IGNORE_INDEX, 2, IGNORE_INDEX]])
    seen = spy(model, monkeypatch)
    torch.testing.assert_close(model.loss(Batch(tokens, targets)), cross_entropy(model(tokens), targets))
    assert len(seen) == num_seen


def test_small_models_keep_padded_batches() -> None:
    assert not models.LSTM(3, 2, hidden_size=255).packable
    assert models.LSTM(3, 2, hidden_size=256).packable
    assert not models.DenseSSM(3, 2, hidden_size=63).packable
    assert models.DenseSSM(3, 2, hidden_size=64).packable


class NarrowLSTM(models.LSTM):
    """A derived class decides for itself, whatever its width."""

    packable = True


def test_a_derived_lstm_may_leave_padding_out_at_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    model, targets = NarrowLSTM(3, 2, hidden_size=8), torch.tensor([[1, 1, 1], [1, IGNORE_INDEX, IGNORE_INDEX]])
    seen = spy(model, monkeypatch)
    model.loss(Batch(targets.clamp(min=0), targets))
    assert len(seen) == 1


def test_dropout_is_drawn_for_tokens_and_not_for_padding() -> None:
    model = models.Transformer(6, 5, hidden_size=16, num_layers=2, num_heads=2, dropout=0.5)
    targets = torch.full((40, 30), IGNORE_INDEX)
    targets[:, 2] = 1
    batch = Batch(torch.ones_like(targets), targets)
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        one, other = model.loss(batch), model.loss(batch)
        torch.random.default_generator.manual_seed(0)
        again = model.loss(batch)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(model.eval().loss(batch), model.loss(batch))


@of_every_model
def test_only_on_a_cpu(model_class: type[SequenceModel]) -> None:
    targets = torch.tensor([[1, 2, IGNORE_INDEX]])
    model = build(model_class)
    assert model._packed(Batch(targets, targets)) is not None
    assert model._packed(Batch(targets.to("meta"), targets.to("meta"))) is None
