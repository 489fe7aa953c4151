"""A suite: the product of some axes over one base config, read from a YAML file.

    base:                     # what all searches share: model, data, trainer, search
      data:
        class_path: ModularAddition
        init_args: {modulus: 5, max_length: 6}
      search: {max_steps: 2000}
    axes:                     # every combination is one search
      model:
        - {class_path: LSTM, init_args: {hidden_size: 64}}
        - {class_path: Transformer, init_args: {hidden_size: 64}}
      supervision: [outcome, aligned_chain_of_thought]

The axis ``model`` lists whole models; any other axis is an init argument of the data.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from ib_bench.errors import BenchError, UnknownNameError
from ib_bench.results.records import Json

SECTIONS = ("model", "data", "trainer", "search")


@dataclass(frozen=True)
class Suite:
    """Searches that belong together.

    Attributes:
        name: the file's name without its ending.
        base: config that every search starts from, with the keys of :data:`SECTIONS`.
        axes: for each axis the values it takes.
    """

    name: str
    base: Json
    axes: dict[str, list[Any]]

    def configs(self) -> list[Json]:
        """One config for each combination of values; the last axis varies fastest."""
        configs = []
        for values in product(*self.axes.values()):
            config = copy.deepcopy(self.base)
            for axis, value in zip(self.axes, values, strict=True):
                if axis == "model":
                    config["model"] = copy.deepcopy(value)
                else:
                    config["data"]["init_args"][axis] = value
            configs.append(config)
        return configs


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        BenchError: the file cannot be read, is no YAML, or is no suite.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"suite {str(path)!r} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BenchError(f"suite {str(path)!r} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or set(content) != {"base", "axes"}:
        raise BenchError(f"suite {str(path)!r} must be a mapping with the two keys base and axes")
    base, axes = content["base"], content["axes"]
    if not isinstance(base, dict) or not isinstance(axes, dict):
        raise BenchError(f"suite {str(path)!r}: base and axes must be mappings")
    for section in base:
        if section not in SECTIONS:
            raise UnknownNameError(f"section of base in suite {str(path)!r},", str(section), SECTIONS)
    for axis, values in axes.items():
        if not isinstance(values, list) or not values:
            raise BenchError(f"suite {str(path)!r}: axes.{axis} must be a list of at least one value, got {values!r}")
        if len({yaml.safe_dump(value) for value in values}) < len(values):
            raise BenchError(f"suite {str(path)!r}: axes.{axis} must hold no value twice, got {values!r}")
    data = base.get("data")
    base["data"] = data if isinstance(data, dict) else {"class_path": data}
    if not base["data"].get("class_path"):
        raise BenchError(f"suite {str(path)!r}: base.data must name a task")
    if not isinstance(base["data"].setdefault("init_args", {}), dict):
        raise BenchError(f"suite {str(path)!r}: base.data.init_args must be a mapping")
    return Suite(path.stem, base, axes)
