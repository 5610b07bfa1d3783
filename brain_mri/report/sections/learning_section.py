"""How each model learned, epoch by epoch."""

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brain_mri.assessment import learning
from brain_mri.report.contents import rules
from brain_mri.report.drawing import COLOURS, HEIGHT, STYLE, WIDTH, Words, number_ticks, svg
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give each model's learning curves, and how they read."""
    histories = reports.histories
    return {
        "learning_curves": {
            name: learning_curves(history, reports.words) for name, history in histories.items()
        },
        "readings": {name: learning.reading(history) for name, history in histories.items()},
        "learning_rules": rules(learning),
    }


def learning_curves(history: pd.DataFrame, words: Words) -> str:
    """Draw loss and accuracy by epoch, in training and validation; the kept epoch is marked.

    Parameters
    ----------
    history : DataFrame
        ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``best``.
    words : mapping
    """
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        panels = figure.subplots(2, sharex=True)
        for axes, measure in zip(panels, ("loss", "accuracy"), strict=True):
            for column, name, look in (
                (measure, "training", {"color": COLOURS[0], "marker": "o"}),
                (f"val_{measure}", "validation", {"color": COLOURS[1], "marker": "s"}),
            ):
                axes.plot(
                    history["epoch"], history[column], **look, markersize=3.5, label=words[name]
                )
            for kept in history.loc[history["kept"], "epoch"]:
                label = words["kept"].format(kept)
                axes.axvline(kept, color="#555555", linestyle=":", label=label)
            axes.set_title(words[measure])
            axes.grid(axis="y")
            number_ticks(axes.yaxis, words)
        losses = history[["loss", "val_loss"]].to_numpy()
        panels[0].set_ylim(0, 1.06 * losses[np.isfinite(losses)].max(initial=0) or 1)
        panels[1].set(ylim=(0, 1.03), xlabel=words["epoch"])
        panels[1].set_xlim(history["epoch"].min() - 0.5, history["epoch"].max() + 0.5)
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, handlelength=1.6)
        return svg(figure)
