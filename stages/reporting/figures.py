"""The figures of the report, each as the text of an SVG."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.reporting import drawing

STYLE = {**drawing.STYLE, "axes.spines.top": False, "axes.spines.right": False}

# Okabe and Ito's colours, told apart with any colour vision; without yellow, too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
WIDTH, HEIGHT = 4.0, 4.4  # inches
DASHES = ("-", "--", "-.", ":")
LONGEST_NAME = 18  # characters of a class's name beside a figure

# The only words of the report outside its templates.
WORDS = {
    "actual": "actual class",
    "predicted": "predicted class",
    "false_positive_rate": "false positive rate",
    "true_positive_rate": "true positive rate",
    "chance": "chance",
    "epoch": "epoch",
    "loss": "loss",
    "accuracy": "accuracy",
    "training": "training",
    "validation": "validation",
    "best": "best epoch",
}


def confusion_matrix(counts: pd.DataFrame) -> str:
    """Draw a confusion matrix: images in each cell, shaded by their share of the row.

    Parameters
    ----------
    counts : DataFrame (classes, classes), int
        Rows actual, columns predicted, both labelled with the class names.
    """
    names = [_short(name) for name in counts.index]
    totals = counts.to_numpy().sum(axis=1, keepdims=True)
    shares = counts.to_numpy() / np.maximum(totals, 1)
    side = max(WIDTH, 0.5 * len(names))  # beyond nine classes the figure grows
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(side, side * HEIGHT / WIDTH), layout="constrained")
        axes = figure.subplots()
        # A mesh stays vector graphics, where imshow would embed a picture.
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.55 else "#222222"
            place = {"ha": "center", "va": "center", "color": colour}
            axes.text(column + 0.5, row + 0.5, counts.iat[row, column], **place)
        ticks = np.arange(len(names)) + 0.5
        axes.set_xticks(ticks, names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel=WORDS["predicted"], ylabel=WORDS["actual"], aspect="equal")
        axes.invert_yaxis()
        return drawing.svg(figure)


def roc_curves(roc: pd.DataFrame, aucs: dict[str, float | None]) -> str:
    """Draw the ROC curve of each class against the rest, with its area.

    Parameters
    ----------
    roc : DataFrame
        ``class``, ``false_positive_rate``, ``true_positive_rate``.
    aucs : dict
        Area under the curve of each class, in the order to draw; None where there is no curve.
    """
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, HEIGHT + 0.2 * max(0, len(aucs) - 4)), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, label=WORDS["chance"])
        for (name, auc), colour, dash in zip(aucs.items(), cycle(COLOURS), cycle(DASHES)):
            if auc is None:
                continue
            curve = roc[roc["class"] == name]
            axes.plot(
                curve["false_positive_rate"],
                curve["true_positive_rate"],
                color=colour,
                linestyle=dash,
                label=f"{_short(name)}, AUC {auc:.3f}",
            )
        axes.set(xlabel=WORDS["false_positive_rate"], ylabel=WORDS["true_positive_rate"])
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        figure.legend(loc="outside lower center", frameon=False, handlelength=3)
        return drawing.svg(figure)


def learning_curves(history: pd.DataFrame) -> str:
    """Draw loss and accuracy by epoch, in training and validation; the best epoch is marked.

    Parameters
    ----------
    history : DataFrame
        ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``best``.
    """
    best = history.loc[history["best"], "epoch"].iloc[0]
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        panels = figure.subplots(2, sharex=True)
        for axes, measure in zip(panels, ("loss", "accuracy"), strict=True):
            for column, name, colour, mark in (
                (measure, "training", COLOURS[0], "o"),
                (f"val_{measure}", "validation", COLOURS[1], "s"),
            ):
                axes.plot(
                    history["epoch"],
                    history[column],
                    color=colour,
                    marker=mark,
                    markersize=3.5,
                    label=WORDS[name],
                )
            axes.axvline(best, color="#555555", linestyle=":", label=f"{WORDS['best']}: {best}")
            axes.set_ylabel(WORDS[measure])
            axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        panels[0].set_ylim(bottom=0)
        panels[1].set(ylim=(0, 1.02), xlabel=WORDS["epoch"])
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", frameon=False, ncols=3)
        return drawing.svg(figure)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
