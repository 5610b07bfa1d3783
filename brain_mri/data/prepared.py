"""Write the image sets of one division, or of all folds with each image decoded once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.data.splitting import SETS, index_of
from brain_mri.storage import read_images, scratch, write_images

Division = dict[str, pd.DataFrame]  # as brain_mri.data.splitting gives it
Decode = Callable[[Sequence[str]], Iterable[np.ndarray]]


def write_division(folder: Path, division: Division, decode: Decode, shard_mb: int) -> None:
    """Write the three image sets of a division, with one shard in memory at a time.

    Parameters
    ----------
    folder : Path
        Of the folders ``train``, ``val`` and ``test``, each replaced as a whole.
    division : dict of str to DataFrame
        As of :func:`brain_mri.data.splitting.split_by_folder`.
    decode : callable
        Takes paths of images and gives these (size, size), uint8, in the same order.
    shard_mb : int
        Largest size of a shard, in MB (10⁶ bytes).
    """
    images = iter(decode(_rows(division)["path"].tolist()))
    for name in SETS:
        index = index_of(division[name])
        write_images(folder / name, index, islice(images, len(index)), shard_mb)


def write_folds(folder: Path, divisions: list[Division], decode: Decode, shard_mb: int) -> None:
    """Write the image sets of all folds, each fold's into a folder of its number.

    All folds hold the same images, divided in other ways. They are decoded once, into an image set
    that is removed at the end.

    Parameters
    ----------
    folder : Path
    divisions : list of dict
        Of the folds from 1 on, as of :func:`brain_mri.data.splitting.split_folds`.
    decode : callable
    shard_mb : int
        As for :func:`write_division`.
    """
    rows = _rows(divisions[0])
    places = pd.Series(range(len(rows)), index=rows["path"])
    with scratch(folder) as aside:
        write_images(aside / "all", index_of(rows), decode(rows["path"].tolist()), shard_mb)
        decoded = read_images(aside / "all")

        def find(paths: Sequence[str]) -> Iterator[np.ndarray]:
            for place in places[paths]:
                yield decoded.images([place])[0]

        for fold, division in enumerate(divisions, 1):
            write_division(folder / str(fold), division, find, shard_mb)


def _rows(division: Division) -> pd.DataFrame:
    return pd.concat([division[name] for name in SETS])
