"""A figure: one Vega-Lite specification, for the HTML report and, by vl-convert, as SVG, PNG and PDF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ib_bench.results.identity import Json
from ib_bench.results.whole_file import write_whole

_PNG_SCALE = 2.0


@dataclass(frozen=True)
class Figure:
    """A figure of results.

    Attributes:
        name: file name without ending.
        title: what it shows, in one line.
        spec: Vega-Lite's, with the data in it.
    """

    name: str
    title: str
    spec: Json

    def save(self, path: Path) -> list[Path]:
        """Write the figure; the same results give the same bytes of SVG.

        Args:
            path: of the files, without ending; the folder is made if it is missing.

        Returns:
            The files written: SVG, PNG and PDF.

        Raises:
            StoreError: a file cannot be written.
        """
        import vl_convert  # noqa: PLC0415 (a quarter of a second, which listings need not wait for)

        path.parent.mkdir(parents=True, exist_ok=True)
        svg = vl_convert.vegalite_to_svg(json.dumps(_without_links(self.spec)))
        contents = {
            ".svg": svg.encode(),
            ".png": vl_convert.svg_to_png(svg, scale=_PNG_SCALE),
            ".pdf": vl_convert.svg_to_pdf(svg),
        }
        files = {path.with_name(f"{path.name}{ending}"): content for ending, content in contents.items()}
        for file, content in files.items():
            write_whole(file, partial(_write, content=content))
        return list(files)


def _without_links(spec: Any) -> Any:
    """A specification without what only a page has: links to configs, and texts below the pointer."""
    if isinstance(spec, list):
        return [_without_links(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        name: item if name == "datasets" else _without_links(item)
        for name, item in spec.items()
        if name not in ("href", "tooltip")
    }


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
