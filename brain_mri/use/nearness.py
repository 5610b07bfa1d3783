"""How far a slice is from all that a model was trained on, by features of the model."""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

NEIGHBOURS = 5  # the distance is that of the farthest of so many; one could be a freak


def nearest(features: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the training images that a model sees as the most similar.

    Parameters
    ----------
    features : ndarray (n, units), float
    known : ndarray (m, units), float
        Of the training images.

    Returns
    -------
    distances, rows : ndarray (n, k), float and int
        Of the k nearest, as many as :data:`NEIGHBOURS` where there are so many, the nearest first.
        Euclidean, between features scaled to unit length: from 0 to 2.

    References
    ----------
    Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022, section 3;
    for features of lower layers, K. Lee et al., A Simple Unified Framework for Detecting
    Out-of-Distribution Samples and Adversarial Attacks, NeurIPS 2018, section 2.2.
    """
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known)), algorithm="brute")
    return search.fit(normalize(known)).kneighbors(normalize(features))


def limit(distances: np.ndarray, answered: float) -> float:
    """Give the smallest distance within which this share of images lies.

    Parameters
    ----------
    distances : ndarray (n,), float
        Of validation, whose patients training has not.
    answered : float
        Above 0, up to 1.
    """
    return float(np.quantile(distances, answered, method="higher"))
