"""Divide Training into training and validation, and keep Testing's twins out of both."""

import numpy as np
import pandas as pd

from brain_mri.data.dataset import SPLITS
from brain_mri.errors import InputError

SETS = ("train", "val", "test")


def in_clusters_of(clusters: pd.Series, others: pd.Series) -> np.ndarray:
    """Tell which images have a twin among others, from the twin clusters of both, as booleans."""
    return clusters.isin(others).to_numpy()


def validation_mask(
    labels: np.ndarray, clusters: np.ndarray, share: float, seed: int
) -> np.ndarray:
    """Choose the validation images: a share of each class, whole twin clusters at a time.

    Clusters are taken in random order as long as they fit. A class gives at least one cluster if
    it has two, and never all it has. A cluster with several labels counts under its first.

    Parameters
    ----------
    labels, clusters : ndarray (n,)
    share : float
        Of each class, between 0 and 1.
    seed : int

    Returns
    -------
    ndarray (n,), bool
    """
    table = pd.DataFrame({"label": labels, "cluster": clusters})
    sizes = table.groupby("cluster", sort=True).agg(
        label=("label", "first"), size=("label", "size")
    )
    generator = np.random.default_rng(seed)
    chosen: list = []
    for _, members in sizes.groupby("label", sort=True):
        members = members.iloc[generator.permutation(len(members))]
        wanted = max(1, round(share * members["size"].sum()))
        taken, left = 0, len(members)
        for cluster, size in members["size"].items():
            fits = taken + size <= wanted or (not taken and size == members["size"].min())
            if fits and left > 1:
                chosen.append(cluster)
                taken, left = taken + size, left - 1
    return table["cluster"].isin(chosen).to_numpy()


def split(manifest: pd.DataFrame, leakage: str, share: float, seed: int) -> dict[str, pd.DataFrame]:
    """Divide the accepted images between training, validation and test.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``split``, ``class``, ``cluster`` and ``accepted``.
    leakage : {"drop", "keep"}
        Whether Training images that have a twin in Testing are left out.
    share : float
        Of each class of Training, for validation.
    seed : int

    Returns
    -------
    dict of str to DataFrame
        The rows of ``train``, ``val``, ``test`` and ``dropped``, with ``twin``: whether there is a
        twin in the other split.
    """
    images = manifest[manifest["accepted"]]
    images = images.astype({"cluster": int})  # refused rows, which have none, make it float
    training, testing = (images[images["split"] == name] for name in SPLITS)
    training = training.assign(twin=in_clusters_of(training["cluster"], testing["cluster"]))
    testing = testing.assign(twin=in_clusters_of(testing["cluster"], training["cluster"]))
    dropped = training[training["twin"] & (leakage == "drop")]
    training = training.drop(dropped.index)
    validation = validation_mask(
        training["class"].to_numpy(),
        training["cluster"].to_numpy(),
        share,
        seed,
    )
    used = {"train": training[~validation], "val": training[validation], "test": testing}
    return used | {"dropped": dropped}


def require_images(
    sets: dict[str, pd.DataFrame], manifest: pd.DataFrame, classes: list[str], leakage: str
) -> None:
    """Raise InputError, with what became of the files, if a set or a class to train on is empty.

    Parameters
    ----------
    sets : dict of str to DataFrame
        As of :func:`split`.
    manifest : DataFrame
        One row per file, also of refused ones, with the ``reason``.
    classes : list of str
    leakage : {"drop", "keep"}
    """
    dropped = sets["dropped"]

    def refused(files: pd.DataFrame) -> str:
        if files.empty:
            return "there is no file"
        reasons = files["reason"].value_counts()
        why = f" ({reasons.iloc[0]} for: {reasons.index[0]})" if len(reasons) else ""
        return f"of {len(files)} files {reasons.sum()} were refused{why}"

    def twins(rows: pd.DataFrame) -> str:
        said = f"{len(rows)} dropped as twins of Testing, since leakage is {leakage!r}"
        return said if len(rows) else "none dropped as a twin of Testing"

    files = manifest[manifest["class"].isin(classes)]
    training, testing = (files[files["split"] == split] for split in SPLITS)
    for name in classes:
        if name in set(sets["train"]["class"]):
            continue
        held = (sets["val"]["class"] == name).sum()
        raise InputError(
            f"no image of {name} is left to train on: in Training/{name}, "
            f"{refused(training[training['class'] == name])}, {held} held out for validation and "
            f"{twins(dropped[dropped['class'] == name])}."
        )
    if sets["test"].empty:
        raise InputError(f"no image is left for test: in Testing, {refused(testing)}.")
    if sets["val"].empty:
        clusters = sets["train"].groupby("class")["cluster"].nunique()
        raise InputError(
            "no image is left for validation, which takes whole clusters of twins and never the "
            f"last one of a class: the {len(sets['train'])} images of Training are in few clusters "
            f"({', '.join(f'{name}: {count}' for name, count in clusters.items())}); there, "
            f"{refused(training)} and {twins(dropped)}; add slices that are no copies of others."
        )


def index_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Give the index of an image set (:class:`brain_mri.storage.ImageSet`) of rows of a split."""
    return pd.DataFrame(
        {
            "source": rows["path"],
            "label": rows["class"],
            "cluster": rows["cluster"],
            "weight": 1.0,
            "transform": "",
            "twin": rows["twin"],
        }
    )


def count_by_class(sets: dict[str, pd.DataFrame], classes: list[str]) -> pd.DataFrame:
    """Count images, and those with a twin in the other split, by ``set`` and ``class``.

    Parameters
    ----------
    sets : dict of str to DataFrame
        As of :func:`split`.
    classes : list of str
    """
    return pd.DataFrame(
        {
            "set": name,
            "class": label,
            "images": (rows["class"] == label).sum(),
            "with_twin": (rows["twin"] & (rows["class"] == label)).sum(),
        }
        for name, rows in sets.items()
        for label in classes
    )
