"""Even out the classes of a training set, by choosing images, weighting or making them."""

from functools import partial

import numpy as np
import pandas as pd


def balance(
    index: pd.DataFrame, strategy: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the images of a balanced set.

    Parameters
    ----------
    index : DataFrame
        Of the training set, with ``label``.
    strategy : {"none", "oversample", "undersample", "class_weight", "augment", "augment_only"}
        ``oversample`` repeats random images of the smaller classes up to the largest class,
        ``augment`` changes them too, ``augment_only`` adds as many changed images but leaves the
        shares of the classes as they are, ``undersample`` takes a random choice down to the
        smallest, ``class_weight`` weights images by the inverse of their class's size, to a mean
        of 1.
    seed : int

    Returns
    -------
    rows : ndarray (m,), int
        Of the index: first the originals in their order, then the repeated ones.
    weights : ndarray (m,), float
        Of each in the loss.
    synthetic : ndarray (m,), bool
        Which are to be changed.
    """
    generator = np.random.default_rng(seed)
    labels = index["label"].to_numpy()
    by_class = {name: np.flatnonzero(labels == name) for name in sorted(set(labels))}
    sizes = [len(rows) for rows in by_class.values()]
    rows = np.arange(len(labels))
    if strategy in ("oversample", "augment", "augment_only"):
        wanted = np.full(len(sizes), max(sizes))
        if strategy == "augment_only":
            wanted = np.rint(wanted.sum() / len(labels) * np.array(sizes)).astype(int)
        extra = map(partial(_fill, generator), by_class.values(), wanted)
        rows = np.concatenate([rows, *extra])
    elif strategy == "undersample":
        kept = [
            generator.choice(members, min(sizes), replace=False) for members in by_class.values()
        ]
        rows = np.sort(np.concatenate(kept))
    weights = np.ones(len(rows))
    if strategy == "class_weight":
        counts = index["label"].map(index["label"].value_counts()).to_numpy()
        weights = len(labels) / (len(by_class) * counts)
    synthetic = np.zeros(len(rows), bool)
    synthetic[len(labels) :] = strategy in ("augment", "augment_only")
    return rows, weights, synthetic


def _fill(generator: np.random.Generator, members: np.ndarray, size: int) -> np.ndarray:
    """Repeat members up to a size, each as often as any other, give or take one."""
    missing = size - len(members)
    rounds = [generator.permutation(members) for _ in range(-(-missing // len(members)))]
    return np.concatenate([np.empty(0, int), *rounds])[:missing]
