r"""minGRU: a GRU whose gate and candidate do not see the state, so that it is a linear recurrence.

.. math:: z_t = \sigma(W_z x_t), \qquad h_t = (1 - z_t) \odot h_{t-1} + z_t \odot W x_t .

Transitions are diagonal with values in (0, 1). This is the paper's plain form; its log-space form, which keeps h above
0, is not needed, as the scan does not divide.
"""

from __future__ import annotations

from torch import Tensor, nn

from ib_bench.models.mixer import Mixer
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.scan import affine_scan
from ib_bench.models.sequence_model import require_size


class MinGRU(ResidualModel):
    """A stack of minGRU layers, without the paper's optional convolution.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width, also of the state.
        num_layers: number of blocks.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2410.01201.
    """

    packable = True
    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        require_size("hidden_size", hidden_size)
        mixers = stacked(num_layers, lambda: MinGRUMixer(hidden_size))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class MinGRUMixer(Mixer):
    """One layer of :class:`MinGRU`."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.gate_and_candidate = nn.Linear(hidden_size, 2 * hidden_size)

    def decode(self, hidden: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`Mixer.decode`; the state is h, ``(batch, hidden_size)``."""
        gate, candidate = self.gate_and_candidate(hidden).chunk(2, dim=-1)
        first = hidden.new_zeros(hidden.shape[0], hidden.shape[2]) if state is None else state
        states = affine_scan((-gate).sigmoid(), gate.sigmoid() * candidate, first)
        return states, states[:, -1]
