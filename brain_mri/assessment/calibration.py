"""Whether a classifier's probabilities come true, and a temperature that improves them."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from brain_mri.assessment.weighted import bin_numbers

WIDEST = np.log(20)  # of a temperature, either way from 1


def fit_temperature(actual: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature that makes probabilities the likeliest (Guo et al. 2017, ICML, 4.2).

    Parameters
    ----------
    actual : ndarray (n,), int
        Index of the class.
    probabilities : ndarray (n, classes), float

    Returns
    -------
    float
        From 1/20 to 20; above 1 where the classifier is too sure of itself. Where every answer is
        right it is 1, since the likelihood then has no maximum: it grows as the temperature falls.
    """
    if (probabilities.argmax(axis=1) == actual).all():
        return 1.0
    logits, images = _logits(probabilities), np.arange(len(actual))

    def loss(log_temperature: float) -> float:
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[images, actual].mean()

    found = minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded")
    return float(np.exp(found.x))


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits behind probabilities, (n, classes), by a temperature."""
    return softmax(_logits(probabilities) / temperature, axis=1)


def reliability(actual: np.ndarray, probabilities: np.ndarray, bins: int) -> pd.DataFrame:
    """Give the reliability diagram: how often each bin of confidence is right.

    Parameters
    ----------
    actual : ndarray (n,), int
        Index of the class.
    probabilities : ndarray (n, classes), float
    bins : int
        Of equal width, on the largest probability.

    Returns
    -------
    DataFrame
        One row per bin that has images: ``bin`` (from 1), its edges ``low`` and ``high``,
        ``images``, their mean ``confidence`` and their ``accuracy``.
    """
    confidence = probabilities.max(axis=1)
    images = pd.DataFrame(
        {
            "bin": bin_numbers(confidence, bins) + 1,
            "confidence": confidence,
            "right": probabilities.argmax(axis=1) == actual,
        }
    )
    table = images.groupby("bin", as_index=False).agg(
        images=("right", "size"), confidence=("confidence", "mean"), accuracy=("right", "mean")
    )
    table.insert(1, "low", (table["bin"] - 1) / bins)
    table.insert(2, "high", table["bin"] / bins)
    return table


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, np.finfo(float).tiny, None))
