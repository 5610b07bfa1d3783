"""What a model answered on a set of images, as evaluate writes it."""

from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.errors import InputError
from brain_mri.storage import damaged, read_table


def predictions_table(
    index: pd.DataFrame, probabilities: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """Tell what a model answered, in the form that :func:`read_predictions` reads.

    Parameters
    ----------
    index : DataFrame
        Of an image set.
    probabilities : ndarray (n, classes), float
    classes : list of str
    """
    return pd.DataFrame(
        {
            "path": index["source"],
            "group": index["group"],
            "actual": index["label"],
            "predicted": np.array(classes)[probabilities.argmax(axis=1)],
            **dict(zip(classes, probabilities.T, strict=True)),
        }
    )


def read_predictions(
    path: str | Path, classes: list[str], index: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Read the answers of a model.

    Parameters
    ----------
    path : str or Path
    classes : list of str
    index : DataFrame, optional
        Of an image set; if given, the answers are of its images, in their order.

    Returns
    -------
    DataFrame
        One row per image: ``path``, ``group``, ``actual``, ``predicted`` (the likeliest class),
        and the probability of each class.

    Raises
    ------
    InputError
        If the file is damaged, or of other images.
    """
    table = read_table(path, ["path", "actual", "predicted"], numbers=["group", *classes])
    if index is not None and not (
        table["path"].equals(index["source"]) and table["actual"].equals(index["label"])
    ):
        raise InputError(f"{path} is of other images; run `dvc repro --force` to make it again")
    if table.empty or not table[["actual", "predicted"]].isin(classes).all(axis=None):
        raise damaged(path)
    probabilities = table[classes].to_numpy(float)
    if not np.allclose(probabilities.sum(axis=1), 1) or probabilities.min() < 0:
        raise damaged(path)
    predicted = pd.Index(classes).get_indexer(table["predicted"])
    given = probabilities[np.arange(len(table)), predicted]
    if (given < probabilities.max(axis=1) - 1e-9).any():
        raise damaged(path, "predicted is not the likeliest class")
    return table
