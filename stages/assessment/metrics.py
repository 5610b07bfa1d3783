"""The figures of one classifier on one test set."""

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)


def classification_metrics(
    actual: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: list[str],
    healthy_class: str | None = None,
) -> dict:
    """Give every figure of a classifier, from what it predicted.

    A class that is never predicted has precision 0. One without an image has None throughout, since
    it can be neither found nor missed; every average is over the classes that have one.

    Parameters
    ----------
    actual, predicted : ndarray (n,), int
        Index of the class.
    probabilities : ndarray (n, classes), float
        Rows sum to 1.
    classes : list of str
    healthy_class : str, optional
        The class without a tumour; with it, ``tumour`` is the two-class view.

    Returns
    -------
    dict
        ``accuracy``; ``loss``, the mean categorical cross-entropy in nats; ``global_f1``, the
        origin study's harmonic mean of weighted precision and weighted recall; ``macro_auc``;
        ``weighted`` and ``macro``: precision, recall, f1; ``tumour``; ``per_class``: precision,
        recall, f1, support, auc (one class against the rest).
    """
    labels = range(len(classes))
    present = np.unique(actual)
    averages = {
        average: dict(
            zip(
                ("precision", "recall", "f1"),
                precision_recall_fscore_support(
                    actual, predicted, labels=present, average=average, zero_division=0
                )[:3],
                strict=True,
            )
        )
        for average in ("weighted", "macro")
    }
    aucs = [_auc(actual == label, probabilities[:, label]) for label in labels]
    scores = precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=0)
    known = [auc for auc in aucs if auc is not None]
    return _plain(
        {
            "accuracy": accuracy_score(actual, predicted),
            "loss": log_loss(actual, probabilities, labels=labels),
            "global_f1": _harmonic_mean(
                averages["weighted"]["precision"], averages["weighted"]["recall"]
            ),
            "macro_auc": np.mean(known) if known else None,
            **averages,
            **(
                {"tumour": _tumour(actual, predicted, classes.index(healthy_class))}
                if healthy_class
                else {}
            ),
            "per_class": {
                name: {
                    "precision": precision if support else None,
                    "recall": recall if support else None,
                    "f1": f1 if support else None,
                    "support": support,
                    "auc": auc,
                }
                for name, precision, recall, f1, support, auc in zip(
                    classes, *scores, aucs, strict=True
                )
            },
        }
    )


def subset_metrics(actual: np.ndarray, predicted: np.ndarray, subset: np.ndarray) -> dict:
    """Give images, accuracy and macro F1 of the images in a subset, a boolean (n,).

    Both figures are None where the subset is empty. The macro F1 is over the classes in it.
    """
    actual, predicted = actual[subset], predicted[subset]
    if not len(actual):
        return {"images": 0, "accuracy": None, "macro_f1": None}
    present = np.unique(actual)
    return _plain(
        {
            "images": len(actual),
            "accuracy": accuracy_score(actual, predicted),
            "macro_f1": f1_score(
                actual, predicted, labels=present, average="macro", zero_division=0
            ),
        }
    )


def roc_table(actual: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Give the ROC curve of each class against the rest.

    Returns
    -------
    DataFrame
        ``class``, ``false_positive_rate``, ``true_positive_rate``, ``threshold`` (on the class's
        probability; infinite at the origin). A class without both sides has no curve.
    """
    curves = []
    for label, name in enumerate(classes):
        positive = actual == label
        if positive.all() or not positive.any():
            continue
        rates = roc_curve(positive, probabilities[:, label])
        columns = ("false_positive_rate", "true_positive_rate", "threshold")
        curves.append(pd.DataFrame({"class": name, **dict(zip(columns, rates, strict=True))}))
    empty = pd.DataFrame(
        columns=["class", "false_positive_rate", "true_positive_rate", "threshold"]
    )
    return pd.concat(curves, ignore_index=True) if curves else empty


def _auc(positive: np.ndarray, score: np.ndarray) -> float | None:
    return None if positive.all() or not positive.any() else roc_auc_score(positive, score)


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _tumour(actual: np.ndarray, predicted: np.ndarray, healthy: int) -> dict:
    """Give the two-class view: tumour against none, whichever the tumour."""
    ill, called_ill = actual != healthy, predicted != healthy
    missed, alarms = int(np.sum(ill & ~called_ill)), int(np.sum(~ill & called_ill))
    return {
        "sensitivity": 1 - missed / ill.sum() if ill.any() else None,
        "specificity": 1 - alarms / (~ill).sum() if not ill.all() else None,
        "missed_tumours": missed,
        "false_alarms": alarms,
    }


def _plain(content):
    """Turn NumPy numbers into Python's, for JSON."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return content.item() if isinstance(content, np.generic) else content
