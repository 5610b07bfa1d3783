"""How the classifiers differ, pair by pair."""

from itertools import combinations, product

import pandas as pd
from matplotlib import style

from brain_mri.assessment.pairs import SIGNIFICANT, is_shown
from brain_mri.assessment.references import LOOK_UP, REFERENCES
from brain_mri.report.contents import reference_names
from brain_mri.report.drawing import STYLE, Words, forest, handle, interval, number, short, svg
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give the pairs with their differences, and these drawn."""
    pairs = pair_rows(reports.comparison, reports.models)
    called = {"b": reference_names(reports.language)}
    drawn = [pair for pair in pairs if pair["b"] in (*reports.models, LOOK_UP)]
    return {
        "pairs": pairs,
        "differences": {
            measure: differences(
                difference_table(drawn, measure).replace(called),
                reports.words,
                str(reports.language.say(f"measures.{measure}")),
            )
            for measure in ("accuracy", "macro_f1", "sensitivity")
            if measure in pairs[0]
        },
    }


def pair_rows(comparison: dict, models: list[str]) -> list[dict]:
    """List the compared pairs with their names apart, those of two models first.

    A test that shows a difference is marked ``shown``, and one whose p is the smallest that so many
    resamples can tell ``at_most``.
    """
    names = [*combinations(models, 2), *product(models, REFERENCES)]

    def marked(test: dict) -> dict:
        p = test["p"]
        return test | {
            "shown": is_shown(test["p_holm"]),
            "at_most": "low" in test and p is not None and p <= comparison["smallest_p"],
        }

    return [
        {"a": a, "b": b}
        | {name: marked(test) for name, test in comparison["pairs"][f"{a} - {b}"].items()}
        for a, b in names
    ]


def difference_table(pairs: list[dict], measure: str) -> pd.DataFrame:
    """Give the difference of every pair in a measure with its interval, one row per pair."""
    rows = [{"a": pair["a"], "b": pair["b"], **pair[measure]} for pair in pairs]
    table = pd.DataFrame(rows).rename(columns={"value": "difference"})
    return table.astype(dict.fromkeys(["difference", "low", "high"], float))


def differences(table: pd.DataFrame, words: Words, label: str) -> str:
    """Draw differences between classifiers with their intervals, one pair per row.

    Parameters
    ----------
    table : DataFrame
        ``a``, ``b``, ``difference`` (a minus b), ``low``, ``high``, ``shown``; from the top down.
        A pair without a difference is left out.
    words : mapping
    label : str
        What differs.
    """
    table = table[table["difference"].notna()]
    names = [f"{short(row.a, 22)} \N{MINUS SIGN} {short(row.b, 22)}" for row in table.itertuples()]
    with style.context(STYLE, after_reset=True):
        axes = forest(names, table["difference"], "+.3f", words, below=1.05)
        axes.axvline(0, color="#444444", linewidth=0.9)
        for y, row in enumerate(table.itertuples()):
            look = {"marker": "o", "hollow": not row.shown}
            interval(axes, y, row.difference, row.low, row.high, **look)
        farthest = table[["difference", "low", "high"]].abs().max().max()
        half = 1.08 * farthest if farthest > 0 else 1  # zero in the middle
        axes.set(xlabel=label, xlim=(-half, half))
        side = {"transform": axes.transAxes, "size": 8, "color": "#555555", "va": "bottom"}
        axes.text(0.48, 1, words["first_lower"], ha="right", **side)
        axes.text(0.52, 1, words["first_higher"], ha="left", **side)
        level = number(SIGNIFICANT, ".2f", words)
        handles = [
            handle(words["significant"].format(level), marker="o"),
            handle(words["not_significant"].format(level), marker="o", markerfacecolor="white"),
        ]
        axes.figure.legend(handles=handles, loc="outside lower center", ncols=2)
        return svg(axes.figure)
