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
    means = [values.mean() for values in arms.values()]
    few = max(map(len, arms.values()), default=0) < FEW_SEEDS
    with style.context(STYLE, after_reset=True):
        axes = forest(arms, means, ".3f", words, pitch=0.32, below=0.95)
        for mean in means[:1]:
            axes.axvline(mean, color=COLOURS[1], linestyle="--", linewidth=0.9)
        for y, (values, mean) in enumerate(zip(arms.values(), means, strict=True)):
            bounds = student(values)[:2] if len(values) > 1 and not few else (np.nan, np.nan)
            look = {"color": GREY, "markerfacecolor": "none", "markersize": 4.5, "linestyle": ""}
            axes.plot(values, np.full(len(values), y - 0.16), marker="o", **look)
            interval(axes, y + 0.14, mean, *bounds, marker="D")
        axes.set_xlabel(label)
        handles = [
            handle(words["run"], color=GREY, marker="o", markerfacecolor="none", linestyle=""),
            handle(words["mean"], marker="D", linestyle="")
            if few
            else handle(words["mean_interval"], marker="D"),
            handle(words["reference"], color=COLOURS[1], linestyle="--"),
        ]
        axes.figure.legend(handles=handles, loc="outside lower center")
        return svg(axes.figure)
