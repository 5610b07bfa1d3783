"""What every classifier achieves on Testing, with its interval."""

from itertools import cycle

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure

from brain_mri.report.contents import reference_names, weakest
from brain_mri.report.drawing import (
    BAND,
    COLOURS,
    MARKERS,
    STYLE,
    WIDTH,
    Words,
    forest,
    interval,
    number_ticks,
    short,
    svg,
)
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give the figures as forest plots, and which classes and twins they are about."""
    comparison, shown = reports.comparison, {"classifier": reference_names(reports.language)}
    return {
        "forests": {
            measure: intervals(
                interval_table(comparison, measure).replace(shown),
                reports.words,
                str(reports.language.say(f"measures.{measure}")),
            )
            for measure in ("accuracy", "macro_f1")
        },
        "recalls": recalls(recall_table(comparison).replace(shown), reports.words),
        "weakest": weakest(comparison, reports.models),
        "twin_classes": twin_classes(reports.splits),
    }


def twin_classes(splits: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count Testing images by class, those ``with`` a twin in Training and those ``without``."""
    testing = splits[splits["set"] == "test"].set_index("class").sort_index()
    counts = {"with": testing["with_twin"], "without": testing["images"] - testing["with_twin"]}
    return {name: column[column > 0].to_dict() for name, column in counts.items()}


def interval_table(comparison: dict, measure: str) -> pd.DataFrame:
    """Give an overall figure of every classifier with its interval, one row per classifier."""
    rows = [
        {"classifier": name, **figures[measure]}
        for name, figures in comparison["classifiers"].items()
    ]
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def recall_table(comparison: dict) -> pd.DataFrame:
    """Give the recall of every classifier in every class with its interval, one row for each."""
    rows = [
        {"classifier": name, "class": label, **scores["recall"]}
        for name, figures in comparison["classifiers"].items()
        for label, scores in figures["per_class"].items()
    ]
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


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
        axes = forest(table["classifier"], table["value"], ".3f", words)
        for y, row in enumerate(table.itertuples()):
            interval(axes, y, row.value, row.low, row.high, marker="o")
        axes.set_xlabel(label)
        return svg(axes.figure)


def recalls(table: pd.DataFrame, words: Words) -> str:
    """Draw the recalls of each class by classifier with their intervals, one forest plot per class.

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
                    interval(axes, y, row["value"], row["low"], row["high"], **look)
            axes.set_title(short(name, 17), size=8.5)
            for y in range(1, len(classifiers), 2):
                axes.axhspan(y - 0.5, y + 0.5, color=BAND, linewidth=0, zorder=0)
        axes = panels[0]
        axes.set_yticks(range(len(classifiers)), [short(name) for name in classifiers])
        axes.set(ylim=(len(classifiers) - 0.5, -0.5), xlim=(-0.03, 1.03), xticks=(0, 0.5, 1))
        number_ticks(axes.xaxis, words)
        for axes in panels:
            axes.grid(axis="x")
            axes.tick_params(axis="y", length=0)
        for axes in panels[len(classes) :]:
            axes.remove()
            panels[len(classes) - 2].tick_params(labelbottom=True)
        figure.supxlabel(words["recall"], size=9)
        return svg(figure)
