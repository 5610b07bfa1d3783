"""The report of the study of folds."""

import pandas as pd

from brain_mri.assessment.pairs import is_shown
from brain_mri.assessment.references import REFERENCES
from brain_mri.params import Parameters
from brain_mri.report.language import Language
from brain_mri.report.page import rendered
from brain_mri.report.study_figure import parts_and_whole

MOST_SUSPECTS = 20  # that the report lists
EDGES = ("value", "low", "high")


def folds_report(
    found: dict, by_fold: pd.DataFrame, doubtful: pd.DataFrame, parameters: Parameters
) -> str:
    """Give what the folds tell as Markdown.

    Parameters
    ----------
    found : dict
        As :mod:`stages.folds` gathers it.
    by_fold : DataFrame
        As of :func:`brain_mri.assessment.folds.fold_table`.
    doubtful : DataFrame
        As of :func:`brain_mri.assessment.suspects.rank`.
    parameters : brain_mri.params.Parameters
    """
    models = list(parameters.models)
    shown, open_ = [], []
    for pair, tests in found["pairs"].items():
        a, b = pair.split(" - ")
        if b in models:
            better = (a, b) if tests["accuracy"]["value"] > 0 else (b, a)
            (shown if is_shown(tests["accuracy"]["p_holm"]) else open_).append(better)
    classifiers = found["classifiers"]
    suspects = doubtful[doubtful["suspect"]].head(MOST_SUSPECTS)
    suspects = suspects.assign(picture=[f"suspects/{n:03}.png" for n in range(len(suspects))])
    wide = by_fold.pivot(index="fold", columns="classifier", values="accuracy")
    results = {
        "parameters": parameters.model_dump(),
        "found": found,
        "models": models,
        "shown": shown,
        "open": open_,
        "unbeaten": {
            name: [other for other in REFERENCES if not classifiers[name]["beats"][other]]
            for name in models
        },
        "by_fold": wide[list(classifiers)].to_dict("index"),
        "suspects": suspects.to_dict("records"),
        "suspected": int(doubtful["suspect"].sum()),
        "patients": int(doubtful.loc[doubtful["patient"] != "", "patient"].nunique()),
        "known": int((doubtful["patient"] != "").sum()),
    }
    return rendered("folds.md.j2", results)


def folds_figure(found: dict, by_fold: pd.DataFrame, code: str) -> str:
    """Draw the accuracy of every classifier: in each fold, and of all with its interval."""
    language = Language(code)
    words, models = language.words, by_fold["classifier"].unique()
    names = {
        name: str(language.say(f"classifiers.{name}")) if name in REFERENCES else name
        for name in models
    }
    parts = {
        names[name]: rows["accuracy"].to_numpy()
        for name, rows in by_fold.groupby("classifier", sort=False)
    }
    whole = {
        names[name]: tuple(found["classifiers"][name]["accuracy"][edge] for edge in EDGES)
        for name in models
    }
    said = str(language.say("folds.part")), str(language.say("folds.whole"))
    return parts_and_whole(parts, whole, words["figures"], words["measures"]["accuracy"], *said)
