"""Classifiers against each other on one test set: every figure with its interval, every pair."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from brain_mri.assessment.answers import (
    Answers,
    Images,
    figures,
    proportions,
    threshold_proportions,
)
from brain_mri.assessment.intervals import (
    CONFIDENCE,
    UNKNOWN,
    Interval,
    error_interval,
    group_bootstrap,
    is_still,
    percentile_interval,
    proportion_interval,
)
from brain_mri.assessment.pairs import (
    bootstrap_p,
    holm,
    is_shown,
    mcnemar,
    smallest_p,
    stuart_maxwell,
    verdict,
)
from brain_mri.assessment.weighted import averages

PAIRED = ("accuracy", "macro_f1", "sensitivity")  # measures whose differences are tested


@dataclass(frozen=True)
class Measured:
    """A classifier's figures, by measure and class (None is overall).

    Attributes
    ----------
    images : Images
    answers : Answers
    values : dict to float
        On the images as they are.
    draws : dict to ndarray (resamples,), float
        On resamples, the same for all classifiers.
    """

    images: Images
    answers: Answers
    values: dict[tuple[str, str | None], float]
    draws: dict[tuple[str, str | None], np.ndarray]

    def known(self, measure: str, label: str | None = None) -> tuple[float, np.ndarray]:
        """Give a figure's value and its draws."""
        return self.values[measure, label], self.draws[measure, label]


def measure(
    images: Images, classifiers: dict[str, Answers], *, bins: int, resamples: int, seed: int
) -> dict[str, Measured]:
    """Measure every classifier on the images and on resamples of their groups."""

    def all_figures(weights: np.ndarray) -> dict:
        return {
            (name, *key): figure
            for name, answers in classifiers.items()
            for key, figure in figures(images, answers, bins, weights).items()
        }

    values, draws = group_bootstrap(all_figures, images.group, resamples, seed)
    return {
        name: Measured(
            images,
            answers,
            {key[1:]: value for key, value in values.items() if key[0] == name},
            {key[1:]: drawn for key, drawn in draws.items() if key[0] == name},
        )
        for name, answers in classifiers.items()
    }


def compare(
    images: Images,
    models: dict[str, Answers],
    others: dict[str, Answers],
    *,
    bins: int,
    resamples: int,
    seed: int,
    target_sensitivity: float | None = None,
) -> dict:
    """Compare models with each other and with what needs no model.

    Parameters
    ----------
    images : Images
    models : dict of str to Answers
        With probabilities and, where wanted, a temperature and a threshold.
    others : dict of str to Answers
        As of :func:`brain_mri.assessment.baselines.answers_of`.
    bins : int
        Of the calibration error.
    resamples, seed : int
        Of the one bootstrap behind every interval and every paired difference.
    target_sensitivity : float, optional
        That the thresholds were settled for; without it nothing is said of thresholds.

    Returns
    -------
    dict
        ``images``, ``groups``, ``resamples``, ``smallest_p`` that these can tell,
        ``confidence``, ``classifiers``, ``pairs``, ``calibration`` and, with a healthy class,
        ``threshold``. An interval is ``value``, ``low`` and ``high``, None where it does not exist.
    """
    measured = measure(images, models | others, bins=bins, resamples=resamples, seed=seed)
    classifiers = {name: classifier_section(found) for name, found in measured.items()}
    wanted = [*combinations(models, 2), *product(models, others)]
    pairs = pairs_section(wanted, measured, classifiers)
    for name in models:
        classifiers[name]["beats"] = {
            other: _is_higher(pairs[f"{name} - {other}"]["accuracy"]) for other in others
        }
    content = {
        "images": len(images.actual),
        "groups": images.groups(np.ones(len(images.actual), bool)),
        "resamples": resamples,
        "smallest_p": smallest_p(resamples),
        "confidence": CONFIDENCE,
        "classifiers": classifiers,
        "pairs": pairs,
        "calibration": {name: calibration_section(measured[name], bins) for name in models},
    }
    if images.healthy_class is not None and target_sensitivity is not None:
        content["threshold"] = {
            "target_sensitivity": target_sensitivity,
            "models": {name: threshold_section(measured[name]) for name in models},
        }
    return content


