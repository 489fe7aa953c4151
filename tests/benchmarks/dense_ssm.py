"""DenseSSM, which computes the map of every symbol once, against the textbook form, which does for every token."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench.models.dense_ssm import DenseSSM
from ib_bench.models.metrics import cross_entropy
from ib_bench.training.global_state import one_thread

_HIDDEN_SIZE, _BATCH_SIZE, _LENGTH = 128, 64, 20
_TARGET_ALPHABET, _TARGET = 10, 10.0


class TextbookDenseSSM(DenseSSM):
    """The same model, whose transition is made from the embedding of each token where it stands."""

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`DenseSSM.forward`."""
        state = self._normalize(self.initial_state).expand(len(tokens), -1)
        visited = []
        for symbols in tokens.unbind(dim=1):
            transition = torch.einsum("bd,dij->bij", self.embedding(symbols), self.weight)
            state = self._normalize(torch.einsum("bi,bij->bj", state, transition))
            visited.append(state)
        logits: Tensor = self.head(torch.stack(visited, dim=1))
        return logits


def dense_ssm(num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Time an optimizer step of both, on one CPU thread, for several alphabets.

    Args:
        num_rounds: timings of each, in turns.
        on_round: receives the alphabet's size before each round.
    """
    with one_thread():
        return [_measure(alphabet, num_rounds, on_round) for alphabet in (2, 10, 100)]


def _measure(alphabet: int, num_rounds: int, on_round: OnRound) -> Measurement:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(alphabet, (_BATCH_SIZE, _LENGTH), generator=generator)
    ours, textbook = (cls(alphabet, alphabet, hidden_size=_HIDDEN_SIZE) for cls in (DenseSSM, TextbookDenseSSM))
    textbook.load_state_dict(ours.state_dict())
    losses = [cross_entropy(model(tokens), tokens).item() for model in (ours, textbook)]
    optimizers = [model.configure_optimizers() for model in (ours, textbook)]

    def step(model: DenseSSM, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        cross_entropy(model(tokens), tokens).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    contestants = [lambda m=m, o=o: step(m, o) for m, o in zip((ours, textbook), optimizers, strict=True)]
    own_s, textbook_s = timed_in_turns(contestants, num_rounds, lambda: on_round(f"alphabet {alphabet}"))
    difference = abs(losses[0] - losses[1])
    note = f"{1000 * textbook_s:.0f} against {1000 * own_s:.0f} ms, losses differ by {difference:.0e}"
    target = _TARGET if alphabet == _TARGET_ALPHABET else None
    what = f"alphabet {alphabet}, width {_HIDDEN_SIZE}: textbook form against ib_bench"
    same = difference < 1e-5
    return Measurement("dense_ssm", what, textbook_s / own_s, "x", target, at_least=True, note=note, same=same)
