"""What is true of a set of images, what a classifier says of them, and its figures."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.assessment.calibration import fit_temperature, scale
from brain_mri.assessment.predictions import read_predictions
from brain_mri.assessment.threshold import choose_threshold
from brain_mri.assessment.weighted import (
    area_under_roc,
    averages,
    calibration_errors,
    class_scores,
    share,
)

# The figures of a model that `dvc metrics` shows; all others are in reports/comparison/.
HEADLINE = ("accuracy", "macro_f1", "loss", "macro_auc", "sensitivity")


@dataclass(frozen=True)
class Images:
    """A set of images, and what is true of them.

    Attributes
    ----------
    actual : ndarray (n,), int
        Index of the class.
    group : ndarray (n,), int
        Of twins and slices of one patient, which are right or wrong together.
    twin : ndarray (n,), bool
        Whether it has a twin in the other split.
    same_patient : ndarray (n,), bool
        Whether it has a twin or another slice of its patient there.
    known : ndarray (n,), bool
        Whether its patient is known.
    classes : list of str
    healthy_class : str or None
    """

    actual: np.ndarray
    group: np.ndarray
    twin: np.ndarray
    same_patient: np.ndarray
    known: np.ndarray
    classes: list[str]
    healthy_class: str | None = None

    @classmethod
    def of(cls, index: pd.DataFrame, classes: list[str], healthy_class: str | None) -> "Images":
        """Take them from the index of an image set."""
        return cls(
            actual=pd.Index(classes).get_indexer(index["label"]),
            group=index["group"].to_numpy(),
            twin=index["twin"].to_numpy(),
            same_patient=index["same_patient"].to_numpy(),
            known=index["patient"].to_numpy() != "",
            classes=classes,
            healthy_class=healthy_class,
        )

    @property
    def healthy(self) -> int:
        """Index of the healthy class."""
        return self.classes.index(self.healthy_class)

    @property
    def ill(self) -> np.ndarray:
        """Whether each image shows a tumour, (n,) bool."""
        return self.actual != self.healthy

    def only(self, chosen: np.ndarray) -> "Images":
        """Give the images in ``chosen``, (n,) bool, alone."""
        arrays = ("actual", "group", "twin", "same_patient", "known")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})

    def groups(self, chosen: np.ndarray) -> int:
        """Count the groups with an image in ``chosen``, (n,) bool."""
        return len(np.unique(self.group[chosen]))


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a set of images, and what was settled on validation.

    Attributes
    ----------
    predicted : ndarray (n,), int
        Index of the class.
    probabilities : ndarray (n, classes), float, optional
        Of a model; the look-up and the majority class have none.
    temperature : float, optional
        Of the scaled probabilities.
    threshold : float, optional
        On the probability of the healthy class, scaled where there is a temperature.
    validation_sensitivity : float, optional
        Share of the tumours of validation that the threshold finds.
    """

    predicted: np.ndarray
    probabilities: np.ndarray | None = None
    temperature: float | None = None
    threshold: float | None = None
    validation_sensitivity: float | None = None

    @classmethod
    def of_labels(cls, labels: Iterable[str], classes: list[str]) -> "Answers":
        """Take the predicted classes by their names."""
        return cls(pd.Index(classes).get_indexer(labels))

    @classmethod
    def read(cls, path: str | Path, classes: list[str], index: pd.DataFrame) -> "Answers":
        """Read what a model answered on the images of this index of an image set."""
        table = read_predictions(path, classes, index)
        answers = cls.of_labels(table["predicted"], classes)
        return replace(answers, probabilities=table[classes].to_numpy(float))

    @cached_property
    def scaled(self) -> np.ndarray | None:
        """The probabilities at the temperature, (n, classes), where there is one."""
        return None if self.temperature is None else scale(self.probabilities, self.temperature)

    def only(self, chosen: np.ndarray) -> "Answers":
        """Give the answers of the images in ``chosen``, (n,) bool, alone."""
        probabilities = None if self.probabilities is None else self.probabilities[chosen]
        return replace(self, predicted=self.predicted[chosen], probabilities=probabilities)

    def as_settled(self, seen: "Answers") -> "Answers":
        """Give these answers with what was settled by the same model's answers on validation."""
        return replace(
            self,
            temperature=seen.temperature,
            threshold=seen.threshold,
            validation_sensitivity=seen.validation_sensitivity,
        )

    def healthy_probability(self, images: Images) -> np.ndarray:
        """Give the probability that the threshold is on, (n,)."""
        return (self.probabilities if self.scaled is None else self.scaled)[:, images.healthy]

    def called_ill(self, images: Images) -> np.ndarray:
        """Tell which images the threshold calls a tumour, (n,) bool."""
        return self.healthy_probability(images) < self.threshold


