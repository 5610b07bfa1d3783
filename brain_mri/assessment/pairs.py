"""Tests of two classifiers on the same images.

McNemar's and the Stuart-Maxwell test take images as independent. Twins are not, so where groups
are large both are too sure; the bootstrap over groups (brain_mri.assessment.intervals) is not.
"""

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_test
from statsmodels.stats.multitest import multipletests

SIGNIFICANT = 0.05  # a p below it, after Holm's correction, is a difference shown


def mcnemar(a_right: np.ndarray, b_right: np.ndarray) -> dict:
    """Test whether two classifiers are right equally often, exactly (McNemar 1947).

    Parameters
    ----------
    a_right, b_right : ndarray (n,), bool

    Returns
    -------
    dict
        ``only_a_right``, ``only_b_right``: numbers of images; ``p``: two-sided, binomial.
    """
    only_a, only_b = int(np.sum(a_right & ~b_right)), int(np.sum(b_right & ~a_right))
    test = mcnemar_test([[0, only_a], [only_b, 0]], exact=True)
    return {"only_a_right": only_a, "only_b_right": only_b, "p": float(test.pvalue)}


def stuart_maxwell(a: np.ndarray, b: np.ndarray, classes: int) -> dict:
    """Test whether two classifiers predict the classes equally often.

    The covariance of the differences in margins (Stuart 1955, Biometrika 42:412; Maxwell 1970,
    British Journal of Psychiatry 116:651) is the Laplacian of the graph whose edges are the
    disagreements. It is singular where a class is in no disagreement, or where classes are confused
    within groups only; then the statistic and its degrees of freedom are the sums over the graph's
    connected parts.

    Parameters
    ----------
    a, b : ndarray (n,), int
        Predicted classes.
    classes : int

    Returns
    -------
    dict
        ``statistic`` (chi-squared), ``degrees_of_freedom``, ``p``. Classifiers that never differ
        have 0, 0 and 1.
    """
    table = np.zeros((classes, classes), int)
    np.add.at(table, (a, b), 1)
    np.fill_diagonal(table, 0)  # agreement says nothing of the difference
    statistic, degrees = 0.0, 0
    parts, part = connected_components(table, directed=False)
    for number in range(parts):
        members = np.flatnonzero(part == number)
        square = SquareTable(table[np.ix_(members, members)], shift_zeros=False)
        if len(members) > 1:
            found = square.homogeneity(method="stuart_maxwell")
            statistic, degrees = statistic + float(found.statistic), degrees + found.df
    p = float(chi2.sf(statistic, degrees)) if degrees else 1.0
    return {"statistic": statistic, "degrees_of_freedom": degrees, "p": p}


def bootstrap_p(differences: np.ndarray, groups: int) -> float | None:
    """Give the two-sided p of a paired bootstrap: twice the share of resamples beyond zero.

    One is added to count and number, so that p is never 0 (Davison and Hinkley 1997, section 4.2).
    Nor is it below the smallest p of a sign test, 2 / 2**groups: where two classifiers differ in
    a handful of groups, too few resamples lack them all, and the bootstrap alone is too sure.

    Parameters
    ----------
    differences : ndarray (resamples,), float
        Between the two classifiers on the same resamples; NaN is left out.
    groups : int
        Those with an image on which the two differ.

    Returns
    -------
    float or None
        None where there is no resample.
    """
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return None
    beyond = min(np.sum(differences <= 0), np.sum(differences >= 0))
    p = 2 * (1 + beyond) / (1 + len(differences))
    return min(1.0, max(float(p), 2.0 ** (1 - groups)))


def smallest_p(resamples: int) -> float:
    """Give the smallest p that :func:`bootstrap_p` can find."""
    return 2 / (1 + resamples)


def is_shown(p: float | None) -> bool:
    """Tell whether a test shows a difference, by its p after Holm's correction, None without one.

    What is shown is decided here alone.
    """
    return p is not None and p < SIGNIFICANT


def verdict(difference: float | None, p: float | None) -> str:
    """Tell whether a difference is shown, and in which direction.

    Parameters
    ----------
    difference : float or None
        None only where there is no p.
    p : float or None
        After Holm's correction.

    Returns
    -------
    str
        higher, lower or undecided.
    """
    if not is_shown(p):
        return "undecided"
    return "higher" if difference > 0 else "lower"


def holm(p: list[float | None]) -> list[float | None]:
    """Correct p values for their number (Holm 1979); those that do not exist are not counted."""
    known = [value for value in p if value is not None]
    corrected = iter(multipletests(known, method="holm")[1].tolist() if known else [])
    return [None if value is None else next(corrected) for value in p]
