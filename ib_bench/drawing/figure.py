"""A figure: one Vega-Lite specification, for the HTML report and, by vl-convert, as SVG, PNG and PDF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ib_bench.address_space import FIGURES_GB, require_address_space
from ib_bench.plain_text import one_line
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

    @property
    def svg(self) -> str:
        """The figure for print: without links and tooltips; the same results give the same text.

        Raises:
            BenchError: the address space is too small to draw.
        """
        require_address_space(FIGURES_GB, "drawing figures")
        import vl_convert  # noqa: PLC0415 (a quarter of a second, which listings need not wait for)

        return vl_convert.vegalite_to_svg(json.dumps(_printed(self.spec)))

    def save(self, path: Path) -> list[Path]:
        """Write the figure; the same results give the same bytes of SVG.

        Args:
            path: of the files, without ending; the folder is made if it is missing.

        Returns:
            The files written: SVG, PNG and PDF.

        Raises:
            StoreError: a file cannot be written.
        """
        import vl_convert  # noqa: PLC0415 (as below)

        path.parent.mkdir(parents=True, exist_ok=True)
        svg = self.svg
        contents = {
            ".svg": svg.encode(),
            ".png": vl_convert.svg_to_png(svg, scale=_PNG_SCALE),
            ".pdf": vl_convert.svg_to_pdf(svg),
        }
        files = {path.with_name(f"{path.name}{ending}"): content for ending, content in contents.items()}
        for file, content in files.items():
            write_whole(file, partial(Path.write_bytes, data=content))
        return list(files)


def _printed(spec: Any) -> Any:
    """A specification as it is drawn for print.

    Links to configs, texts below the pointer and panels left out belong to pages alone. No text may have characters
    that XML lacks: vl-convert ends the whole process at one.
    """
    if isinstance(spec, str):
        return one_line(spec)
    if isinstance(spec, list):
        return [_printed(item) for item in spec]
    if isinstance(spec, dict):
        return {name: _printed(item) for name, item in spec.items() if name not in ("href", "tooltip", "usermeta")}
    return spec
