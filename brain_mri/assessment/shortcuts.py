"""What needs no look at the anatomy: a file's header, and four figures of a picture's brightness.

Where these tell the classes apart, so may a model, for no reason that holds for other images
(Geirhos et al. 2020, Nature Machine Intelligence 2:665).
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold

from brain_mri.assessment.intervals import (
    UNKNOWN,
    Interval,
    group_bootstrap,
    percentile_interval,
)
from brain_mri.assessment.look_up import blocks
from brain_mri.assessment.weighted import area_under_roc
from brain_mri.storage import ImageSet

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I", "I;16")  # as Pillow calls them
BLACK = 16  # the grey level up to which a pixel is black, for all that JPEG leaves there
FRAME = 16  # the outer frame is one part in so many of the side wide
FOLDS = 5
FEWEST = 20  # groups on either side, for an area that chance alone does not bring far from 0.5
# An area under the curve is called a clear tell where its interval is above this, the bound of
# acceptable discrimination (Hosmer, Lemeshow and Sturdivant 2013, Applied Logistic Regression,
# 5.2.4): small differences that no figure depends on are found in any two sets of images.
TELLS = 0.7
# In five folds of the public set's Training by patient, none was better by more than a point: 1, 5
# or 20 images a leaf, 100 or 300 trees, gradient boosting.
LEAF = 5
TREES = 100


def header_features(rows: pd.DataFrame) -> np.ndarray:
    """Give what the manifest tells of each file, as numbers.

    Parameters
    ----------
    rows : DataFrame
        Of accepted files, columns as of the audit's manifest.

    Returns
    -------
    ndarray (n, 8), float
        Width and height in pixels, their ratio, number of the mode and of the format, mean of the
        quantisation table, bytes per pixel, share of black border; -1 is unknown or none.
    """
    width, height = rows["width"].to_numpy(float), rows["height"].to_numpy(float)
    columns = {
        "width": width,
        "height": height,
        "aspect": width / height,
        "mode": pd.Index(MODES).get_indexer(rows["mode"].astype(str)),  # CSV has 1 for "1"
        "format": rows["format"] == "PNG",
        "quantisation": pd.to_numeric(rows["quantisation"]),
        "bytes_per_pixel": rows["file_bytes"].to_numpy(float) / (width * height),
        "border": rows["border"],
    }
    features = np.column_stack([np.asarray(column, float) for column in columns.values()])
    return np.nan_to_num(features, nan=-1)


def picture_features(images: ImageSet) -> np.ndarray:
    """Give four figures of each picture's brightness, which hold no shape.

    Parameters
    ----------
    images : ImageSet
        Read a block at a time.

    Returns
    -------
    ndarray (n, 4), float
        Mean, standard deviation, share of black pixels, mean of the outer frame.
    """
    width = max(1, images.size // FRAME)
    frame = np.ones((images.size, images.size), bool)
    frame[width:-width, width:-width] = False
    parts = []
    for rows in blocks(images):
        pixels = images.images(rows).reshape(len(rows), -1)
        figures = pixels.mean(1), pixels.std(1), (pixels <= BLACK).mean(1)
        parts.append(np.column_stack([*figures, pixels[:, frame.ravel()].mean(1)]))
    return np.concatenate(parts)


def answer(
    train_features: np.ndarray, train_labels: np.ndarray, features: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Learn classes from features, and name those of others.

    Parameters
    ----------
    train_features : ndarray (n, k), float
    train_labels : ndarray (n,)
    features : ndarray (m, k), float
    seed : int

    Returns
    -------
    predicted : ndarray (m,)
        Labels; the same for the same seed.
    probabilities : ndarray (m, classes), float
        Columns in the sorted order of the training labels.
    """
    model = _forest(seed).fit(train_features, train_labels)
    probabilities = model.predict_proba(features)
    return model.classes_[probabilities.argmax(axis=1)], probabilities


def told_apart(
    features: np.ndarray, positive: np.ndarray, group: np.ndarray, resamples: int, seed: int
) -> Interval:
    """Measure how well some images are told from the others by their features alone.

    Each image is scored by a classifier that has seen neither it nor another of its group.

    Parameters
    ----------
    features : ndarray (n, k), float
    positive : ndarray (n,), bool
        Which images are to be told from the others.
    group : ndarray (n,), int
        Of twins and slices of one patient.
    resamples : int
        Of the bootstrap of groups.
    seed : int

    Returns
    -------
    dict
        ``value``, ``low``, ``high`` of the area under the ROC curve: 0.5 where nothing tells them
        apart, 1 where everything does. None where either side has fewer than :data:`FEWEST`
        groups. The interval takes the classifiers as they are, so that it is too narrow where
        there are fewer than some hundreds of groups.
    """
    if min(len(np.unique(group[side])) for side in (positive, ~positive)) < FEWEST:
        return dict(UNKNOWN)
    scores = np.empty(len(positive))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(features, positive, group):
        model = _forest(seed).fit(features[train], positive[train])
        scores[test] = model.predict_proba(features[test]) @ model.classes_
    values, draws = group_bootstrap(
        lambda weights: {"auc": area_under_roc(positive, scores, weights)}, group, resamples, seed
    )
    return percentile_interval(values["auc"], draws["auc"])


def is_told(area: Interval) -> bool:
    """Tell whether images are clearly told apart, by :func:`told_apart`."""
    return area["low"] is not None and area["low"] > TELLS


def shift(
    features: dict[str, np.ndarray],
    labels: np.ndarray,
    testing: np.ndarray,
    group: np.ndarray,
    classes: list[str],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Tell, class by class, how well Testing images are told from Training ones by their features.

    A classifier two-sample test (Lopez-Paz and Oquab 2017, ICLR), by :func:`told_apart`.

    Parameters
    ----------
    features : dict of str to ndarray (n, k), float
        Such as of :func:`header_features`, by their name.
    labels : ndarray (n,), str
    testing : ndarray (n,), bool
        Whether the image is of Testing; it is of Training otherwise.
    group : ndarray (n,), int
        Of twins and slices of one patient.
    classes : list of str
    resamples : int
        Of the bootstrap of groups.
    seed : int

    Returns
    -------
    DataFrame
        ``class``, ``features`` (the name), ``auc`` (0.5 where the two are alike, 1 where a Testing
        image is always known as such) with its 95 % interval ``low`` and ``high``,
        ``told``, see :func:`is_told`, ``training``
        and ``testing`` (images).
    """
    rows = []
    for name in classes:
        own = labels == name
        for kind, values in features.items():
            area = told_apart(values[own], testing[own], group[own], resamples, seed)
            rows.append(
                {"class": name, "features": kind, "auc": area["value"]}
                | {"low": area["low"], "high": area["high"], "told": is_told(area)}
                | {"training": (own & ~testing).sum(), "testing": (own & testing).sum()}
            )
    return pd.DataFrame(rows)


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
