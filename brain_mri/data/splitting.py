"""Divide Training into training and validation, and keep Testing's twins out of both."""

import numpy as np
import pandas as pd


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
