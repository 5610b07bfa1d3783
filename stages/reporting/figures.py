"""The figures of the report, each as the text of an SVG.

Every function takes loaded tables and `words`, the strings to print: those under `figures` in
words/, with the decimal mark and the thousands mark of the language.
"""

import re
from collections.abc import Mapping
from itertools import cycle
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator
from scipy.special import stdtrit

from stages.assessment.diagnosis import relative_spread
from stages.reporting import drawing

STYLE = {
    **drawing.STYLE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.columnspacing": 1.2,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#777777",
    "ytick.color": "#777777",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "lines.linewidth": 1.4,
}

# Okabe and Ito's colours, told apart with any colour vision; without yellow, too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, BAND = "#777777", "#f4f5f7"
WIDTH, HEIGHT = 4.0, 4.4  # inches
FEW_SEEDS = 5  # with fewer, how runs vary by seed is hardly known
LONGEST_NAME = 18  # characters of a name beside a figure
LONGEST_LABEL = 48  # characters of a label that has a line of its own
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Words = Mapping[str, str]


def flow_diagram(counts: Mapping[str, int], words: Words) -> str:
    """Draw the way of every image from the folder to a split, as CONSORT diagrams do.

    Parameters
    ----------
    counts : mapping
        Images: ``files``, ``refused``, ``training`` and ``testing`` (accepted of each),
        ``dropped`` (of Training, left out as twins of Testing), ``train``, ``val``, ``test``.
    words : mapping
    """
    left, right, tall, bottom = 1.25, 3.35, 0.54, 3.42  # the ways of Training and Testing
    boxes = {  # left edge, top, width
        "files": (0.05, 0.05, 2.4),
        "refused": (2.3, 0.74, 1.65),
        "training": (0.05, 1.43, 2.4),
        "testing": (2.75, 1.43, 1.2),
        "dropped": (1.5, 2.12, 1.65),
        "train": (0.05, 2.83, 1.2),
        "val": (1.4, 2.83, 1.2),
        "test": (2.75, 2.83, 1.2),
    }
    lines = {name: wrap(words[f"flow_{name}"], int(14 * box[2])) for name, box in boxes.items()}
    ways = (  # the boxes each begins and ends at, and the heights of its bends
        [(left, 0.59), (left, 1.43)],
        [(left, 1.01), (2.3, 1.01)],
        [(left, 1.355), (right, 1.355), (right, 1.43)],
        [(left, 1.97), (left, 2.745), (0.65, 2.745), (0.65, 2.83)],
        [(left, 2.745), (2.0, 2.745), (2.0, 2.83)],
        [(left, 2.39), (1.5, 2.39)],
        [(right, 1.97), (right, 2.83)],
    )
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, bottom))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(bottom, 0))
        axes.set_axis_off()
        for way in ways:
            axes.plot(*zip(*way[:-1], strict=True), color=GREY, linewidth=1)
            head = {"arrowstyle": "-|>,head_width=0.18,head_length=0.3", "color": GREY}
            axes.annotate("", way[-1], way[-2], arrowprops=head | {"shrinkA": 0, "shrinkB": 0})
        for name, (x, top, width) in boxes.items():
            aside = name in ("refused", "dropped")
            axes.add_patch(
                FancyBboxPatch(
                    (x, top),
                    width,
                    tall,
                    boxstyle="round,pad=0,rounding_size=0.05",
                    facecolor="#ffffff" if aside else "#e4eff8",
                    edgecolor=GREY if aside else COLOURS[0],
                    linestyle="--" if aside else "-",
                    linewidth=0.9,
                )
            )
            longest = max(len(lines[other]) for other in boxes if boxes[other][1] == top)
            y = top + tall / 2 - 0.07 * longest  # of the count, even in a row; the lines follow
            middle = {"x": x + width / 2, "ha": "center", "va": "center"}
            axes.text(s=_whole(counts[name], words), y=y, **middle, weight="bold")
            for place, line in enumerate(lines[name]):
                axes.text(s=line, y=y + 0.15 + 0.13 * place, **middle, size=8)
        return _svg(figure)


