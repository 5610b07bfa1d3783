"""Write balanced sets: the images that a strategy chooses, changed where it says so."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.data import balancing
from brain_mri.data.augmentation import Change, apply_change, draw_change
from brain_mri.storage import ImageSet, write_images

CHANGES = 3  # pictures of changed slices, for each class


def write_balanced(
    folder: Path, strategy: str, training: ImageSet, ranges: dict, seed: int, shard_mb: int
) -> str:
    """Write the set that a strategy makes of the training set.

    Parameters
    ----------
    folder : Path
        Replaced as a whole.
    strategy : str
        A function of :mod:`brain_mri.data.balancing`.
    training : ImageSet
    ranges : dict
        Of the changes, as :func:`brain_mri.data.augmentation.draw_change` takes them.
    seed : int
    shard_mb : int

    Returns
    -------
    str
        How large the set is.
    """
    labels = training.index["label"].to_numpy()
    balanced = getattr(balancing, strategy)(labels, np.random.default_rng(seed))
    changes = _changes(balanced.synthetic, ranges, seed)
    index = training.index.iloc[balanced.rows].assign(
        weight=balanced.weights,
        transform=["" if change is None else str(change) for change in changes],
    )
    write_images(folder, index, _images(training, balanced.rows, changes), shard_mb)
    synthetic = f" ({balanced.synthetic.sum()} synthetic)" if balanced.synthetic.any() else ""
    return f"{len(index)} by {strategy}{synthetic}"


def samples(
    training: ImageSet, classes: list[str], ranges: dict, seed: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Show the first slice of each class, and changes as the strategy augment draws them.

    Returns
    -------
    table : DataFrame
        One row per picture, with ``path``, ``class`` and, of a changed one, its change.
    pictures : list of ndarray (size, size), uint8
    """
    generator = np.random.default_rng(seed)
    rows, pictures = [], []
    for name in classes:
        first = training.index[training.index["label"] == name].iloc[0]
        pixels = training.images([first.name])[0]
        for change in [None, *(draw_change(generator, ranges) for _ in range(CHANGES))]:
            drawn = {} if change is None else change._asdict()
            rows.append({"path": first["source"], "class": name, **drawn})
            pictures.append(pixels if change is None else apply_change(pixels, change))
    return pd.DataFrame(rows), pictures


def _changes(synthetic: np.ndarray, ranges: dict, seed: int) -> list[Change | None]:
    """Draw a change for each synthetic image, from its place alone; None for the others."""
    return [
        draw_change(np.random.default_rng([seed, place]), ranges) if changed else None
        for place, changed in enumerate(synthetic)
    ]


def _images(
    training: ImageSet, rows: np.ndarray, changes: list[Change | None]
) -> Iterator[np.ndarray]:
    for row, change in zip(rows, changes, strict=True):
        image = training.images([row])[0]
        yield image if change is None else apply_change(image, change)