def settle(
    images: Images, answers: Answers, *, temperature_scaling: bool, target_sensitivity: float
) -> Answers:
    """Settle a model's temperature and threshold by its answers on validation."""
    if temperature_scaling:
        temperature = fit_temperature(images.actual, answers.probabilities)
        answers = replace(answers, temperature=temperature)
    if images.healthy_class is None:
        return answers
    scores = answers.healthy_probability(images)
    threshold = choose_threshold(scores, images.ill, target_sensitivity)
    answers = replace(answers, threshold=threshold)
    if threshold is None:
        return answers
    found = answers.called_ill(images)[images.ill].mean().item()
    return replace(answers, validation_sensitivity=found)


def recommend(images: Images, models: dict[str, Answers]) -> dict:
    """Choose a model by its answers on validation.

    The rule: the highest macro F1; of equals the lowest loss; of equals the first.
    """
    figures = {name: headline(images, answers) for name, answers in models.items()}
    best = min(figures, key=lambda name: (-figures[name]["macro_f1"], figures[name]["loss"]))
    settled = {name: figures[best][name] for name in ("macro_f1", "loss")}
    return {"model": best, "rule": "macro_f1", **settled}


def headline(images: Images, answers: Answers) -> dict[str, float | None]:
    """Give the few figures that a person compares models by, :data:`HEADLINE`.

    Sensitivity needs a healthy class. None where a figure does not exist, such as the sensitivity
    where no image shows a tumour.
    """
    found = figures(images, answers, 1, np.ones(len(images.actual)))
    found[("loss", None)] = found["log_loss", None]
    values = {name: found[name, None].item() for name in HEADLINE if (name, None) in found}
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def proportions(images: Images, answers: Answers) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give the measures that are shares of images, as the part and the whole, each (n,) bool."""
    right = answers.predicted == images.actual
    found = {
        "accuracy": (right, np.ones(len(right), bool)),
        "with_twin_accuracy": (right, images.twin),
        "without_twin_accuracy": (right, ~images.twin),
    }
    if images.known.any():
        found |= {
            "same_patient_accuracy": (right, images.same_patient & ~images.twin),
            "new_patient_accuracy": (right, ~images.same_patient),
        }
        if not images.known.all():
            found |= {
                "known_patient_accuracy": (right, images.known),
                "unknown_patient_accuracy": (right, ~images.known),
            }
    if images.healthy_class is not None:
        called_ill = answers.predicted != images.healthy
        found["sensitivity"] = (called_ill, images.ill)
        found["specificity"] = (~called_ill, ~images.ill)
    return found


def threshold_proportions(
    images: Images, answers: Answers
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give sensitivity and specificity by the threshold in the same way; none without one."""
    if answers.threshold is None:
        return {}
    called_ill = answers.called_ill(images)
    return {
        "sensitivity": (called_ill, images.ill),
        "specificity": (~called_ill, ~images.ill),
    }


def figures(
    images: Images, answers: Answers, bins: int, weights: np.ndarray
) -> dict[tuple[str, str | None], np.ndarray]:
    """Measure a classifier.

    Parameters
    ----------
    images : Images
    answers : Answers
    bins : int
        Of the calibration error.
    weights : ndarray (..., n), float
        How often each image counts.

    Returns
    -------
    dict of (str, str or None) to ndarray (...), float
        By measure and class; None is over all classes. See :mod:`brain_mri.assessment.weighted`.
    """
    actual, labels = images.actual, range(len(images.classes))
    scores = class_scores(actual, answers.predicted, len(labels), weights)
    if answers.probabilities is not None:
        aucs = [
            area_under_roc(actual == label, answers.probabilities[:, label], weights)
            for label in labels
        ]
        scores["auc"] = np.stack(aucs, axis=-1)
    found = averages(scores)
    for name, (part, whole) in proportions(images, answers).items():
        found[name] = share(part, whole, weights)
    for name, (part, whole) in threshold_proportions(images, answers).items():
        found[f"threshold_{name}"] = share(part, whole, weights)
    for prefix, probabilities in (("", answers.probabilities), ("scaled_", answers.scaled)):
        if probabilities is not None:
            errors = calibration_errors(actual, probabilities, bins, weights)
            found |= {prefix + name: error for name, error in errors.items()}
    return {(name, None): figure for name, figure in found.items()} | {
        (name, images.classes[label]): score[..., label]
        for name, score in scores.items()
        for label in labels
    }
