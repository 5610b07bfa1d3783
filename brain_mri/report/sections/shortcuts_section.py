"""What is told without a look at the anatomy, and how far Testing is another source."""

import pandas as pd

from brain_mri.assessment.references import REFERENCES
from brain_mri.report.reading import Reports
from brain_mri.report.sections.results_section import intervals
from brain_mri.storage import read_table


def content(reports: Reports) -> dict:
    """Give the models that beat each reference, and the shift between the two folders."""
    shift = read_table(
        reports.folder / "comparison/shift.csv",
        ["class", "features", "told"],
        numbers=["auc", "low", "high", "training", "testing"],
    )
    classifiers = reports.comparison["classifiers"]
    return {
        "beaten": {
            other: [name for name in reports.models if classifiers[name]["beats"][other]]
            for other in REFERENCES
        },
        "shift": shift.to_dict("records"),
        "shifted": {
            kind: shift.loc[shift["told"] & (shift["features"] == kind), "class"].tolist()
            for kind in shift["features"].unique()
        },
        "shift_figure": shift_figure(shift, reports) if shift["auc"].notna().any() else None,
    }


def shift_figure(shift: pd.DataFrame, reports: Reports) -> str:
    """Draw how well Testing is told from Training, one row per class and kind of features."""
    say = reports.language.say
    called = shift["features"].map(lambda kind: str(say(f"classifiers.{kind}")))
    table = pd.DataFrame(
        {"classifier": shift["class"] + ", " + called, "value": shift["auc"]}
        | {"low": shift["low"], "high": shift["high"]}
    )
    return intervals(table, reports.words, str(say("shortcuts.axis")))
