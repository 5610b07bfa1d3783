"""How far a model's confidence can be believed."""

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brain_mri.report.drawing import COLOURS, STYLE, WIDTH, Words, number_ticks, svg
from brain_mri.report.reading import Reports
from brain_mri.storage import read_table


def content(reports: Reports) -> dict:
    """Give each model's mean confidence and its reliability diagram."""
    bins = read_table(
        reports.folder / "comparison/reliability.csv",
        ["model", "scaled"],
        numbers=["confidence", "accuracy"],
    )
    return {
        "confidences": {
            name: float(table["confidence"].mean()) for name, table in reports.predictions.items()
        },
        "reliabilities": {
            name: reliability(bins[bins["model"] == name], reports.words) for name in reports.models
        },
    }


def reliability(table: pd.DataFrame, words: Words) -> str:
    """Draw how often answers are right against how sure they were, and how many there are.

    Parameters
    ----------
    table : DataFrame
        Of one model: ``scaled`` (bool), ``low`` and ``high`` (of the bin), ``images``,
        ``confidence`` (mean of the bin), ``accuracy``.
    words : mapping
    """
    looks = (
        (False, "unscaled", {"color": COLOURS[0], "marker": "o", "linestyle": "-"}),
        (True, "scaled", {"color": COLOURS[1], "marker": "s", "linestyle": "--"}),
    )
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3.4, 1))
        upper.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, label=words["perfect"])
        for scaled, name, look in looks:
            rows = table[table["scaled"] == scaled]
            if rows.empty:
                continue
            fill = "white" if scaled else look["color"]
            points = {"markersize": 5, "markerfacecolor": fill, "label": words[name]}
            upper.plot(rows["confidence"], rows["accuracy"], **look, **points)
            width = 0.9 * (rows["high"] - rows["low"]) / table["scaled"].nunique()
            middle = (rows["low"] + rows["high"]) / 2
            edges = {"align": "edge", "edgecolor": look["color"]}
            start = middle if scaled else middle - width
            lower.bar(start, rows["images"], width, color=fill, **edges)
        upper.set(ylabel=words["observed"], ylim=(-0.02, 1.02))
        lower.set(xlabel=words["confidence"], ylabel=words["images"], xlim=(-0.02, 1.02))
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        for axes in (upper, lower):
            axes.grid(axis="y")
            number_ticks(axes.yaxis, words)
        number_ticks(lower.xaxis, words)
        figure.align_ylabels()
        figure.legend(loc="outside lower center", handlelength=3)
        return svg(figure)
