"""From a result back to the config and the commands that measure it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from ib_bench.drawing.labels import Result
from ib_bench.results.identity import Json

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # some installations lack libyaml


def config_of(result: Result, sections: Mapping[str, type]) -> Json:
    """The config of the command that measures a result; parts that no command sets, such as a prior, are left out.

    Args:
        result: of a quantity.
        sections: of the quantity: the settings that it adds to a config, by the name of their section.
    """
    plain = result.config.to_json()
    experiment = plain.pop("experiment")
    config = {name: experiment[name] for name in ("model", "data", "trainer") if experiment.get(name)}
    names = {settings: name for name, settings in sections.items()}
    for name, settings in plain.items():
        kind = type(getattr(result.config, name))
        if kind in names:
            config[names[kind]] = settings
    return config


def commands_text(commands: Sequence[str], path: str) -> list[str]:
    """The commands that repeat a result, once its config is in a file.

    Args:
        commands: of ``ib-bench``.
        path: of the file.
    """
    return [f"ib-bench {command} --config {path}" for command in commands]


def config_text(config: Json, commands: Sequence[str]) -> str:
    """The config file, which says in its first lines what it is for.

    Args:
        config: as :func:`config_of` returns it.
        commands: as :func:`commands_text` returns them.
    """
    header = "".join(f"# {command}\n" for command in commands)
    return header + "".join(_yaml(json.dumps({name: part})) for name, part in config.items())


@cache
def _yaml(mapping_json: str) -> str:
    """A part of a config, given as JSON, as YAML; thousands of records have the same model and settings."""
    return str(yaml.dump(json.loads(mapping_json), Dumper=_Dumper, sort_keys=False))
