r"""A floor: what must be seen by a learner that only looks transitions up.

The learner keeps a table of the transitions (state, symbol) -> state that it has observed. Where every step of a
sequence is in the table, it is right; from the first unknown step on it guesses. It exploits no structure, so that it
needs to see about all K A transitions of a machine with K states and A symbols: of the order of K A log(K A) random
ones, as a collector of coupons does.

Reference: arXiv 2602.18333, section 6; *Structure, Not Size*, github.com/yashmahe2020/state-tracking-complexity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.models.counting_model import CountingModel
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch

_CONFIDENCE = 30.0  # the logit of a known answer: a cross-entropy of about 1e-13 times num_classes


class TabularLearner(CountingModel):
    """Counts the transitions that training shows, and looks states up in them.

    It learns from aligned chain of thought and from sparse states, of tasks whose answer is the state: a transition is
    observed where the state before it was asked for or can be looked up, and the state after it was asked for. Under
    other supervision it observes next to nothing and stays at chance.

    The first state counts as a further one, unless the model knows which it is.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        initial_state: the state before the first symbol; null if that must be learned like everything else.
        learning_rate: without effect.

    Raises:
        InvalidOptionError: no such state.
    """

    def __init__(
        self, vocab_size: int, num_classes: int, initial_state: int | None = None, learning_rate: float = 1e-3
    ) -> None:
        allowed = f"null or a state in 0..{num_classes - 1}"
        require(initial_state is None or 0 <= initial_state < num_classes, "initial_state", initial_state, allowed)
        super().__init__(num_classes, (num_classes + 1, vocab_size, num_classes), learning_rate)
        self.save_hyperparameters()
        self.initial_state = num_classes if initial_state is None else initial_state

    def observed(self, batch: Batch) -> Tensor:
        """The transitions between states that are known, as far as the second one was asked for."""
        state, found = self._start(batch.tokens), []
        next_state = self._next_state()
        for tokens, targets in zip(batch.tokens.T, batch.targets.T, strict=True):
            shows = (state >= 0) & (targets != IGNORE_INDEX)
            step = state * self.counts.shape[1] + tokens
            found.append((step * self.counts.shape[2] + targets)[shows])
            state = torch.where(targets == IGNORE_INDEX, self._look_up(next_state, state, tokens), targets)
        return torch.cat(found)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return self.decode(tokens)[0]

    def decode(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`SequenceModel.decode`; the state is that of each sequence, ``(batch,)``, -1 if unknown."""
        if state is None:
            state = self._start(tokens)
        next_state, visited = self._next_state(), []
        for column in tokens.unbind(dim=1):
            state = self._look_up(next_state, state, column)
            visited.append(state)
        answers = torch.stack(visited, dim=1)
        certain = _CONFIDENCE * torch.eye(self.counts.shape[2], dtype=self.counts.dtype, device=tokens.device)
        rows = torch.cat([certain, torch.zeros_like(certain[:1])])  # the last one, of state -1, is a uniform guess
        return rows[answers], state

    def _start(self, tokens: Tensor) -> Tensor:
        return torch.full_like(tokens[:, 0], self.initial_state)

    def _next_state(self) -> Tensor:
        """Where each known step leads, int64 ``(num_classes + 1, vocab_size)``; -1 if it was never observed."""
        most, state = self.counts.detach().max(dim=2)
        return torch.where(most > 0, state, -1)

    def _look_up(self, next_state: Tensor, state: Tensor, symbols: Tensor) -> Tensor:
        return torch.where(state < 0, -1, next_state[state, symbols])
