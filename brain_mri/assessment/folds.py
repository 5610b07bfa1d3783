"""Folds put together: every image is answered by a model that never saw its patient."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.assessment.answers import Answers, Images, figures, headline
from brain_mri.assessment.baselines import answers_of, features_of
from brain_mri.assessment.replicates import student
from brain_mri.assessment.suspects import with_origins
from brain_mri.storage import ImageSet, read_images

COMPARED = ("accuracy", "macro_f1")  # of validation and test


@dataclass(frozen=True)
class Fold:
    """One fold: its test images, what each classifier answers, and how models did on validation.

    Attributes
    ----------
    testing : ImageSet
        The test set.
    images : Images
        What is true of it.
    models, others : dict of str to Answers
        Of what is trained, and of what needs no model.
    validation : dict of str to dict
        The :func:`headline` of each model.
    """

    testing: ImageSet
    images: Images
    models: dict[str, Answers]
    others: dict[str, Answers]
    validation: dict[str, dict]

    @property
    def index(self) -> pd.DataFrame:
        """One row per test image."""
        return self.testing.index


def read_folds(
    data: Path,
    runs: Path,
    names: list[str],
    count: int,
    manifest: pd.DataFrame,
    classes: list[str],
    healthy_class: str | None,
    seed: int,
) -> list[Fold]:
    """Read what the models of every fold answered, and answer without a model.

    Parameters
    ----------
    data : Path
        Folder of the image sets ``<fold>/train``, ``<fold>/val`` and ``<fold>/test``.
    runs : Path
        Folder of ``validation/<model>-<fold>.csv`` and ``predictions/<model>-<fold>.csv``.
    names : list of str
        Of the models.
    count : int
        Of folds.
    manifest : DataFrame
        Of the audit.
    classes : list of str
    healthy_class : str or None
    seed : int
        Of what is learned from headers and brightness.
    """
    found = []
    for number in range(1, count + 1):
        training, validation, testing = (
            read_images(data / f"{number}/{name}", classes) for name in ("train", "val", "test")
        )
        validated = Images.of(validation.index, classes, healthy_class)
        models, seen = {}, {}
        for name in names:
            path = runs / f"predictions/{name}-{number}.csv"
            models[name] = Answers.read(path, classes, testing.index)
            path = runs / f"validation/{name}-{number}.csv"
            seen[name] = headline(validated, Answers.read(path, classes, validation.index))
        known, asked = features_of(training, manifest), features_of(testing, manifest)
        others = answers_of(training, testing, known, asked, classes, seed)
        images = Images.of(testing.index, classes, healthy_class)
        found.append(Fold(testing, images, models, others, seen))
    return found


def join(folds: list[Fold]) -> tuple[Images, dict[str, Answers], dict[str, Answers]]:
    """Put the test images of all folds together, and what models and others answered."""
    parts = [fold.images for fold in folds]
    arrays = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Images)
        if field.name not in ("classes", "healthy_class")
    }
    images = Images(**arrays, classes=parts[0].classes, healthy_class=parts[0].healthy_class)
    return (
        images,
        _joined([fold.models for fold in folds]),
        _joined([fold.others for fold in folds]),
    )


def _joined(answers: list[dict[str, Answers]]) -> dict[str, Answers]:
    found = {}
    for name, first in answers[0].items():
        own = [fold[name] for fold in answers]
        probabilities = None
        if first.probabilities is not None:
            probabilities = np.concatenate([part.probabilities for part in own])
        found[name] = Answers(np.concatenate([part.predicted for part in own]), probabilities)
    return found


def fold_table(folds: list[Fold]) -> pd.DataFrame:
    """Give one row per fold and classifier: its figures on test and, of a model, on validation.

    Returns
    -------
    DataFrame
        ``fold``, ``classifier``, ``images``, ``accuracy``, ``macro_f1``, ``val_accuracy``,
        ``val_macro_f1``; the last two are empty where no model was trained.
    """
    rows = []
    for number, fold in enumerate(folds, start=1):
        for name, answers in (fold.models | fold.others).items():
            tested = figures(fold.images, answers, 1, np.ones(len(fold.index)))
            seen = fold.validation.get(name, {})
            row = {"fold": number, "classifier": name, "images": len(fold.index)}
            row |= {measure: tested[measure, None].item() for measure in COMPARED}
            rows.append(row | {f"val_{measure}": seen.get(measure) for measure in COMPARED})
    return pd.DataFrame(rows)


def validation_gaps(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Tell how far validation and test are apart in each fold.

    Parameters
    ----------
    table : DataFrame
        As of :func:`fold_table`.

    Returns
    -------
    dict of str to dict
        By model: ``validation`` and ``test``, the mean accuracies over folds; ``gap``, the mean
        difference, with ``low`` and ``high``, Student's interval over folds. Folds share their
        training images, so that it is narrower than that of separate sets would be.
    """
    found = {}
    trained = table[table["val_accuracy"].notna()]
    for name, rows in trained.groupby("classifier", sort=False):
        gaps = (rows["val_accuracy"] - rows["accuracy"]).to_numpy(float)
        low, high, _ = student(gaps)
        found[name] = {
            "validation": rows["val_accuracy"].mean(),
            "test": rows["accuracy"].mean(),
            "gap": gaps.mean(),
            "low": low,
            "high": high,
        }
    return found


def answers(folds: list[Fold], classes: list[str]) -> pd.DataFrame:
    """List what every classifier answers of every image.

    Returns
    -------
    DataFrame
        ``path``, ``fold``, ``group``, ``patient``, ``actual``, and for each classifier the class
        it predicts.
    """
    labels = np.array(classes)
    tables = [
        pd.DataFrame(
            {
                "path": fold.index["source"],
                "fold": number,
                "group": fold.index["group"],
                "patient": fold.index["patient"],
                "actual": fold.index["label"],
                **{
                    name: labels[answers.predicted]
                    for name, answers in (fold.models | fold.others).items()
                },
            }
        )
        for number, fold in enumerate(folds, start=1)
    ]
    return pd.concat(tables, ignore_index=True)


def best_on_validation(table: pd.DataFrame) -> str:
    """Name the model with the highest macro F1 on validation, in the mean over folds."""
    return table.groupby("classifier", sort=False)["val_macro_f1"].mean().idxmax()


def index_of(folds: list[Fold], patients: pd.DataFrame) -> pd.DataFrame:
    """Give the indices of all test sets in one, with what the patients' table adds of origins."""
    index = pd.concat([fold.index for fold in folds], ignore_index=True)
    return with_origins(index, patients)


def metrics(found: dict) -> dict[str, dict[str, float]]:
    """Give the few figures of each classifier that a person compares, for DVC to show."""
    return {
        name: {measure: figures[measure]["value"] for measure in COMPARED}
        for name, figures in found["classifiers"].items()
    }


def pictures(folds: list[Fold], paths: Iterable[str]) -> Iterator[np.ndarray]:
    """Yield the prepared test images of these paths, (size, size), uint8, in their order."""
    places = {
        path: (fold.testing, row) for fold in folds for row, path in enumerate(fold.index["source"])
    }
    for path in paths:
        images, row = places[path]
        yield images.images([row])[0]
