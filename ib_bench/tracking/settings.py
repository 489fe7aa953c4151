"""Where searches are logged."""

from __future__ import annotations

import os
import string
from dataclasses import dataclass, field
from typing import Literal

from ib_bench.errors import require

_DEFAULT_PROJECT = "ib_bench"
_MAX_PROJECT = 128
_FORBIDDEN = "/\\#?%:"
_OF_ENTITIES = {*string.ascii_letters, *string.digits, *"-_."}
_MAX_TAG = 64

WandbMode = Literal["online", "offline", "disabled"]

MODES: dict[str, WandbMode] = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
"""What ``WANDB_MODE`` may be."""


@dataclass(frozen=True)
class WandbSettings:
    """Options of W&B.

    Args:
        mode: ``online``, ``offline`` (kept in the folder ``wandb`` until ``wandb sync``) or ``disabled``; null takes
            ``WANDB_MODE``, or online if there is an API key (``wandb login``, ``WANDB_API_KEY``), or else offline.
        project: project of the runs; null takes ``WANDB_PROJECT``, or ib_bench.
        entity: user or team; null takes ``WANDB_ENTITY``, or the account's default.
        tags: tags of the runs, each of 1 to 64 characters.

    Raises:
        InvalidOptionError: W&B would refuse a name, or does not know ``WANDB_MODE``.
    """

    mode: WandbMode | None = None
    project: str | None = None
    entity: str | None = None
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        named = os.environ.get("WANDB_MODE")
        is_known = self.mode == "disabled" or not named or named in MODES
        require(is_known, "WANDB_MODE", named, "online, offline or disabled")
        allowed = f"a name of 1 to {_MAX_PROJECT} characters without any of {' '.join(_FORBIDDEN)}"
        option = "WANDB_PROJECT" if self.project is None else "wandb.project"
        fits = 0 < len(self.project_name) <= _MAX_PROJECT and not set(self.project_name) & set(_FORBIDDEN)
        require(fits, option, self.project_name, allowed)
        option = "WANDB_ENTITY" if self.entity is None else "wandb.entity"
        fits = self.entity_name is None or not set(self.entity_name) - _OF_ENTITIES
        require(fits, option, self.entity_name, "a user or team: letters, digits, - and _")
        tags_fit = all(0 < len(tag) <= _MAX_TAG for tag in self.tags)
        require(tags_fit, "wandb.tags", self.tags, f"a list of words of 1 to {_MAX_TAG} characters")

    @property
    def is_disabled(self) -> bool:
        """Whether nothing is logged, by the option or by ``WANDB_MODE``."""
        return (self.mode or os.environ.get("WANDB_MODE")) == "disabled"

    @property
    def project_name(self) -> str:
        """The project of the runs."""
        return os.environ.get("WANDB_PROJECT") or _DEFAULT_PROJECT if self.project is None else self.project

    @property
    def entity_name(self) -> str | None:
        """Their user or team; None is the account's default."""
        return self.entity or os.environ.get("WANDB_ENTITY") or None
