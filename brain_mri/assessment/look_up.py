"""What needs no model: the most similar training image's label, and the commonest label."""

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import euclidean_distances

from brain_mri.storage import ImageSet

LARGEST = 8_000_000  # pixels of a block in memory


def nearest_rows(training: ImageSet, testing: ImageSet) -> np.ndarray:
    """Find each testing image's nearest neighbour in training, by Euclidean distance of pixels.

    Pixels are whole numbers, so that distances are exact, and equal ones are equal: the first
    neighbour wins.

    Parameters
    ----------
    training, testing : ImageSet
        Of the same image size; read a block at a time.

    Returns
    -------
    ndarray (len(testing),), int
        Rows in training.
    """
    nearest = np.zeros(len(testing), int)
    smallest = np.full(len(testing), np.inf)
    for known in blocks(training):
        neighbours = _vectors(training, known)
        for rows in blocks(testing):
            distances = euclidean_distances(_vectors(testing, rows), neighbours, squared=True)
            found = distances.min(axis=1)
            closer = found < smallest[rows]
            nearest[rows[closer]] = known[distances.argmin(axis=1)[closer]]
            smallest[rows[closer]] = found[closer]
    return nearest


def commonest(labels: pd.Series, classes: list[str]) -> str:
    """Give the class with the most images; of equals, the first in order."""
    return labels.value_counts().reindex(classes, fill_value=0).idxmax()


def blocks(images: ImageSet) -> list[np.ndarray]:
    """Give the rows of an image set, cut into blocks of :data:`LARGEST` pixels."""
    rows = max(1, LARGEST // images.size**2)
    return [np.arange(len(images))[start : start + rows] for start in range(0, len(images), rows)]


def _vectors(images: ImageSet, rows: np.ndarray) -> np.ndarray:
    return images.images(rows).reshape(len(rows), -1).astype(float)
