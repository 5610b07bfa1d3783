"""Pictures that a stage leaves for the report, as a folder of PNG files and their list."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from brain_mri.storage import write_table, written_aside

SIDE = 160  # pixels of a picture, at most


def write_gallery(folder: str | Path, table: pd.DataFrame, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures and what is to be said of each.

    Parameters
    ----------
    folder : str or Path
        Replaced as a whole once all is written.
    table : DataFrame
        One row per picture, written as ``index.csv`` with the name of its ``file``.
    pictures : iterable of ndarray (height, width) or (height, width, 3), uint8
        In the order of the table; larger ones are shrunk to `SIDE`, smaller ones stay as they are.
    """
    names = [f"{place:03}.png" for place in range(len(table))]
    with written_aside(folder) as aside:
        aside.mkdir()
        for name, pixels in zip(names, pictures, strict=True):
            picture = Image.fromarray(pixels)
            picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
            picture.save(aside / name, optimize=True)
        write_table(aside / "index.csv", table.assign(file=names))
