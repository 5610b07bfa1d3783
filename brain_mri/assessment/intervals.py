"""How far a figure would move on other images: intervals by drawing groups anew."""

import warnings
from collections.abc import Callable, Hashable

import numpy as np
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap

CONFIDENCE = 0.95
FEW = 5  # groups right, or wrong, below which resamples alone show too little
LARGEST = 2_000_000  # weights in memory at once, whatever the number of images

Interval = dict[str, float | None]
UNKNOWN: Interval = {"value": None, "low": None, "high": None}


def group_bootstrap(
    figures: Callable[[np.ndarray], dict[Hashable, np.ndarray]],
    group: np.ndarray,
    resamples: int,
    seed: int,
) -> tuple[dict[Hashable, float], dict[Hashable, np.ndarray]]:
    """Measure figures on the images, and on resamples of their groups.

    Whole groups are drawn, since the images of one, twins of each other, are not independent:
    drawing images would make the figures look surer than they are (Davison and Hinkley 1997,
    Bootstrap Methods and their Application, section 3.8). All figures are measured on the same
    resamples, so that differences between them are paired.

    Parameters
    ----------
    figures : callable
        Takes the images' weights (b, n), how often each counts, and gives (b,) for each figure.
    group : ndarray (n,), int
        Of each image.
    resamples : int
    seed : int

    Returns
    -------
    values : dict to float
        On the images as they are.
    draws : dict to ndarray (resamples,), float
        On the resamples; empty where there are fewer than two groups.
    """
    groups, group = np.unique(group, return_inverse=True)
    values = {key: value.item() for key, value in figures(np.ones((1, len(group)))).items()}
    if len(groups) < 2:
        return values, dict.fromkeys(values, np.empty(0))

    def statistic(drawn: np.ndarray, axis: int) -> np.ndarray:
        rows = len(groups) * np.arange(len(drawn))[:, None]
        counts = np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)
        return np.stack(list(figures(counts[:, group].astype(float)).values()))

    with warnings.catch_warnings():
        # SciPy's own interval does not leave out NaN, and is not used.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            (np.arange(len(groups)),),
            statistic,
            n_resamples=resamples,
            batch=max(1, LARGEST // len(group)),
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    return values, dict(zip(values, result.bootstrap_distribution, strict=True))


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
    """Give the percentile interval of a figure.

    Resamples in which the figure does not exist (NaN), since they lack a class, are left out: the
    interval is of the figure given that it exists.

    Parameters
    ----------
    value : float
        On the images as they are; NaN gives None throughout.
    draws : ndarray (resamples,), float

    Returns
    -------
    dict
        ``value``, ``low``, ``high``; the bounds are None where there is no resample.
    """
    draws = draws[~np.isnan(draws)]
    if np.isnan(value):
        return dict(UNKNOWN)
    if not len(draws):
        return UNKNOWN | {"value": value}
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return {"value": value, "low": low.item(), "high": high.item()}


def error_interval(value: float, draws: np.ndarray) -> Interval:
    """Give the interval of a mean of absolute errors, such as the expected calibration error.

    Noise only adds to it. So the images give more than the truth, and their resamples more still:
    the percentile interval can lie above both. The lower bound is therefore that of the
    basic (reverse percentile) interval, which removes the resamples' excess; the upper bound
    stays. So the interval is too wide rather than wrong.
    """
    found = percentile_interval(value, draws)
    if found["low"] is None:
        return found
    return found | {
        "low": max(0.0, min(value, 2 * value - found["high"])),
        "high": max(value, found["high"]),
    }


def proportion_interval(value: float, draws: np.ndarray, groups: int) -> Interval:
    """Give the interval of a proportion; near 0 and 1 it is no narrower than the exact one.

    If every image is right, so is every image of every resample, and the percentile interval would
    be a point, as if certain; if all but a few are right, it is still too narrow. There the
    interval also covers Clopper and Pearson's (1934, Biometrika 26:404) for the same share of so
    many groups, each counted once. Elsewhere a proportion of one group has no interval, since
    resamples show how groups differ.

    Parameters
    ----------
    value : float
    draws : ndarray (resamples,), float
    groups : int
        Those with an image that the proportion is of. With none, as for the precision of a class
        never predicted, which is 0 by convention, the interval is 0 to 1.
    """
    if value in (0, 1) and not groups:
        return {"value": value, "low": 0.0, "high": 1.0}
    found = percentile_interval(value, draws if groups > 1 or value in (0, 1) else draws[:0])
    if np.isnan(value) or groups * min(value, 1 - value) >= FEW:
        return found
    if value not in (0, 1) and found["low"] is None:
        return found
    exact = binomtest(round(value * groups), groups).proportion_ci(CONFIDENCE, "exact")
    bounds = [float(exact.low), float(exact.high), value]
    bounds += [found[edge] for edge in ("low", "high") if found[edge] is not None]
    return {"value": value, "low": min(bounds), "high": max(bounds)}


def is_still(draws: np.ndarray) -> bool:
    """Tell whether the resamples in which a figure exists all give it the same value."""
    return len(np.unique(draws[~np.isnan(draws)])) == 1
