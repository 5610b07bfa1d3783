"""What a comparison found, as tables."""

import pandas as pd

from brain_mri.assessment.answers import Answers, Images
from brain_mri.assessment.calibration import reliability
from brain_mri.assessment.references import REFERENCES


def headline(found: dict) -> dict:
    """Give the few figures that a person compares, of what a comparison found."""
    accuracy = {name: found["classifiers"][name]["accuracy"]["value"] for name in REFERENCES}
    return {
        "recommended": found["recommended"]["model"],
        **{name: {"accuracy": value} for name, value in accuracy.items()},
    }


def tables(
    found: dict, images: Images, models: dict[str, Answers], bins: int
) -> dict[str, pd.DataFrame]:
    """Give what :func:`brain_mri.assessment.comparison.compare` found as tables, by name."""
    return {
        "differences": pairs_table(found["pairs"]),
        "intervals": intervals_table(found["classifiers"]),
        "reliability": reliability_table(images, models, bins),
    }


def pairs_table(pairs: dict[str, dict]) -> pd.DataFrame:
    """Give one row per pair and test; what a test does not have is left empty."""
    rows = [
        {
            **dict(zip("ab", pair.split(" - "), strict=True)),  # no name has a space
            "measure": measure,
            "difference": result.get("value"),
            "low": result.get("low"),
            "high": result.get("high"),
            "p": result["p"],
            "p_holm": result["p_holm"],
        }
        for pair, tests in pairs.items()
        for measure, result in tests.items()
    ]
    return pd.DataFrame(rows)


def intervals_table(classifiers: dict[str, dict]) -> pd.DataFrame:
    """Give one row per classifier, measure and class, which is empty over all classes."""
    rows = []
    for name, content in classifiers.items():
        sections = {"": content} | content["per_class"]
        for label, figures in sections.items():
            rows += [
                {"classifier": name, "measure": measure, "class": label} | figure
                for measure, figure in figures.items()
                if measure not in ("per_class", "beats")
            ]
    return pd.DataFrame(rows)


def reliability_table(images: Images, models: dict[str, Answers], bins: int) -> pd.DataFrame:
    """Give the reliability diagram of each model, before and after temperature scaling."""
    tables = []
    for name, answers in models.items():
        for scaled, probabilities in ((False, answers.probabilities), (True, answers.scaled)):
            if probabilities is not None:
                table = reliability(images.actual, probabilities, bins)
                tables.append(pd.DataFrame({"model": name, "scaled": scaled} | dict(table)))
    return pd.concat(tables, ignore_index=True)
