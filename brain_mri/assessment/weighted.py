"""The figures of a classifier when an image counts not once but as often as its weight says.

A bootstrap draws images anew; an image's weight is how often it was drawn. Weights are (..., n), so
that one call gives the figures of many resamples. With weights of one the figures are those of
scikit-learn; with others, those that it gives for this ``sample_weight``. A figure that does not
exist, such as the recall of a class of which no image was drawn, is NaN.
"""

import numpy as np

MEASURES = ("precision", "recall", "f1")


def share(part: np.ndarray, whole: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give the share of the images in ``whole`` that are also in ``part``.

    Parameters
    ----------
    part, whole : ndarray (n,), bool
    weights : ndarray (..., n), float

    Returns
    -------
    ndarray (...), float
    """
    sums = weights @ np.column_stack([part & whole, whole]).astype(float)
    return _ratio(sums[..., 0], sums[..., 1])


def class_scores(
    actual: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Give precision, recall and F1 of each class, and its support.

    A class never predicted has precision 0, as in scikit-learn with ``zero_division=0``. A class
    without an image, or of whose images none was drawn, is NaN.

    Parameters
    ----------
    actual, predicted : ndarray (n,), int
        Index of the class.
    classes : int
    weights : ndarray (..., n), float

    Returns
    -------
    dict of str to ndarray (..., classes), float
        ``precision``, ``recall``, ``f1``, ``support`` (sum of weights).
    """
    one_hot = np.eye(classes)
    right = one_hot[actual] * (predicted == actual)[:, None]
    sums = weights @ np.hstack([right, one_hot[actual], one_hot[predicted]])
    right, support, called = np.split(sums, 3, axis=-1)
    found = {
        "precision": _ratio(right, called, 0),
        "recall": _ratio(right, support, 0),
        "f1": _ratio(2 * right, called + support, 0),
    }
    return {name: np.where(support, score, np.nan) for name, score in found.items()} | {
        "support": support
    }


def averages(scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Average the scores of the classes that have an image.

    Parameters
    ----------
    scores : dict of str to ndarray (..., classes), float
        As of :func:`class_scores`; with ``auc`` or without. NaN is left out.

    Returns
    -------
    dict of str to ndarray (...), float
        ``macro_`` and ``weighted_`` precision, recall and f1; ``global_f1``, the origin study's
        harmonic mean of weighted precision and weighted recall; ``macro_auc`` where there is auc.
    """
    support = scores["support"]
    found = {f"macro_{name}": _known_mean(scores[name]) for name in MEASURES}
    for name in MEASURES:
        weighted = np.nansum(scores[name] * support, axis=-1)
        found[f"weighted_{name}"] = _ratio(weighted, support.sum(axis=-1))
    precision, recall = found["weighted_precision"], found["weighted_recall"]
    found["global_f1"] = _ratio(2 * precision * recall, precision + recall, 0)
    if "auc" in scores:
        found["macro_auc"] = _known_mean(scores["auc"])
    return found


def area_under_roc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give the area under the ROC curve, as the Mann-Whitney statistic.

    It is the probability that a positive image scores higher than a negative one, ties counting
    half (Hanley and McNeil 1982, Radiology 143:29).

    Parameters
    ----------
    positive : ndarray (n,), bool
    score : ndarray (n,), float
    weights : ndarray (..., n), float

    Returns
    -------
    ndarray (...), float
        NaN where there are no positives or no negatives.
    """
    negatives = np.flatnonzero(~positive)
    negatives = negatives[np.argsort(score[negatives], kind="stable")]
    up_to = weights[..., negatives].cumsum(axis=-1)
    up_to = np.concatenate([np.zeros_like(weights[..., :1]), up_to], axis=-1)
    lower, lower_or_equal = (
        up_to[..., np.searchsorted(score[negatives], score[positive], side)]
        for side in ("left", "right")
    )
    wins = (weights[..., positive] * (lower + lower_or_equal) / 2).sum(axis=-1)
    return _ratio(wins, weights[..., positive].sum(axis=-1) * up_to[..., -1])


def calibration_errors(
    actual: np.ndarray, probabilities: np.ndarray, bins: int, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Give how far probabilities are from what came true.

    Parameters
    ----------
    actual : ndarray (n,), int
        Index of the class.
    probabilities : ndarray (n, classes), float
        Rows sum to 1.
    bins : int
        Of equal width, on the confidence, which is the largest probability.
    weights : ndarray (..., n), float

    Returns
    -------
    dict of str to ndarray (...), float
        ``ece``, the expected calibration error: the mean over images of their bin's distance
        between accuracy and mean confidence (Guo et al. 2017, ICML, eq. 3); ``brier``, the mean
        squared distance of the probabilities from the truth, summed over classes, 0 to 2
        (Brier 1950); ``log_loss``, the mean categorical cross-entropy in nats.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == actual
    gaps = np.eye(bins)[bin_numbers(confidence, bins)] * (right - confidence)[:, None]
    squares = ((probabilities - np.eye(probabilities.shape[1])[actual]) ** 2).sum(axis=1)
    sums = weights @ np.column_stack([gaps, squares, cross_entropy(actual, probabilities)])
    means = sums / weights.sum(axis=-1, keepdims=True)
    return {
        "ece": np.abs(means[..., :bins]).sum(axis=-1),
        "brier": means[..., bins],
        "log_loss": means[..., bins + 1],
    }


def cross_entropy(actual: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Give each image's categorical cross-entropy in nats, (n,), bounded as scikit-learn does."""
    true = probabilities[np.arange(len(actual)), actual]
    return -np.log(np.clip(true, np.finfo(float).eps, None))


def bin_numbers(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Give the number, from 0, of the bin of equal width; its upper edge belongs to a bin."""
    return np.searchsorted(np.arange(1, bins) / bins, confidence)


def _ratio(part: np.ndarray, whole: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(whole, otherwise), where=whole != 0)


def _known_mean(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return _ratio(np.nansum(values, axis=-1), known.sum(axis=-1).astype(float))
