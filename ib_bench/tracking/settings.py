"""Where searches are logged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

WandbMode = Literal["online", "offline", "disabled"]


@dataclass(frozen=True)
class WandbSettings:
    """Where searches are logged.

    Args:
        mode: ``online``, ``offline`` (kept in the folder ``wandb`` until ``wandb sync``) or ``disabled``; null is what
            ``WANDB_MODE`` says, or online if there is an API key (``wandb login``, ``WANDB_API_KEY``), or else offline.
        project: of the runs.
        entity: user or team; null takes the account's default.
        tags: of the runs.
    """

    mode: WandbMode | None = None
    project: str = "ib_bench"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)
