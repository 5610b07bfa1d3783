"""Compare the models with each other and with what needs no model, on Testing."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri import params
from brain_mri.assessment.answers import Answers, Images, recommend, settle
from brain_mri.assessment.calibration import reliability
from brain_mri.assessment.comparison import compare
from brain_mri.assessment.look_up import LOOK_UP, MAJORITY, commonest, nearest_rows
from brain_mri.assessment.pairs import is_shown, smallest_p
from brain_mri.assessment.predictions import read_predictions
from brain_mri.console import stage
from brain_mri.errors import InputError
from brain_mri.storage import ImageSet, read_images, write_json, write_table


def main() -> None:
    """Read what the models answered; write every figure, pair, interval and reliability bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("training", "validation", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    arguments = parser.parse_args()

    with stage("compare") as done:
        parameters = params.load()
        classes, settings = parameters.classes, parameters.compare
        if taken := {LOOK_UP, MAJORITY} & set(parameters.models):
            raise InputError(f"models.{min(taken)} needs another name; compare has its own")
        training, validation, testing = (
            read_images(folder, classes)
            for folder in (arguments.training, arguments.validation, arguments.testing)
        )
        if not training.size == validation.size == testing.size:
            raise InputError(
                "training, validation and testing images differ in size; run `dvc repro` to "
                "prepare them anew"
            )
        known = Images.of(validation.index, classes, parameters.healthy_class)

        seen, models = {}, {}
        for name in parameters.models:
            answers = _answers(arguments.reports / f"validation/{name}.csv", validation, classes)
            seen[name] = settle(
                known,
                answers,
                temperature_scaling=settings.temperature_scaling,
                target_sensitivity=settings.target_sensitivity,
            )
            answers = _answers(arguments.reports / f"predictions/{name}.csv", testing, classes)
            models[name] = replace(
                answers, temperature=seen[name].temperature, threshold=seen[name].threshold
            )
        nearest = training.index["label"].to_numpy()[nearest_rows(training, testing)]
        majority = [commonest(training.index["label"], classes)] * len(testing)
        images = Images.of(testing.index, classes, parameters.healthy_class)
        found = {"recommended": recommend(known, seen)} | compare(
            images,
            models,
            Answers(_numbers(nearest, classes)),
            Answers(_numbers(majority, classes)),
            bins=settings.bins,
            resamples=settings.resamples,
            seed=parameters.seed,
        )
        if parameters.healthy_class:
            for name, section in found["threshold"].items():
                section["validation_sensitivity"] = _sensitivity(known, seen[name])
            found["threshold"] = {
                "target_sensitivity": settings.target_sensitivity,
                "models": found["threshold"],
            }
        folder = arguments.reports / "comparison"
        write_json(folder / "figures.json", found)
        write_table(folder / "differences.csv", _pairs_table(found["pairs"], models))
        write_table(folder / "intervals.csv", _intervals_table(found["classifiers"]))
        bins = _reliability_table(images, models, settings.bins)
        write_table(folder / "reliability.csv", bins)
        others = {name: found["classifiers"][name] for name in (LOOK_UP, MAJORITY)}
        metrics = {name: {"accuracy": of["accuracy"]["value"]} for name, of in others.items()}
        write_json(
            arguments.reports / "comparison.json",
            {"recommended": found["recommended"]["model"], **metrics},
        )
        pairs, resamples = len(found["pairs"]), settings.resamples
        few = f"; for {pairs} pairs, {resamples} resamples are too few to find a difference"
        done(
            f"{pairs} pairs, {found['recommended']['model']} recommended"
            + ("" if is_shown(smallest_p(resamples) * pairs) else few)
        )


def _numbers(labels: Iterable[str], classes: list[str]) -> np.ndarray:
    """Give the index of each label among the classes; -1 if it is none of them."""
    return pd.Index(classes).get_indexer(labels)


def _answers(path: Path, image_set: ImageSet, classes: list[str]) -> Answers:
    """Read what a model answered on these images."""
    table = read_predictions(path, classes, image_set.index)
    return Answers(_numbers(table["predicted"], classes), table[classes].to_numpy(float))


def _sensitivity(images: Images, answers: Answers) -> float | None:
    if answers.threshold is None:
        return None
    return answers.called_ill(images)[images.ill].mean().item()


def _pairs_table(pairs: dict[str, dict], models: Iterable[str]) -> pd.DataFrame:
    """Give a row for each pair and test; what a test does not have is left empty."""
    rows = [
        {
            "a": a,
            "b": b,
            "measure": measure,
            "difference": result.get("value"),
            "low": result.get("low"),
            "high": result.get("high"),
            "p": result["p"],
            "p_holm": result["p_holm"],
        }
        for (a, b), tests in zip(combinations([*models, LOOK_UP], 2), pairs.values(), strict=True)
        for measure, result in tests.items()
    ]
    return pd.DataFrame(rows)


def _intervals_table(classifiers: dict[str, dict]) -> pd.DataFrame:
    """Give a row for each classifier, measure and class; over all classes it is empty."""
    rows = []
    for name, content in classifiers.items():
        sections = {"": content} | content["per_class"]
        for label, figures in sections.items():
            rows += [
                {"classifier": name, "measure": measure, "class": label} | figure
                for measure, figure in figures.items()
                if measure not in ("per_class", "beats_look_up")
            ]
    return pd.DataFrame(rows)


def _reliability_table(images: Images, models: dict[str, Answers], bins: int) -> pd.DataFrame:
    """Give the reliability diagram of each model, before and after temperature scaling."""
    tables = []
    for name, answers in models.items():
        for scaled, probabilities in ((False, answers.probabilities), (True, answers.scaled)):
            if probabilities is not None:
                table = reliability(images.actual, probabilities, bins)
                tables.append(pd.DataFrame({"model": name, "scaled": scaled} | dict(table)))
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    main()
