"""The page and the report of the study that judges other people's models."""

import pandas as pd
from matplotlib import style

from brain_mri.assessment.references import LOOK_UP, REFERENCES
from brain_mri.params import Parameters
from brain_mri.report.contents import reference_names
from brain_mri.report.drawing import GREY, STYLE, forest, handle, interval, svg
from brain_mri.report.language import Language
from brain_mri.report.page import rendered
from brain_mri.report.sections.calibration_section import reliability

SHORTCUTS = [name for name in REFERENCES if name != LOOK_UP]  # which has a sentence of its own
MOST_SUSPECTS = 20  # that the page lists
KINDS = {"with_twin": -0.17, "without_twin": 0.17}  # the offset of each from its row
# What the table of accuracies shows where there is any.
COLUMNS = ("with_twin", "without_twin", "same_patient", "new_patient")
COLUMNS += ("known_patient", "unknown_patient")


def judge_texts(
    found: dict, tables: dict[str, pd.DataFrame], parameters: Parameters
) -> dict[str, str]:
    """Give what the study tells: a page that needs no other file, a report, and its figures.

    Parameters
    ----------
    found : dict
    tables : dict of str to DataFrame
        Both as of :func:`brain_mri.assessment.judging.judge_all`.
    parameters : brain_mri.params.Parameters

    Returns
    -------
    dict of str to str
        By the name of the file.
    """
    language = Language(parameters.language)
    judged = {name: _results(name, found, tables, language) for name in found["models"]}
    results = {
        "parameters": parameters.model_dump(),
        "found": found,
        "judged": judged,
        "models": list(parameters.models),
        "page_title": str(language.say("judge.title")),
    }
    return {
        "index.html": rendered("judge.html.j2", results),
        "report.md": rendered("judge.md.j2", results),
        **{own["figure"]: own["drawing"] for own in judged.values()},
    }


def _results(name: str, found: dict, tables: dict[str, pd.DataFrame], language: Language) -> dict:
    own, words = found["models"][name], language.words["figures"]
    classifiers, called = own["classifiers"], reference_names(language)
    bins, suspects = (
        tables[kind][tables[kind]["judged"] == name] for kind in ("reliability", "suspects")
    )
    return own | {
        "columns": [kind for kind in COLUMNS if f"{kind}_accuracy" in classifiers[name]],
        "against": {pair.split(" - ")[1]: tests for pair, tests in own["pairs"].items()},
        "ahead": [each for each in SHORTCUTS if classifiers[name]["beats"][each]],
        "behind": [each for each in SHORTCUTS if not classifiers[name]["beats"][each]],
        "figure": f"figures/{name}.svg",
        "drawing": _figure({called.get(k, k): each for k, each in classifiers.items()}, language),
        "reliability": reliability(bins, words),
        "first_suspects": suspects[suspects["suspect"]].head(MOST_SUSPECTS).to_dict("records"),
    }


def _figure(classifiers: dict[str, dict], language: Language) -> str:
    with style.context(STYLE, after_reset=True):
        values = [figures["accuracy"]["value"] for figures in classifiers.values()]
        axes = forest(classifiers, values, ".3f", language.words["figures"], pitch=0.34, below=0.95)
        for y, figures in enumerate(classifiers.values()):
            for kind, beside in KINDS.items():
                drawn = figures.get(f"{kind}_accuracy")
                if drawn and None not in drawn.values():
                    hollow = kind == "without_twin"
                    interval(axes, y + beside, **drawn, marker="o", hollow=hollow)
            axes.plot([values[y]], [y], color=GREY, marker="|", markersize=9, linestyle="")
        axes.set_xlabel(language.words["measures"]["accuracy"])
        looks = {
            "with_twin": {"marker": "o"},
            "without_twin": {"marker": "o", "markerfacecolor": "white"},
            "all": {"marker": "|", "color": GREY, "linestyle": ""},
        }
        said = [str(language.say(f"judge.{kind}")) for kind in looks]
        handles = [handle(name, **look) for name, look in zip(said, looks.values(), strict=True)]
        axes.figure.legend(handles=handles, loc="outside lower center", ncols=1)
        return svg(axes.figure)