def headlines(
    images: Images,
    classifiers: dict[str, Answers],
    chosen: np.ndarray,
    *,
    bins: int,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Interval]]:
    """Give accuracy and macro F1 of each classifier on some of the images, (n,) bool."""
    some = {name: answers.only(chosen) for name, answers in classifiers.items()}
    measured = measure(images.only(chosen), some, bins=bins, resamples=resamples, seed=seed)
    sections = {name: classifier_section(found) for name, found in measured.items()}
    return {
        name: {measure: section[measure] for measure in ("accuracy", "macro_f1")}
        for name, section in sections.items()
    }


def said(found: dict) -> str:
    """Tell in a line what was compared, and whether the resamples can find a difference at all."""
    pairs, resamples = len(found["pairs"]), found["resamples"]
    line = f"{pairs} pairs, {found['recommended']['model']} recommended"
    if is_shown(found["smallest_p"] * pairs):
        return line
    return f"{line}; for {pairs} pairs, {resamples} resamples are too few to find a difference"


def _is_higher(difference: dict) -> bool:
    return verdict(difference["value"], difference["p_holm"]) == "higher"


def classifier_section(found: Measured) -> dict:
    """Give a classifier's figures, over all classes and of each."""
    images = found.images
    per_class = {name: class_intervals(found, label) for label, name in enumerate(images.classes)}
    low, high = (_average_bounds(edge, images, per_class) for edge in ("low", "high"))
    overall = {}
    for name, (_, whole) in proportions(images, found.answers).items():
        if whole.any() or not name.endswith("_accuracy"):
            overall[name] = proportion_interval(*found.known(name), images.groups(whole))
    for name in low:
        value, draws = found.known(name)
        # Where every class scores 0 or 1, no resample moves an average. Then the averages of the
        # classes' own bounds are its bounds, wider than needed.
        overall[name] = (
            {"value": value, "low": low[name].item(), "high": high[name].item()}
            if value in (0, 1) or is_still(draws)
            else percentile_interval(value, draws)
        )
    if found.answers.probabilities is not None:
        overall["loss"] = percentile_interval(*found.known("log_loss"))
    return overall | {"per_class": per_class}


def class_intervals(found: Measured, label: int) -> dict[str, Interval]:
    """Give a class's precision, recall, F1 and, of a model, AUC; unknown without an image of it."""
    images, name = found.images, found.images.classes[label]
    positive, called = images.actual == label, found.answers.predicted == label
    groups = {
        "precision": images.groups(called),
        "recall": images.groups(positive),
        "f1": images.groups(positive | called),
    }
    if found.answers.probabilities is not None:
        # AUC is the probability that an image of the class scores higher than another image. Pairs
        # of a group with the class and one without are independent trials of it: this many.
        groups["auc"] = min(images.groups(positive), images.groups(~positive))
    if not positive.any():
        return dict.fromkeys(groups, UNKNOWN)
    intervals = {
        measure: proportion_interval(*found.known(measure, name), number)
        for measure, number in groups.items()
    }
    if intervals["f1"]["value"] in (0, 1):
        # The exact interval is of a proportion, Jaccard's J: of the images that are or are called
        # the class, those that are both. F1 = 2J / (1 + J).
        jaccard = intervals["f1"]
        intervals["f1"] = {edge: 2 * j / (1 + j) for edge, j in jaccard.items()}
    return intervals


def _average_bounds(edge: str, images: Images, per_class: dict) -> dict[str, np.ndarray]:
    """Average the low or high bounds of the classes' intervals."""
    support = np.bincount(images.actual, minlength=len(images.classes))
    scores = {"support": support.astype(float)}
    for measure in next(iter(per_class.values())):
        bounds = [intervals[measure][edge] for intervals in per_class.values()]
        known = [(edge == "high") if bound is None else bound for bound in bounds]
        scores[measure] = np.where(support > 0, known, np.nan)
    return averages(scores)


