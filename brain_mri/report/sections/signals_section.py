"""What passes through the layers of each model, and why it learns or not."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brain_mri.assessment import diagnosis
from brain_mri.assessment.diagnosis import relative_spread
from brain_mri.report.contents import rules
from brain_mri.report.drawing import (
    COLOURS,
    DASHES,
    GREY,
    MARKERS,
    STYLE,
    WIDTH,
    Words,
    handle,
    number_ticks,
    short,
    svg,
    whole,
)
from brain_mri.report.reading import Reports

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def content(reports: Reports) -> dict:
    """Give each model's signals, by layer and over time."""
    return {
        "signals_by_layer": {
            name: signals_by_layer(table, reports.words) for name, table in reports.signals.items()
        },
        "signals_over_time": {
            name: signals_over_time(table, reports.words) for name, table in reports.signals.items()
        },
        "diagnosis_rules": rules(diagnosis),
    }


def signals_by_layer(signals: pd.DataFrame, words: Words) -> str:
    """Draw what passes through each layer, before training and at its end.

    Parameters
    ----------
    signals : DataFrame
        As the probe of training measures it: one row per ``step`` and ``layer``.
    words : mapping
    """
    signals = _with_spread(signals)
    layers = list(signals["layer"].unique())
    steps = sorted({signals["step"].min(), signals["step"].max()})
    handles = []
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        norm, share, spread = figure.subplots(3, sharex=True)
        for step, colour, marker in zip(steps, COLOURS[1::-1], "so", strict=False):
            rows = signals[signals["step"] == step].set_index("layer").reindex(layers)
            look = {"color": colour, "markersize": 4.5}
            norm.plot(layers, rows["gradient_norm"], marker=marker, **look)
            spread.plot(layers, rows["spread"], marker=marker, **look)
            share.plot(layers, rows["below_0.05"], marker="v", linestyle="--", **look)
            share.plot(layers, rows["above_0.95"], marker="^", **look)
            label = words["at_step"].format(whole(step, words))
            handles.append(handle(label, color=colour, marker=marker))
        handles += [
            handle(words["below"], color=GREY, marker="v", linestyle="--"),
            handle(words["above"], color=GREY, marker="^"),
        ]
        _logarithmic(norm, signals[signals["step"].isin(steps)]["gradient_norm"])
        share.set_ylim(-0.04, 1.04)
        spread.set_ylim(bottom=0)
        titles = ("gradient_norm", "extremes", "spread")
        for axes, title in zip((norm, share, spread), titles, strict=True):
            axes.set_title(words[title])
            axes.grid(axis="y")
        for axes in (share, spread):
            number_ticks(axes.yaxis, words)
        every = -(-len(layers) // 14)  # names that find room
        names = [short(name) for name in layers[::every]]
        spread.set_xticks(range(0, len(layers), every), names)
        spread.tick_params(axis="x", rotation=35)
        for text in spread.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
        spread.set_xlabel(words["layers"])
        figure.legend(handles=handles, loc="outside lower center", ncols=2, handlelength=3)
        return svg(figure)


def signals_over_time(signals: pd.DataFrame, words: Words) -> str:
    """Draw what passes through each layer while training goes on, one line per layer.

    Parameters
    ----------
    signals : DataFrame
        As the probe of training measures it: one row per ``step`` and ``layer``.
    words : mapping
    """
    signals = _with_spread(signals)
    layers = list(signals["layer"].unique())
    shades = colormaps["viridis"](np.linspace(0, 0.75, len(layers)))  # dark at the input
    panels = ("gradient_norm", "update_ratio", "spread", "entropy")
    with style.context(STYLE, after_reset=True):
        legend = 0.16 * -(-len(layers) // 2)
        figure = Figure(figsize=(WIDTH, 6.6 + legend), layout="constrained")
        grid = dict(zip(panels, figure.subplots(len(panels), sharex=True), strict=True))
        for layer, shade, dash, marker in zip(layers, shades, cycle(DASHES), cycle(MARKERS)):
            rows = signals[signals["layer"] == layer]
            look = {"color": shade, "linestyle": dash, "marker": marker, "markersize": 3.5}
            for name in panels[:-1]:
                grid[name].plot(rows["step"], rows[name], **look, label=short(layer))
        last = signals[signals["layer"] == layers[-1]]
        entropy = grid["entropy"]
        entropy.plot(last["step"], last["entropy"], color="black", marker="o", markersize=3.5)
        share = last["mean"].iloc[0]  # of probabilities: one over the number of classes
        if np.isfinite(share):
            classes = round(1 / share)
            entropy.axhline(np.log(classes), color=COLOURS[1], linestyle="--", linewidth=1)
            entropy.text(
                1,
                1.04 * np.log(classes),
                words["ignorance"].format(classes),
                transform=entropy.get_yaxis_transform(),
                ha="right",
                va="bottom",
                color="#a04600",
                size=8,
            )
            entropy.set_ylim(0, 1.35 * np.log(classes))
        for name, axes in grid.items():
            axes.set_title(words[name])
            axes.grid(axis="y")
        for name in ("gradient_norm", "update_ratio"):
            _logarithmic(grid[name], signals[name])
        grid["spread"].set_ylim(bottom=0)
        for name in ("spread", "entropy"):
            number_ticks(grid[name].yaxis, words)
        most = max(signals["step"].max(), 1)
        entropy.set_xscale("symlog", linthresh=1, linscale=0.4)
        entropy.set(xlabel=words["step"], xlim=(-0.1, 1.15 * most))
        entropy.set_xticks([0, *(10**power for power in range(len(str(most))))])
        entropy.minorticks_off()
        number_ticks(entropy.xaxis, words)
        handles = grid["spread"].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2, handlelength=3.5)
        return svg(figure)


def _logarithmic(axes: Axes, values: pd.Series) -> None:
    """Scale the y axis by decades; zero, which has no logarithm, gets a place at the bottom."""
    positive = values[(values > 0) & np.isfinite(values)]
    low = int(np.floor(np.log10(positive.min()))) if len(positive) else -1
    high = max(int(np.ceil(np.log10(positive.max()))), low + 1) if len(positive) else 0
    every = -(-(high - low) // 4)
    powers = range(low, high + 1, every)
    ticks = [10.0**power for power in powers]
    labels = [f"10{str(power).translate(SUPERSCRIPTS)}" for power in powers]
    if (values == 0).any():
        axes.set_yscale("symlog", linthresh=10.0**low, linscale=0.5 * every)
        ticks, labels, bottom = [0, *ticks], ["0", *labels], 0
    else:
        axes.set_yscale("log")
        bottom = 10.0**low
    axes.set_yticks(ticks, labels)
    axes.minorticks_off()
    axes.set_ylim(bottom, 10.0**high)
    for line in axes.lines:
        line.set_clip_on(False)  # a marker on the edge is whole


def _with_spread(signals: pd.DataFrame) -> pd.DataFrame:
    """Add ``spread``, relative; what is not finite, of a run that diverged, leaves a gap."""
    signals = signals.assign(spread=relative_spread(signals))
    return signals.replace([np.inf, -np.inf], np.nan)
