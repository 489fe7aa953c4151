from __future__ import annotations

import struct
from pathlib import Path

import altair as alt
import pytest

from ib_bench.drawing.charts import MAX_PANELS, Panels, log_axis, panelled
from ib_bench.drawing.figure import Figure
from ib_bench.results.identity import Json


def spec_of(num_tasks: int, regimes: list[str], missing: tuple[int, str] | None = None) -> Json:
    rows = [
        {"supervision": regime, "task": f"task {task}", "x": 1, "y": 10**task % 97 + 1, "href": "#k"}
        for task in range(num_tasks)
        for regime in regimes
        if (task, regime) != missing
    ]
    y = alt.Y(**log_axis("y", "N*", [row["y"] for row in rows]))
    layer = alt.Chart().mark_point().encode(x="x:Q", y=y, href="href:N", tooltip=["task:N"])
    return panelled([layer], rows, Panels("supervision", "task", width=100, height=50))


def titles(spec: Json) -> list[list[str]]:
    return [panel["title"]["text"] for panel in spec["concat"]]


def size(png: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    return width, height


def test_a_figure_is_saved_in_three_formats(tmp_path: Path) -> None:
    figure = Figure("demo", "a title", spec_of(1, ["outcome"]))
    files = figure.save(tmp_path / "new folder" / "demo 1.5")
    assert [file.name for file in files] == ["demo 1.5.svg", "demo 1.5.png", "demo 1.5.pdf"]
    assert sorted(path.name for path in files[0].parent.iterdir()) == sorted(file.name for file in files)
    svg = files[0].read_text()
    assert svg.startswith("<svg") and "task 0" in svg and "#k" not in svg
    assert files[1].read_bytes().startswith(b"\x89PNG") and min(size(files[1])) > 100
    assert files[2].read_bytes().startswith(b"%PDF")


def test_the_same_results_give_the_same_svg(tmp_path: Path) -> None:
    texts = [
        Figure("f", "t", spec_of(3, ["outcome", "CoT"])).save(tmp_path / f"{run}")[0].read_bytes() for run in range(2)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("num_tasks", "regimes"), [(105, ["outcome"]), (35, ["outcome", "CoT", "aligned CoT"])])
def test_many_panels_stand_in_rows_of_a_readable_width(tmp_path: Path, num_tasks: int, regimes: list[str]) -> None:
    spec = spec_of(num_tasks, regimes)
    assert len(spec["concat"]) == MAX_PANELS
    assert spec["columns"] <= 4 and spec["columns"] % len(regimes) == 0
    assert f"the first {MAX_PANELS} of 105 panels" in spec["title"]["text"][0]
    left_out = spec["usermeta"]["left_out"]  # for a page that draws a choice of panels
    assert len(left_out) == 105 - MAX_PANELS and all(panel["rows"] and panel["title"] for panel in left_out)
    assert left_out[0]["title"] not in titles(spec)
    png = Figure("many", "many", spec).save(tmp_path / "many")[1]
    assert size(png)[0] < 2 * 1200


def test_lines_share_a_row_where_columns_are_few() -> None:
    spec = spec_of(3, ["outcome", "CoT"])
    assert spec["columns"] == 4 and "title" not in spec
    assert titles(spec)[:2] == [["task 0", "outcome"], ["task 0", "CoT"]]


def test_a_combination_without_rows_keeps_its_place() -> None:
    spec = spec_of(2, ["outcome", "CoT", "aligned CoT"], missing=(0, "CoT"))
    assert len(spec["concat"]) == 6
    empty = titles(spec).index(["task 0", "CoT", "no result"])
    assert spec["datasets"][f"rows {empty}"] == []


def test_more_columns_than_fit_are_wrapped_without_empty_panels() -> None:
    spec = spec_of(2, [f"regime {number}" for number in range(6)], missing=(0, "regime 2"))
    assert spec["columns"] == 4 and len(spec["concat"]) == 11
    assert all(spec["datasets"].values())


def test_only_outer_panels_label_their_axes() -> None:
    spec = spec_of(2, ["outcome", "CoT", "aligned CoT"])
    shown = [
        [panel["layer"][0]["encoding"][axis].get("axis", {}).get("labels", True) for axis in ("x", "y")]
        for panel in spec["concat"]
    ]
    assert shown == [[False, True], [False, False], [False, False], [True, True], [True, False], [True, False]]
    assert spec["resolve"]["scale"] == {"x": "shared", "y": "shared"}
