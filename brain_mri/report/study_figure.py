"""The figure of a study: every run of each arm."""

import numpy as np
import pandas as pd
from matplotlib import style

from brain_mri.assessment.replicates import FEW_SEEDS, student
from brain_mri.report.drawing import COLOURS, GREY, STYLE, Words, forest, handle, interval, svg
from brain_mri.report.language import Language


def study_figure(table: pd.DataFrame, measure: str, reference: str, code: str) -> str:
    """Draw the runs of a study by one measure, the reference first; see :func:`replicates`.

    Parameters
    ----------
    table : DataFrame
        ``arm``, ``seed`` and each measure.
    measure, reference : str
    code : {"en", "fr"}
        The language.
    """
    words = Language(code).words
    table = table.sort_values("arm", key=lambda arms: arms != reference, kind="stable")
    table = table.rename(columns={measure: "value"})
    return replicates(table, words["figures"], words["measures"][measure])


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
    few = max(map(len, arms.values()), default=0) < FEW_SEEDS
    found = {
        name: (
            values.mean(),
            *(student(values)[:2] if len(values) > 1 and not few else (np.nan, np.nan)),
        )
        for name, values in arms.items()
    }
    mean = words["mean" if few else "mean_interval"]
    names = {"part": words["run"], "mean": mean, "reference": words["reference"]}
    return parts_and_whole(arms, found, words, label, **names, line="" if few else "-")


def parts_and_whole(
    parts: dict[str, np.ndarray],
    whole: dict[str, tuple[float, float, float]],
    words: Words,
    label: str,
    part: str,
    mean: str,
    reference: str | None = None,
    line: str = "-",
) -> str:
    """Draw figures of parts, such as runs or folds, and of all together with an interval.

    Parameters
    ----------
    parts : dict of str to ndarray (n,), float
        By name, in the order to draw.
    whole : dict of str to (float, float, float)
        By name: the figure and the bounds of its interval.
    words : mapping
    label, part, mean : str
        What is measured, and what a part and the whole are called.
    reference : str, optional
        What the first of the whole is called, which a line then marks.
    line : str
        Of the interval in the legend; empty without one.
    """
    with style.context(STYLE, after_reset=True):
        values = [value for value, _, _ in whole.values()]
        axes = forest(parts, values, ".3f", words, pitch=0.32, below=0.95)
        for value in values[:1] if reference else ():
            axes.axvline(value, color=COLOURS[1], linestyle="--", linewidth=0.9)
        for y, (name, values) in enumerate(parts.items()):
            look = {"color": GREY, "markerfacecolor": "none", "markersize": 4.5, "linestyle": ""}
            axes.plot(values, np.full(len(values), y - 0.16), marker="o", **look)
            interval(axes, y + 0.14, *whole[name], marker="D")
        axes.set_xlabel(label)
        handles = [
            handle(part, color=GREY, marker="o", markerfacecolor="none", linestyle=""),
            handle(mean, marker="D", linestyle=line),
        ]
        if reference:
            handles.append(handle(reference, color=COLOURS[1], linestyle="--"))
        axes.figure.legend(handles=handles, loc="outside lower center")
        return svg(axes.figure)
