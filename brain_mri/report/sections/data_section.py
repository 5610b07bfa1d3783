"""What the audit found, and what the images are."""

from collections.abc import Mapping
from textwrap import wrap

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

from brain_mri.report.contents import split_counts
from brain_mri.report.drawing import (
    COLOURS,
    GREY,
    LONGEST_LABEL,
    STYLE,
    WIDTH,
    Words,
    number_ticks,
    short,
    svg,
    whole,
)
from brain_mri.report.pictures import read_gallery
from brain_mri.report.reading import Reports
from brain_mri.storage import read_table

LONGEST_LIST = 20  # rows of a list on the page; the files behind it hold them all


def content(reports: Reports) -> dict:
    """Give what came in, what was found of it, and how it is balanced."""
    counts, pictures = split_counts(reports.splits), reports.folder / "pictures"
    sizes = {name: counts["train"][name] for name in reports.classes}
    ways = flow(reports.audit, counts, reports.parameters.test_fold is not None)
    refused = read_table(reports.folder / "audit/refused.csv", ["path", "reason"])
    twins = read_gallery(pictures / "twins", ["path", "split", "class", "same"])
    slices = read_gallery(pictures / "samples", ["path", "class"], numbers=["rotation", "zoom"])
    return {
        "flow": ways,
        "flow_diagram": flow_diagram(ways, reports.words),
        "sizes": list(sizes.values()),
        "class_balance": class_balance(sizes, balanced_counts(reports.training), reports.words),
        "balanced": strategies(reports.training),
        "refused": refused.head(LONGEST_LIST).to_dict("records"),
        "conflicts": reports.conflicts.head(LONGEST_LIST).to_dict("records"),
        "twin_pairs": pairs_of(twins),
        "samples": samples(slices),
    }


def flow(audit: dict, splits: dict, in_folds: bool) -> dict[str, int]:
    """Count every image on its way from the folder to a split; see :func:`flow_diagram`."""
    accepted = {name: counts["all"] for name, counts in audit["images"].items()}
    used = {name: counts["all"] for name, counts in splits.items()}
    found = {"files": audit["files"], "refused": audit["refused"]}
    if in_folds:
        copies = used.pop("dropped")
        return found | {"accepted": sum(accepted.values()), "copies": copies} | used
    return found | {"training": accepted["Training"], "testing": accepted["Testing"]} | used


def pairs_of(twins: pd.DataFrame) -> list[dict]:
    """Put the pictures of twins, two rows per pair, side by side: ``sides``, and the ``same``."""
    rows = twins.to_dict("records")
    return [
        {"sides": pair, "same": pair[0]["same"]} for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


def samples(pictures: pd.DataFrame) -> dict[str, dict]:
    """Put the pictures of a class together: a slice, and ``changed`` ones made of it."""
    found = {}
    for label, rows in pictures.groupby("class", sort=False):
        first, *changed = rows.to_dict("records")
        found[label] = first | {"changed": changed}
    return found


def strategies(training: dict[str, dict]) -> dict[str, list[str]]:
    """Name the models that are trained on each strategy of balancing, except ``none``."""
    found: dict[str, list[str]] = {}
    for name, record in training.items():
        found.setdefault(record["data"], []).append(name)
    found.pop("none", None)
    return found


def balanced_counts(training: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Count the training images of each class after each strategy; of weighted ones the weight."""
    found = {}
    for strategy, names in strategies(training).items():
        counts = training[names[0]]["class_counts"]
        if strategy == "class_weight":
            counts = dict.fromkeys(counts, sum(counts.values()) / len(counts))
        found[strategy] = counts
    return found


def flow_diagram(counts: Mapping[str, int], words: Words) -> str:
    """Draw the way of every image from the folder to a split, as CONSORT diagrams do.

    Parameters
    ----------
    counts : mapping
        Images: ``files``, ``refused``, ``train``, ``val``, ``test``; where the test set is a
        folder ``training`` and ``testing`` (accepted of each) and ``dropped`` (of Training, left
        out as relatives of Testing), where it is a fold ``accepted`` and ``copies`` (left out).
    words : mapping
    """
    left, right, tall, bottom = 1.25, 3.35, 0.54, 3.42  # the ways of Training and Testing
    boxes = {  # left edge, top, width
        "files": (0.05, 0.05, 2.4),
        "refused": (2.3, 0.74, 1.65),
        "training": (0.05, 1.43, 2.4),
        "testing": (2.75, 1.43, 1.2),
        "accepted": (0.05, 1.43, 3.9),
        "dropped": (1.5, 2.12, 1.65),
        "copies": (1.5, 2.12, 1.65),
        "train": (0.05, 2.83, 1.2),
        "val": (1.4, 2.83, 1.2),
        "test": (2.75, 2.83, 1.2),
    }
    boxes = {name: boxes[name] for name in boxes if name in counts}
    lines = {name: wrap(words[f"flow_{name}"], int(14 * box[2])) for name, box in boxes.items()}
    ways = (  # the boxes each begins and ends at, and the heights of its bends
        [(left, 0.59), (left, 1.43)],
        [(left, 1.01), (2.3, 1.01)],
        *([[(left, 1.355), (right, 1.355), (right, 1.43)]] if "testing" in counts else []),
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
            aside = name in ("refused", "dropped", "copies")
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
            axes.text(s=whole(counts[name], words), y=y, **middle, weight="bold")
            for place, line in enumerate(lines[name]):
                axes.text(s=line, y=y + 0.15 + 0.13 * place, **middle, size=8)
        return svg(figure)


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
                0, top + 0.1, short(name, LONGEST_LABEL), va="center", weight="bold", size=8.5
            )
            for bar, (label, counts) in enumerate(series.items(), start=1):
                y, count = top + bar, counts.get(name, 0)
                colour = "#999999" if bar == 1 else COLOURS[0]
                axes.barh(y, count, height=0.78, color=colour)
                text = whole(round(count), words)
                axes.text(count + 0.01 * most, y, text, va="center", size=8)
                ticks.append(y)
                labels.append(short(label))
        axes.set_yticks(ticks, labels)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel=words["images"], xlim=(0, 1.15 * max(most, 1)))
        axes.set_ylim(rows * len(before) - 0.9, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        number_ticks(axes.xaxis, words)
        axes.grid(axis="x")
        return svg(figure)