def class_balance(
    before: Mapping[str, float], after: Mapping[str, Mapping[str, float]], words: Words
) -> str:
    """Draw how many images of each class are trained on, before and after each strategy.

    Parameters
    ----------
    before : mapping
        Images by class.
    after : mapping
        By strategy, as it is to be named: images by class.
    words : mapping
    """
    series = {words["before"]: before, **after}
    rows = len(series) + 1.4  # a class has a heading, then its bars
    most = max((count for counts in series.values() for count in counts.values()), default=0)
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, 0.5 + 0.175 * rows * len(before)), layout="constrained")
        axes = figure.subplots()
        ticks, labels = [], []
        for place, name in enumerate(before):
            top = place * rows
            axes.text(
                0, top + 0.1, _short(name, LONGEST_LABEL), va="center", weight="bold", size=8.5
            )
            for bar, (label, counts) in enumerate(series.items(), start=1):
                y, count = top + bar, counts.get(name, 0)
                colour = "#999999" if bar == 1 else COLOURS[0]
                axes.barh(y, count, height=0.78, color=colour)
                text = _whole(round(count), words)
                axes.text(count + 0.01 * most, y, text, va="center", size=8)
                ticks.append(y)
                labels.append(_short(label))
        axes.set_yticks(ticks, labels)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel=words["images"], xlim=(0, 1.15 * max(most, 1)))
        axes.set_ylim(rows * len(before) - 0.9, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        _numbers(axes.xaxis, words)
        axes.grid(axis="x")
        return _svg(figure)


def confusion_matrix(counts: pd.DataFrame, words: Words) -> str:
    """Draw a confusion matrix: in each cell its images and their share of the row.

    Parameters
    ----------
    counts : DataFrame (classes, classes), int
        Rows actual, columns predicted, both labelled with the class names.
    words : mapping
    """
    names = [_short(name) for name in counts.index]
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
            count = _whole(counts.iat[row, column], words)
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
        return _svg(figure)


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
                label=f"{_short(name)}, {words['auc']} {_number(auc, '.3f', words)}",
            )
        axes.set(xlabel=words["false_positive_rate"], ylabel=words["true_positive_rate"])
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        _numbers(axes.xaxis, words)
        _numbers(axes.yaxis, words)
        figure.legend(loc="outside lower center", handlelength=3)
        return _svg(figure)


