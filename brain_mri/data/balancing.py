"""Even out the classes of a training set: one function per strategy, by the name it goes by.

Every public function here is a value that params.yaml takes for `data`.
"""

from functools import partial
from typing import NamedTuple

import numpy as np


class Balanced(NamedTuple):
    """The images of a balanced set.

    Attributes
    ----------
    rows : ndarray (m,), int
        Of the training set: first its own images in their order, then the repeated ones.
    weights : ndarray (m,), float
        Of each in the loss.
    synthetic : ndarray (m,), bool
        Which are to be changed.
    """

    rows: np.ndarray
    weights: np.ndarray
    synthetic: np.ndarray


def none(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Leave the set as it is.

    Parameters
    ----------
    labels : ndarray (n,), str
        The class of each image of the training set.
    generator : numpy.random.Generator
        The only source of chance.
    """
    return _plain(np.arange(len(labels)))


def oversample(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Repeat random images of the smaller classes, up to the largest class."""
    groups = _by_class(labels)
    largest = max(map(len, groups))
    return _plain(_filled(groups, [largest] * len(groups), generator))


def undersample(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Take a random choice of the larger classes, down to the smallest class."""
    groups = _by_class(labels)
    smallest = min(map(len, groups))
    kept = [generator.choice(members, smallest, replace=False) for members in groups]
    return _plain(np.sort(np.concatenate(kept)))


def class_weight(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Weight each image by the inverse of its class's size, to a mean of 1."""
    _, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = len(labels) / (len(counts) * counts[number])
    return none(labels, generator)._replace(weights=weights)


def augment(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Repeat images as `oversample` does, and change the repeated ones."""
    return _changed(oversample(labels, generator), labels)


def augment_only(labels: np.ndarray, generator: np.random.Generator) -> Balanced:
    """Add as many changed images as `augment` does, with the shares of the classes as they are."""
    groups = _by_class(labels)
    sizes = np.array([len(members) for members in groups])
    wanted = np.rint(sizes.max() * len(sizes) / len(labels) * sizes).astype(int)
    return _changed(_plain(_filled(groups, wanted, generator)), labels)


def _by_class(labels: np.ndarray) -> list[np.ndarray]:
    """Give the rows of each class, in the order of their names."""
    return [np.flatnonzero(labels == name) for name in sorted(set(labels))]


def _plain(rows: np.ndarray) -> Balanced:
    return Balanced(rows, np.ones(len(rows)), np.zeros(len(rows), bool))


def _changed(balanced: Balanced, labels: np.ndarray) -> Balanced:
    """Have every added image changed."""
    return balanced._replace(synthetic=np.arange(len(balanced.rows)) >= len(labels))


def _filled(groups: list[np.ndarray], wanted, generator: np.random.Generator) -> np.ndarray:
    """Give every row once, and then as many more of each class as it is to have."""
    extra = map(partial(_fill, generator), groups, wanted)
    return np.concatenate([np.sort(np.concatenate(groups)), *extra])


def _fill(generator: np.random.Generator, members: np.ndarray, size: int) -> np.ndarray:
    """Repeat members up to a size, each as often as any other, give or take one."""
    missing = size - len(members)
    rounds = [generator.permutation(members) for _ in range(-(-missing // len(members)))]
    return np.concatenate([np.empty(0, int), *rounds])[:missing]
