"""From a result back to the config and the commands that measure it again."""

from __future__ import annotations

import json
import shlex
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


def command_text(command: str, path: str, options: Sequence[str]) -> str:
    """The command that repeats a result, once its config is in a file.

    Args:
        command: of ``ib-bench``.
        path: of the file.
        options: that the file does not hold.
    """
    return shlex.join(["ib-bench", command, "--config", path, *options])


def config_text(config: Json, commands: Sequence[str]) -> str:
    """The config file, which says in its first lines what it is for.

    Args:
        config: as :func:`config_of` returns it.
        commands: as :func:`command_text` returns them.
    """
    header = "".join(f"# {command}\n" for command in commands)
    return header + "".join(_yaml(json.dumps({name: part})) for name, part in config.items())


@cache
def _yaml(mapping_json: str) -> str:
    """A part of a config, given as JSON, as YAML; thousands of records have the same model and settings."""
    return str(yaml.dump(json.loads(mapping_json), Dumper=_Dumper, sort_keys=False))
