"""What needs no model, as answers beside those of the models."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from brain_mri.assessment.answers import Answers
from brain_mri.assessment.intervals import UNKNOWN, Interval
from brain_mri.assessment.look_up import commonest, nearest_rows
from brain_mri.assessment.references import HEADER, LOOK_UP, MAJORITY, REFERENCES, STATISTICS
from brain_mri.assessment.shortcuts import (
    answer,
    header_features,
    is_told,
    picture_features,
    shift,
    told_apart,
)
from brain_mri.errors import InputError
from brain_mri.storage import ImageSet


def require_other_names(models: Iterable[str]) -> None:
    """Raise InputError if a model has the name of what needs none."""
    if taken := sorted(set(REFERENCES).intersection(models)):
        raise InputError(f"models.{taken[0]} needs another name; compare has its own")


def features_of(images: ImageSet, manifest: pd.DataFrame) -> dict:
    """Give what files' headers and pictures' brightness tell, (n, k) each, by its name.

    Parameters
    ----------
    images : ImageSet
    manifest : DataFrame
        One row per file of the data set, with ``path`` and the header's columns.
    """
    rows = manifest.set_index("path").loc[images.index["source"]]
    return {HEADER: header_features(rows), STATISTICS: picture_features(images)}


def answers_of(
    training: ImageSet,
    testing: ImageSet,
    known: dict,
    asked: dict,
    classes: list[str],
    seed: int,
) -> dict[str, Answers]:
    """Answer for each testing image without a model.

    Parameters
    ----------
    training, testing : ImageSet
    known, asked : dict
        Of the training and of the testing images, as of :func:`features_of`.
    classes : list of str
    seed : int

    Returns
    -------
    dict of str to Answers
        By name: the label of the most similar training image, the commonest label, and what is
        learned from headers and from brightness alone.
    """
    labels = training.index["label"].to_numpy()
    found = {
        LOOK_UP: labels[nearest_rows(training, testing)],
        MAJORITY: [commonest(training.index["label"], classes)] * len(testing),
    }
    for name, features in known.items():
        found[name] = answer(features, labels, asked[name], seed)[0]
    return {name: Answers.of_labels(given, classes) for name, given in found.items()}


def shortcuts_in(
    sets: list[ImageSet],
    parts: list[dict],
    classes: list[str],
    healthy_class: str | None,
    resamples: int,
    seed: int,
) -> tuple[Interval, pd.DataFrame]:
    """Measure what headers and brightness give away of the data set itself.

    Parameters
    ----------
    sets : list of ImageSet
        Which together hold the images of both folders of the data set.
    parts : list of dict
        Of each set, as of :func:`features_of`.
    classes : list of str
    healthy_class : str or None
    resamples, seed : int
        Of the bootstrap and of what is learned.

    Returns
    -------
    tumour : dict
        How well a header tells a tumour from none within Training, see
        :func:`~brain_mri.assessment.shortcuts.told_apart`, and whether it is ``told``; unknown
        without a healthy class.
    shift : DataFrame
        How well Testing is told from Training, see :func:`~brain_mri.assessment.shortcuts.shift`.
    """
    index = pd.concat([images.index for images in sets])
    features = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    labels, group = index["label"].to_numpy(), index["group"].to_numpy()
    testing = index["source"].str.startswith("Testing/").to_numpy()
    table = shift(features, labels, testing, group, classes, resamples, seed)
    tumour = dict(UNKNOWN)
    if healthy_class is not None:
        ill, own = labels != healthy_class, ~testing
        tumour = told_apart(features[HEADER][own], ill[own], group[own], resamples, seed)
    return tumour | {"told": is_told(tumour)}, table
