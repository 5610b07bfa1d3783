"""ROC curves of one classifier on one test set."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve


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
