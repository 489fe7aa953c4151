"""A ceiling: the right answer at every position, without any learning."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.sequence_model import SequenceModel

_CONFIDENCE = 30.0


class Oracle(SequenceModel):
    """Knows the machine and gives the right answer; only how sure it is of it can be trained.

    Its accuracy is 1. Where it is not, the fault lies with the regime or the evaluation: something is asked for that
    the tokens do not say.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        solution: of the data, :class:`~ib_bench.data.solution.Solution`; None takes it from the Trainer's data.
        learning_rate: learning rate of Adam.
    """

    def __init__(self, vocab_size: int, num_classes: int, solution: Any = None, learning_rate: float = 1e-3) -> None:
        super().__init__(num_classes, learning_rate)
        self.save_hyperparameters(ignore="solution")
        self.num_classes = num_classes
        self.solution = solution
        self.confidence = nn.Parameter(torch.tensor(_CONFIDENCE))

    def setup(self, stage: str) -> None:
        """Take the solution from the data that a Trainer is given."""
        if self.solution is None:
            self.solution = getattr(getattr(self.trainer, "datamodule", None), "solution", None)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`.

        Raises:
            InvalidOptionError: the data know no solution.
        """
        require(self.solution is not None, "solution", self.solution, "that of the data of a task")
        return self.confidence * functional.one_hot(self.solution(tokens), self.num_classes)
