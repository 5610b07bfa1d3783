"""What each model answers to the images of each class."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure

from brain_mri.report.drawing import (
    COLOURS,
    DASHES,
    STYLE,
    WIDTH,
    Words,
    number,
    number_ticks,
    short,
    svg,
    whole,
)
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give each model's confusion matrix and ROC curves."""
    return {
        "confusion_matrices": {
            name: confusion_matrix(counts, reports.words)
            for name, counts in reports.confusions.items()
        },
        "roc_curves": {
            name: roc_curves(curves, _areas(reports, name), reports.words)
            for name, curves in reports.rocs.items()
        },
    }


def _areas(reports: Reports, name: str) -> dict[str, float | None]:
    by_class = reports.comparison["classifiers"][name]["per_class"]
    return {label: scores["auc"]["value"] for label, scores in by_class.items()}


def confusion_matrix(counts: pd.DataFrame, words: Words) -> str:
    """Draw a confusion matrix: in each cell its images and their share of the row.

    Parameters
    ----------
    counts : DataFrame (classes, classes), int
        Rows actual, columns predicted, both labelled with the class names.
    words : mapping
    """
    names = [short(name) for name in counts.index]
    totals = counts.to_numpy().sum(axis=1, keepdims=True)
    shares = counts.to_numpy() / np.maximum(totals, 1)
    side = max(WIDTH, 1.4 + 0.44 * len(names))  # beyond five classes the figure grows
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        # A mesh stays vector graphics, where imshow would embed a picture.
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for (row, column), share in np.ndenumerate(shares):
            look = {"ha": "center", "color": "white" if share > 0.55 else "#222222"}
            count = whole(counts.iat[row, column], words)
            rate = (
                words["percent"].format(f"{100 * share:.0f}") if totals[row, 0] else "\N{EN DASH}"
            )
            axes.text(column + 0.5, row + 0.48, count, va="bottom", weight="bold", **look)
            axes.text(column + 0.5, row + 0.54, rate, va="top", size=8, **look)
        ticks = np.arange(len(names)) + 0.5
        axes.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel=words["predicted"], ylabel=words["actual"], aspect="equal")
        axes.invert_yaxis()
        figure.draw_without_rendering()  # lays out: square cells leave room above and below
        figure.set_figheight(figure.get_tightbbox().height + 0.1)
        return svg(figure)


def roc_curves(roc: pd.DataFrame, aucs: Mapping[str, float | None], words: Words) -> str:
    """Draw the ROC curve of each class against the rest, with its area.

    Parameters
    ----------
    roc : DataFrame
        ``class``, ``false_positive_rate``, ``true_positive_rate``.
    aucs : mapping
        Area under the curve of each class, in the order to draw; None where there is no curve.
    words : mapping
    """
    with style.context(STYLE, after_reset=True):
        height = 4.35 + 0.165 * sum(auc is not None for auc in aucs.values())
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, label=words["chance"])
        for (name, auc), colour, dash in zip(aucs.items(), cycle(COLOURS), cycle(DASHES)):
            if auc is None:
                continue
            curve = roc[roc["class"] == name]
            axes.plot(
                curve["false_positive_rate"],
                curve["true_positive_rate"],
                color=colour,
                linestyle=dash,
                label=f"{short(name)}, {words['auc']} {number(auc, '.3f', words)}",
            )
        axes.set(xlabel=words["false_positive_rate"], ylabel=words["true_positive_rate"])
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        number_ticks(axes.xaxis, words)
        number_ticks(axes.yaxis, words)
        figure.legend(loc="outside lower center", handlelength=3)
        return svg(figure)
