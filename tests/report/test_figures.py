from __future__ import annotations

from pathlib import Path

from ib_bench.report.figures import min_train_size_figure
from matplotlib.image import imread

from tests.report.test_tables import RECORDS


def test_the_figure_is_drawn_in_two_formats(tmp_path: Path) -> None:
    svg, png = min_train_size_figure(RECORDS, "a title", tmp_path / "new folder" / "demo")
    assert svg.name == "demo.svg" and png.name == "demo.png"
    image = imread(png)
    assert image.shape[0] > 300 and image.min() < image.max()
    text = svg.read_text()
    assert text.startswith("<?xml")
    assert "N_max" in text or "> N" in text