def pairs_section(
    pairs: list[tuple[str, str]], measured: dict[str, Measured], sections: dict[str, dict]
) -> dict[str, dict]:
    """Test each pair, and correct the p of each test for the number of pairs (Holm).

    Parameters
    ----------
    pairs : list of (str, str)
        Classifiers a and b; a difference is a minus b.
    measured : dict of str to Measured
        By classifier.
    sections : dict of str to dict
        By classifier, as :func:`classifier_section` gives them.

    Returns
    -------
    dict of str to dict
        By ``"a - b"``: ``mcnemar``, ``stuart_maxwell``, and the difference in each paired measure.
    """
    found = {}
    for a, b in pairs:
        images = measured[a].images
        first, second = measured[a].answers.predicted, measured[b].answers.predicted
        tests = {
            "mcnemar": mcnemar(first == images.actual, second == images.actual),
            "stuart_maxwell": stuart_maxwell(first, second, len(images.classes)),
        }
        for name in PAIRED:
            if name in sections[a]:
                bounds = sections[a][name], sections[b][name]
                tests[name] = _difference(measured[a], measured[b], name, *bounds)
        found[f"{a} - {b}"] = tests
    for test in next(iter(found.values())):
        corrected = holm([tests[test]["p"] for tests in found.values()])
        for tests, p in zip(found.values(), corrected, strict=True):
            tests[test]["p_holm"] = p
    return found


def _difference(a: Measured, b: Measured, measure: str, of_a: Interval, of_b: Interval) -> dict:
    """Give a paired difference, its interval and its p."""
    value = a.values[measure, None] - b.values[measure, None]
    draws = a.draws[measure, None] - b.draws[measure, None]
    found = percentile_interval(value, draws)
    if value != 0 and is_still(draws):  # one is always right, the other never
        known = None not in (of_a["low"], of_b["low"])
        found |= {
            "low": of_a["low"] - of_b["high"] if known else None,
            "high": of_a["high"] - of_b["low"] if known else None,
        }
    differ = a.answers.predicted != b.answers.predicted
    if measure == "sensitivity":
        differ &= a.images.ill
    return found | {"p": bootstrap_p(draws, a.images.groups(differ))}


def calibration_section(found: Measured, bins: int) -> dict:
    """Give a model's calibration, before and after temperature scaling."""

    def errors(prefix: str) -> dict[str, Interval]:
        return {
            "ece": error_interval(*found.known(f"{prefix}ece")),
            "brier": percentile_interval(*found.known(f"{prefix}brier")),
            "log_loss": percentile_interval(*found.known(f"{prefix}log_loss")),
        }

    content = {"bins": bins, "images": len(found.images.actual)} | errors("")
    if found.answers.temperature is not None:
        content |= {"temperature": found.answers.temperature, "scaled": errors("scaled_")}
    return content


def threshold_section(found: Measured) -> dict:
    """Give what a model's threshold costs on Testing; unknown if validation settled none.

    The intervals take the threshold as it is. They do not show that another validation set would
    have settled another one.
    """
    images, answers = found.images, found.answers
    content = {
        "threshold": answers.threshold,
        "sensitivity": UNKNOWN,
        "specificity": UNKNOWN,
        "missed_tumours": None,
        "false_alarms": None,
        "validation_sensitivity": answers.validation_sensitivity,
    }
    wrong = {"sensitivity": "missed_tumours", "specificity": "false_alarms"}
    for name, (right, whole) in threshold_proportions(images, answers).items():
        drawn = found.known(f"threshold_{name}")
        content[name] = proportion_interval(*drawn, images.groups(whole))
        content[wrong[name]] = int(np.sum(whole & ~right))
    return content
