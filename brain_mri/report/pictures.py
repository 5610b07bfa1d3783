"""The pictures that other stages left, as data URIs, so that a page needs no other file."""

from base64 import b64encode
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image

from brain_mri.storage import damaged, read_table

MOST_PIXELS = 4096  # a side of a picture that a stage wrote; it is far less


def read_gallery(
    folder: str | Path, columns: Iterable[str], numbers: Iterable[str] = ()
) -> pd.DataFrame:
    """Read pictures and what is to be said of each.

    Parameters
    ----------
    folder : str or Path
        As :func:`brain_mri.gallery.write_gallery` wrote it. Git has no pictures; where DVC
        has not brought them either there is no such folder.
    columns, numbers : iterable of str
        As of :func:`brain_mri.storage.read_table`.

    Returns
    -------
    DataFrame
        One row per picture, with its ``uri``; none without the folder.

    Raises
    ------
    InputError
        If the list or a picture is damaged, or is no picture of this folder.
    """
    folder, columns, numbers = Path(folder), [*columns, "file"], list(numbers)
    if not folder.is_dir():
        return pd.DataFrame(columns=[*columns, *numbers, "uri"])
    table = read_table(folder / "index.csv", columns, numbers)
    if not table["file"].astype(str).str.fullmatch(r"\d+\.png").all():  # of this folder, no other
        raise damaged(folder / "index.csv")
    return table.assign(uri=[_uri(folder / name) for name in table["file"]])


def _uri(path: Path) -> str:
    """Give a PNG file as a data URI; InputError if it is none, or damaged."""
    content = path.read_bytes()
    try:
        image = Image.open(BytesIO(content), formats=["PNG"])
        if max(image.size) > MOST_PIXELS:
            raise ValueError("no picture of ours")
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise damaged(path) from None
    return f"data:image/png;base64,{b64encode(content).decode()}"
