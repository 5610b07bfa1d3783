"""The one on-disk format of an image set, and atomic, byte-stable writing."""

import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd

from stages.errors import InputError


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Give a path beside the output to write to, and rename it into place once all is well.

    Parameters
    ----------
    path : str or Path
        The output, a file or a folder; what stands there is replaced.

    Yields
    ------
    Path
        Nothing stands there yet. On an error it is removed and the output is left as it was.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.partial{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(aside)  # of a run that was killed
    try:
        yield aside
        if aside.is_dir():
            _remove(path)  # a folder is not replaced by os.replace
        os.replace(aside, path)
    finally:
        _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, atomically."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, content: dict) -> None:
    """Write JSON, indented, in the order given; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON file that a stage wrote; InputError if it is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{path} is damaged; run `dvc repro --force` to make it again") from None


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with Unix line ends, atomically; floats keep every digit."""
    with written_aside(path) as aside:
        table.to_csv(aside, index=False, lineterminator="\n")


# Columns that are text whatever they hold: a class may be called 01, or NA.
TEXT = ("path", "source", "split", "class", "label", "actual", "predicted", "transform", "reason")


def read_table(path: str | Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV that a stage wrote.

    Parameters
    ----------
    path : str or Path
    columns : iterable of str
        Those that must be there; InputError if one is not, or the file is no table.
    """
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""]
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        table = pd.DataFrame()
    if missing := sorted(set(columns) - set(table.columns)):
        raise InputError(
            f"{path} is damaged, it lacks {', '.join(missing)}; "
            "run `dvc repro --force` to make it again"
        )
    return table


@dataclass(frozen=True)
class ImageSet:
    """A folder of images: ``index.csv``, a row an image, and ``images-00000.npy`` and so on.

    Attributes
    ----------
    index : DataFrame
        Columns ``source`` (path in the data set), ``label`` (class name), ``cluster`` (twin
        cluster), ``weight`` (of the image in the loss), ``transform`` (how a synthetic image was
        made, else empty), ``twin`` (has a twin in the other split).
    shards : tuple of ndarray, each (n, size, size), uint8
        Memory-mapped, in the order of the index.
    """

    index: pd.DataFrame
    shards: tuple[np.ndarray, ...]

    COLUMNS = ("source", "label", "cluster", "weight", "transform", "twin")

    def __len__(self) -> int:
        return len(self.index)

    @property
    def size(self) -> int:
        """Side of the square images, in pixels."""
        return self.shards[0].shape[1]

    def images(self, rows: Iterable[int]) -> np.ndarray:
        """Read images by their row in the index.

        Parameters
        ----------
        rows : iterable of int

        Returns
        -------
        ndarray (len(rows), size, size), uint8
        """
        ends = list(accumulate(len(shard) for shard in self.shards))
        rows = np.asarray(rows, dtype=int)
        out = np.empty((len(rows), self.size, self.size), np.uint8)
        for place, row in enumerate(rows):
            number = bisect_right(ends, row)
            out[place] = self.shards[number][row - ends[number]]
        return out


def read_images(folder: str | Path) -> ImageSet:
    """Open an image set; its images stay on disk until they are asked for.

    Raises
    ------
    InputError
        If the folder is not an image set, or its parts do not agree.
    """
    folder = Path(folder)
    index = read_table(folder / "index.csv", ImageSet.COLUMNS)
    try:
        shards = tuple(np.load(path, mmap_mode="r") for path in sorted(folder.glob("images-*.npy")))
    except (ValueError, EOFError):
        shards = ()
    if not len(index) or sum(map(len, shards)) != len(index):
        raise InputError(f"{folder} is damaged; run `dvc repro --force` to make it again")
    return ImageSet(index.fillna({"transform": ""}), shards)


def write_images(
    folder: str | Path, index: pd.DataFrame, images: Iterable[np.ndarray], shard_mb: int
) -> None:
    """Write an image set, one shard in memory at a time.

    Parameters
    ----------
    folder : str or Path
        Replaced as a whole once all is written.
    index : DataFrame
        Columns as in :class:`ImageSet`, a row an image.
    images : iterable of ndarray (size, size), uint8
        In the order of the index.
    shard_mb : int
        Largest size of a shard, in MB (10⁶ bytes).
    """
    with written_aside(folder) as aside:
        aside.mkdir()
        shard: list[np.ndarray] = []
        number = written = 0
        for image in images:
            shard.append(image)
            if (len(shard) + 1) * image.nbytes > shard_mb * 1_000_000:
                np.save(aside / f"images-{number:05}.npy", np.stack(shard))
                number, written, shard = number + 1, written + len(shard), []
        if shard:
            np.save(aside / f"images-{number:05}.npy", np.stack(shard))
        if written + len(shard) != len(index):
            raise ValueError(f"{len(index)} rows in the index, {written + len(shard)} images")
        write_table(aside / "index.csv", index[list(ImageSet.COLUMNS)])
