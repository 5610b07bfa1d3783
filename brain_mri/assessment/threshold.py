"""The grave error, a missed tumour: how sure of "no tumour" a classifier must be to say so."""

import numpy as np


def choose_threshold(
    healthy_probability: np.ndarray, ill: np.ndarray, target: float
) -> float | None:
    """Give the smallest probability at which "no tumour" may be said.

    Said from that probability on and never below, at least the target share of tumours is not
    missed, and no smaller number would do; so, among all thresholds that meet the target, it gives
    the fewest false alarms.

    Parameters
    ----------
    healthy_probability : ndarray (n,), float
        Of the class without a tumour, on validation.
    ill : ndarray (n,), bool
        Whether there is a tumour.
    target : float
        Sensitivity to reach, above 0 and up to 1.

    Returns
    -------
    float or None
        Just above the score of a tumour, so it may be just above 1, where "no tumour" is never
        said; None if validation has no tumour.
    """
    scores = np.sort(healthy_probability[ill])[::-1]
    if not len(scores):
        return None
    to_find = np.ceil(target * len(scores) - 1e-9)  # 0.55 * 100 is above 55, by its rounding
    first_found = scores[len(scores) - int(to_find)]  # of the tumours, from the highest score
    return float(np.nextafter(first_found, np.inf))
