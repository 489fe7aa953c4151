"""Figures of N*: one colour and one marker per architecture, everywhere; censored values as open markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from ib_bench.report.styles import REGIMES, colours, in_order, marker, models_in_order
from ib_bench.results.records import SearchRecord, model_texts, task_text

_DPI = 150


def min_train_size_figure(records: Sequence[SearchRecord], title: str, path: Path) -> list[Path]:
    """N* per supervision regime and architecture, on a log axis, a panel for each task, length and distribution.

    The bar below a marker is the bracket; a censored value, "> N_max", is an open marker at N_max with an arrow up.

    Args:
        records: of finished searches.
        title: of the figure.
        path: of the files, without ending.

    Returns:
        The files written: SVG and PNG.
    """
    matplotlib.use("agg")
    from matplotlib import pyplot  # noqa: PLC0415 (costs a second, and only after the backend is chosen)
    from matplotlib.lines import Line2D  # noqa: PLC0415

    texts = model_texts(records)
    models = models_in_order(texts)
    shades = colours(models)
    regimes = in_order((record.labels["supervision"] for record in records), list(REGIMES))
    panels = in_order(map(_panel, records))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(1.5 + 4.5 * len(panels), 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        for record, text in zip(records, texts, strict=True):
            if _panel(record) == panel:
                offset = (models.index(text) - (len(models) - 1) / 2) * 0.6 / len(models)
                style = {"color": shades[text], "marker": marker(text)}
                _draw(axis, regimes.index(record.labels["supervision"]) + offset, record, style)
        axis.set_yscale("log")
        axis.set_xticks(
            range(len(regimes)), [str(regime).replace("_", "\n", 1).replace("_", " ") for regime in regimes]
        )
        axis.set_xlim(-0.5, len(regimes) - 0.5)
        axis.set_title(panel, fontsize="medium")
        axis.set_ylim(
            top=2.5 * max(record.max_size if record.censored else record.bracket[1] or 1 for record in records)
        )
        axis.grid(axis="y", which="major", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("N*, training sequences")
    handles = [Line2D([], [], linestyle="", label=model, color=shades[model], marker=marker(model)) for model in models]
    handles.append(Line2D([], [], linestyle="", marker="o", color="grey", mfc="white", label="> N_max"))
    axes[0][-1].legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title)
    return saved(figure, path)


def saved(figure: Any, path: Path) -> list[Path]:
    """Write a figure as SVG and PNG, and close it.

    Args:
        figure: matplotlib's.
        path: of the files, without ending; the folder is made if it is missing.

    Returns:
        The files written.
    """
    from matplotlib import pyplot  # noqa: PLC0415 (after the backend is chosen)

    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_suffix(ending) for ending in (".svg", ".png")]
    figure.set_dpi(_DPI)
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)  # each file would lay everything out again, and draw it once more for that
    with matplotlib.rc_context({"svg.hashsalt": path.name}):  # the same results give the same file
        for file in files:
            figure.savefig(file, dpi=_DPI, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)
    return files


def _draw(axis: Any, x: float, record: SearchRecord, style: dict[str, str]) -> None:
    colour = style["color"]
    if record.censored:
        arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 5}
        axis.annotate("", (x, record.max_size * 1.9), (x, record.max_size), arrowprops=arrow)
        axis.plot(x, record.max_size, mfc="white", mec=colour, markersize=8, **style)
        return
    failing, succeeding = record.bracket
    axis.plot([x, x], [max(failing, 0.8), succeeding], color=colour, linewidth=2, alpha=0.5)
    axis.plot(x, succeeding, markersize=8, **style)


def _panel(record: SearchRecord) -> str:
    labels = record.labels
    return f"{task_text(labels)}, L={labels['max_length']}, {labels['length_distribution']} lengths"
