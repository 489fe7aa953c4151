"""From a record back to the config and the command that measure it again."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml

from ib_bench.results.records import ExtrapolationRecord, Json, SearchRecord

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # some installations lack libyaml


def config_of(record: SearchRecord | ExtrapolationRecord) -> Json:
    """The config of ``ib-bench search``, ``sharing`` or ``extrapolate`` that a record is the result of."""
    experiment = record.config["experiment"]
    config = {name: experiment[name] for name in ("model", "data", "trainer") if experiment[name]}
    if isinstance(record, ExtrapolationRecord):
        return {**config, "search": record.config["search"], "extrapolation": record.config["settings"]}
    return {**config, "search": record.config["settings"]}


def commands_of(record: SearchRecord | ExtrapolationRecord, config_path: str) -> list[str]:
    """What to type, once the config is in a file.

    Args:
        record: of the result.
        config_path: of the file.
    """
    if isinstance(record, ExtrapolationRecord):
        return [f"ib-bench extrapolate --config {config_path}"]
    commands = [f"ib-bench search --config {config_path}"]
    if record.labels["length_distribution"] == "uniform":
        commands.append(f"ib-bench sharing --config {config_path}")
    return commands


def config_text(record: SearchRecord | ExtrapolationRecord, config_path: str) -> str:
    """The config file, which says in its first lines what it is for."""
    header = "".join(f"# {command}\n" for command in commands_of(record, config_path))
    return header + "".join(_yaml(json.dumps({name: part})) for name, part in config_of(record).items())


@cache
def _yaml(mapping_json: str) -> str:
    """A part of a config, given as JSON, as YAML; thousands of records have the same model and settings."""
    return str(yaml.dump(json.loads(mapping_json), Dumper=_Dumper, sort_keys=False))
