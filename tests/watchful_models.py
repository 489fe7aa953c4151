"""Models that look at what a test wants to know of them, wherever they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import torch
from lightning.fabric.utilities.seed import seed_everything
from torch import Tensor, distributed, nn
from torch.nn.utils import parameters_to_vector

from ib_bench.models import LSTM
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch


class Alike(LSTM):
    """Fails in evaluation unless it has the same parameters in every process, bit for bit."""

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.training and distributed.is_initialized():
            own = parameters_to_vector(self.parameters()).detach()
            all_of_them = [torch.zeros_like(own) for _ in range(distributed.get_world_size())]
            distributed.all_gather(all_of_them, own)
            assert all(torch.equal(own, other) for other in all_of_them)
        return super().forward(tokens)


class Exact(LSTM):
    """Fails unless it is trained in mixed precision and evaluated in float32."""

    def forward(self, tokens: Tensor) -> Tensor:
        assert torch.is_autocast_enabled("cpu") == self.training
        logits = super().forward(tokens)
        assert logits.dtype == (torch.bfloat16 if self.training else torch.float32)
        return logits


class Leaves(LSTM):
    """Ends the process, as a script does that is used as a module."""

    def forward(self, tokens: Tensor) -> Tensor:
        sys.exit(3)


class PlainLSTM(SequenceModel):
    """With ``torch.nn.LSTM``, as a user writes it."""

    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3) -> None:
        super().__init__(num_classes, learning_rate)
        self.embedding = nn.Embedding(vocab_size, 8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0])


class WithoutState(PlainLSTM):
    """Cannot be read on from a state."""

    def decode(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        raise NotImplementedError


class TwoStepsABatch(PlainLSTM):
    """Takes two optimizer steps for a batch, which Lightning counts as two."""

    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3) -> None:
        super().__init__(vocab_size, num_classes, learning_rate)
        self.automatic_optimization = False

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimizer = self.optimizers()
        for _ in range(2):
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()


class Unsettling(PlainLSTM):
    """Its constructor changes what belongs to the whole process; notes torch's threads and switches in evaluation."""

    seen: ClassVar[list[tuple[object, ...]]] = []

    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3) -> None:
        super().__init__(vocab_size, num_classes, learning_rate)
        seed_everything(7, verbose=False)
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.benchmark = True

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.training:
            debug_mode, benchmark = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
            self.seen.append((torch.get_num_threads(), torch.get_default_dtype(), debug_mode, benchmark))
        return super().forward(tokens)


class Writing(PlainLSTM):
    """Leaves a file in the Trainer's folder."""

    def on_train_end(self) -> None:
        folder = Path(self.trainer.default_root_dir)
        folder.mkdir()
        (folder / "notes.txt").write_text("something")
