"""Figures of many tasks: rows of panels that a page and a program can show, whatever a suite holds."""

from __future__ import annotations

import json
import re

import pytest
import vl_convert
from made_up_records import ACOT, Point, curve, extrapolation, search, trial

from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records

MAX_WIDTH, MAX_HEIGHT = 1_200.0, 4_000.0


@pytest.mark.slow
def test_no_figure_of_many_tasks_is_a_strip() -> None:
    records = []
    for modulus in range(2, 107):
        point = Point("LSTM", ACOT, modulus=modulus)
        records += [search(point, 64), trial(point, 4096), extrapolation(point, 0.5), curve(point, 100.0)]
    figures = study_report({"own": Records.of_all(records)}).figures
    assert len(figures) >= 5
    for figure in figures:
        svg = vl_convert.vegalite_to_svg(json.dumps(figure.spec))
        found = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
        assert found is not None
        assert float(found[1]) < MAX_WIDTH and float(found[2]) < MAX_HEIGHT, (figure.name, found[0])