def learning_curves(history: pd.DataFrame, words: Words) -> str:
    """Draw loss and accuracy by epoch, in training and validation; the best epoch is marked.

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
            for best in history.loc[history["best"], "epoch"]:
                label = words["best"].format(best)
                axes.axvline(best, color="#555555", linestyle=":", label=label)
            axes.set_title(words[measure])
            axes.grid(axis="y")
            _numbers(axes.yaxis, words)
        losses = history[["loss", "val_loss"]].to_numpy()
        panels[0].set_ylim(0, 1.06 * losses[np.isfinite(losses)].max(initial=0) or 1)
        panels[1].set(ylim=(0, 1.03), xlabel=words["epoch"])
        panels[1].set_xlim(history["epoch"].min() - 0.5, history["epoch"].max() + 0.5)
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, handlelength=1.6)
        return _svg(figure)


def intervals(table: pd.DataFrame, words: Words, label: str) -> str:
    """Draw a figure of each classifier with its interval, as a forest plot.

    Parameters
    ----------
    table : DataFrame
        ``classifier``, ``value``, ``low``, ``high``; from the top down. A classifier without a
        value is left out.
    words : mapping
    label : str
        What is measured.
    """
    table = table[table["value"].notna()]
    with style.context(STYLE, after_reset=True):
        axes = _forest(table["classifier"], table["value"], ".3f", words)
        for y, row in enumerate(table.itertuples()):
            _interval(axes, y, row.value, row.low, row.high, marker="o")
        axes.set_xlabel(label)
        return _svg(axes.figure)


def recalls(table: pd.DataFrame, words: Words) -> str:
    """Draw the recalls of each class by classifier with their intervals, a forest plot a class.

    Parameters
    ----------
    table : DataFrame
        ``classifier``, ``class``, ``value``, ``low``, ``high``, in the order to draw.
    words : mapping
    """
    classes, classifiers = table["class"].unique(), table["classifier"].unique()
    lines = -(-len(classes) // 2)
    height = 0.4 + lines * (0.45 + 0.19 * len(classifiers))
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(lines, 2, sharex=True, sharey=True, squeeze=False)
        panels = panels.ravel()
        for axes, name in zip(panels, classes, strict=False):
            rows = table[table["class"] == name].set_index("classifier")
            looks = zip(classifiers, cycle(COLOURS), cycle(MARKERS))
            for y, (classifier, colour, marker) in enumerate(looks):
                if classifier in rows.index:
                    row = rows.loc[classifier]
                    look = {"colour": colour, "marker": marker}
                    _interval(axes, y, row["value"], row["low"], row["high"], **look)
            axes.set_title(_short(name, 17), size=8.5)
            for y in range(1, len(classifiers), 2):
                axes.axhspan(y - 0.5, y + 0.5, color=BAND, linewidth=0, zorder=0)
        axes = panels[0]
        axes.set_yticks(range(len(classifiers)), [_short(name) for name in classifiers])
        axes.set(ylim=(len(classifiers) - 0.5, -0.5), xlim=(-0.03, 1.03), xticks=(0, 0.5, 1))
        _numbers(axes.xaxis, words)
        for axes in panels:
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
        for axes in panels[len(classes) :]:
            axes.remove()
            panels[len(classes) - 2].tick_params(labelbottom=True)
        figure.supxlabel(words["recall"], size=9)
        return _svg(figure)


def differences(table: pd.DataFrame, words: Words, label: str) -> str:
    """Draw differences between classifiers with their intervals, a pair a row.

    Parameters
    ----------
    table : DataFrame
        ``a``, ``b``, ``difference`` (a minus b), ``low``, ``high``, ``p_holm``; from the top down.
        A pair without a difference is left out.
    words : mapping
    label : str
        What differs.
    """
    table = table[table["difference"].notna()]
    names = [
        f"{_short(row.a, 22)} \N{MINUS SIGN} {_short(row.b, 22)}" for row in table.itertuples()
    ]
    with style.context(STYLE, after_reset=True):
        axes = _forest(names, table["difference"], "+.3f", words, below=1.05)
        axes.axvline(0, color="#444444", linewidth=0.9)
        for y, row in enumerate(table.itertuples()):
            hollow = not row.p_holm < 0.05  # NaN is not significant
            _interval(axes, y, row.difference, row.low, row.high, marker="o", hollow=hollow)
        farthest = table[["difference", "low", "high"]].abs().max().max()
        half = 1.08 * farthest if farthest > 0 else 1  # zero in the middle
        axes.set(xlabel=label, xlim=(-half, half))
        side = {"transform": axes.transAxes, "size": 8, "color": "#555555", "va": "bottom"}
        axes.text(0.48, 1, words["first_lower"], ha="right", **side)
        axes.text(0.52, 1, words["first_higher"], ha="left", **side)
        handles = [
            _handle(words["significant"], marker="o"),
            _handle(words["not_significant"], marker="o", markerfacecolor="white"),
        ]
        axes.figure.legend(handles=handles, loc="outside lower center", ncols=2)
        return _svg(axes.figure)


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
            _numbers(axes.yaxis, words)
        _numbers(lower.xaxis, words)
        figure.align_ylabels()
        figure.legend(loc="outside lower center", handlelength=3)
        return _svg(figure)


def signals_by_layer(signals: pd.DataFrame, words: Words) -> str:
    """Draw what passes through each layer, before training and at its end.

    Parameters
    ----------
    signals : DataFrame
        As the probe of training measures it: a row a ``step`` and ``layer``.
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
            label = words["at_step"].format(_whole(step, words))
            handles.append(_handle(label, color=colour, marker=marker))
        handles += [
            _handle(words["below"], color=GREY, marker="v", linestyle="--"),
            _handle(words["above"], color=GREY, marker="^"),
        ]
        _logarithmic(norm, signals[signals["step"].isin(steps)]["gradient_norm"])
        share.set_ylim(-0.04, 1.04)
        spread.set_ylim(bottom=0)
        titles = ("gradient_norm", "extremes", "spread")
        for axes, title in zip((norm, share, spread), titles, strict=True):
            axes.set_title(words[title])
            axes.grid(axis="y")
        for axes in (share, spread):
            _numbers(axes.yaxis, words)
        every = -(-len(layers) // 14)  # names that find room
        names = [_short(name) for name in layers[::every]]
        spread.set_xticks(range(0, len(layers), every), names)
        spread.tick_params(axis="x", rotation=35)
        for text in spread.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
        spread.set_xlabel(words["layers"])
        figure.legend(handles=handles, loc="outside lower center", ncols=2, handlelength=3)
        return _svg(figure)


def signals_over_time(signals: pd.DataFrame, words: Words) -> str:
    """Draw what passes through each layer while training goes on, a line a layer.

    Parameters
    ----------
    signals : DataFrame
        As the probe of training measures it: a row a ``step`` and ``layer``.
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
                grid[name].plot(rows["step"], rows[name], **look, label=_short(layer))
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
            _numbers(grid[name].yaxis, words)
        most = max(signals["step"].max(), 1)
        entropy.set_xscale("symlog", linthresh=1, linscale=0.4)
        entropy.set(xlabel=words["step"], xlim=(-0.1, 1.15 * most))
        entropy.set_xticks([0, *(10**power for power in range(len(str(most))))])
        entropy.minorticks_off()
        _numbers(entropy.xaxis, words)
        handles = grid["spread"].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2, handlelength=3.5)
        return _svg(figure)


def replicates(table: pd.DataFrame, words: Words, label: str) -> str:
    """Draw every run of each arm of a study, and the arm's mean with its 95% interval.

    The interval is Student's, over seeds. Of fewer than :data:`FEW_SEEDS` runs it would say nothing
    and hide the runs, so there is none.

    Parameters
    ----------
    table : DataFrame
        ``arm``, ``seed``, ``value``, in the order to draw; the first arm is the reference.
    words : mapping
    label : str
        What is measured.
    """
    table = table[table["value"].notna()]
    arms = {name: rows["value"].to_numpy() for name, rows in table.groupby("arm", sort=False)}
    means = [values.mean() for values in arms.values()]
    few = max(map(len, arms.values()), default=0) < FEW_SEEDS
    with style.context(STYLE, after_reset=True):
        axes = _forest(arms, means, ".3f", words, pitch=0.32, below=0.95)
        for mean in means[:1]:
            axes.axvline(mean, color=COLOURS[1], linestyle="--", linewidth=0.9)
        for y, (values, mean) in enumerate(zip(arms.values(), means, strict=True)):
            half = np.nan
            if len(values) > 1 and not few:
                half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5
            look = {"color": GREY, "markerfacecolor": "none", "markersize": 4.5, "linestyle": ""}
            axes.plot(values, np.full(len(values), y - 0.16), marker="o", **look)
            _interval(axes, y + 0.14, mean, mean - half, mean + half, marker="D")
        axes.set_xlabel(label)
        handles = [
            _handle(words["run"], color=GREY, marker="o", markerfacecolor="none", linestyle=""),
            _handle(words["mean"], marker="D", linestyle="")
            if few
            else _handle(words["mean_interval"], marker="D"),
            _handle(words["reference"], color=COLOURS[1], linestyle="--"),
        ]
        axes.figure.legend(handles=handles, loc="outside lower center")
        return _svg(axes.figure)


def _svg(figure: Figure) -> str:
    """Give a figure as SVG, its coordinates to a hundredth of a point: half the bytes."""

    def shorten(tag: re.Match) -> str:
        return re.sub(r"(\d\.\d\d)\d+", r"\1", re.sub(r' transform="rotate\(-0 [^"]*"', "", tag[0]))

    return re.sub(r"<[^<>]+>", shorten, drawing.svg(figure))  # in tags; texts keep their digits


def _forest(
    names, values, digits: str, words: Words, pitch: float = 0.22, below: float = 0.5
) -> Axes:
    """Give axes with a row a name from the top down, its value in figures on the right.

    Names too long for the margin stand above their row. `below` is the height of what is not rows,
    in inches.
    """
    names = list(names)
    long = max(map(len, names), default=0) > LONGEST_NAME
    pitch += 0.18 * long
    height = below + pitch * max(len(names), 1)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    edge = axes.get_yaxis_transform()
    above = 0.7 if long else 0.5  # of a row, above its middle
    for y, (name, value) in enumerate(zip(names, values, strict=True)):
        ground = BAND if y % 2 else "white"
        axes.axhspan(y - above, y + 1 - above, color=ground, linewidth=0, zorder=0)
        text = _number(value, digits, words)
        axes.text(1.02, y, text, transform=edge, va="center", size=8)
        if long:
            name = _short(name, LONGEST_LABEL)
            axes.text(
                0.01,
                y - above + 0.06,
                name,
                transform=edge,
                va="top",
                size=8,
                bbox={"facecolor": ground, "edgecolor": "none", "pad": 0.8},  # over grid lines
            )
    axes.set_yticks(range(len(names)), [""] * len(names) if long else names)
    axes.set_ylim(max(len(names), 1) - above, -above)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
    _numbers(axes.xaxis, words)
    return axes


def _interval(
    axes: Axes,
    y: float,
    value: float,
    low: float,
    high: float,
    marker: str,
    colour: str = COLOURS[0],
    hollow: bool = False,
) -> None:
    axes.plot([low, high], [y, y], color=colour, linewidth=1.5, solid_capstyle="butt")
    face = "white" if hollow else colour
    axes.plot([value], [y], color=colour, marker=marker, markersize=4.5, markerfacecolor=face)


def _handle(label: str, color: str = COLOURS[0], **look) -> Line2D:
    return Line2D([], [], color=color, markersize=5, label=label, **look)


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


def _numbers(axis, words: Words) -> None:
    """Write the numbers of an axis as the language does."""
    axis.set_major_formatter(lambda value, _: _number(value, ",.6g", words))


def _number(value: float, digits: str, words: Words) -> str:
    text = format(value, digits)
    if not text.strip("+-0."):
        text = text.strip("+-")  # zero has no sign
    marks = {",": words["thousands_mark"], ".": words["decimal_mark"], "-": "\N{MINUS SIGN}"}
    return text.translate(str.maketrans(marks))


def _whole(value: int, words: Words) -> str:
    return _number(value, ",", words)


def _short(name: str, longest: int = LONGEST_NAME) -> str:
    """Cut a long name in its middle, since names of a kind often differ at their ends."""
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[-end:]}"
