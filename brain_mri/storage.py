"""The one on-disk format of an image set, and atomic, byte-stable writing."""

import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.errors import InputError

# Columns that are text whatever they hold: a class or a model may be called 01, or NA.
TEXT = (
    "path",
    "source",
    "split",
    "class",
    "label",
    "actual",
    "predicted",
    "patient",
    "transform",
    "reason",
    "model",
    "layer",
)


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
        Nothing stands there yet. On an error it is removed and the output is left as it was. A
        process that is killed may leave it behind, for the next one to remove; the output is
        whole then, the old or the new, or a folder that was to be replaced is not there.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.partial{path.suffix}")
    old = path.with_name(f".{path.name}.partial.old")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(aside)  # of a run that was killed
    _remove(old)
    try:
        yield aside
        if aside.is_dir() and path.exists():  # os.replace does not replace a folder
            os.replace(path, old)
        os.replace(aside, path)
        _remove(old)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        _remove(aside)


@contextmanager
def scratch(path: str | Path) -> Iterator[Path]:
    """Give an empty folder beside an output, for what is too large for memory while that is made.

    It is removed at the end; what a killed process left is removed at the start.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.partial.scratch")
    _remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    except OSError as error:
        _name(error, path)
        raise
    finally:
        _remove(folder)


def _name(error: OSError, path: Path) -> None:
    """Name what was written in an error of an open file, which does not know its name."""
    if error.errno and not error.filename:
        error.filename = str(path)


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


def read_json(path: str | Path, text: Iterable[str] | None = None) -> dict:
    """Read a JSON file that a stage wrote.

    Parameters
    ----------
    path : str or Path
    text : iterable of str, optional
        If given, the keys whose values are text; every other holds a number, a truth, nothing, or
        a mapping of such.

    Returns
    -------
    dict
        InputError names the file where it, or a mapping within, is asked for a key it lacks.

    Raises
    ------
    InputError
        If the file holds no mapping, text for a number, or what is no JSON, such as NaN.
    """

    class Content(dict):
        def __missing__(self, key):
            raise damaged(path, f"it lacks {key}")

    def refuse(constant: str):
        raise ValueError(f"{constant} is no JSON")

    def finite(text: str) -> float:
        return float(text) if np.isfinite(float(text)) else refuse(text)  # as 1e999 is not

    try:
        content = json.loads(
            Path(path).read_text(encoding="utf-8"),
            object_pairs_hook=Content,
            parse_constant=refuse,
            parse_float=finite,
        )
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, Content):
        raise damaged(path)
    if text is not None and (key := _other_than_number(content, frozenset(text))):
        raise damaged(path, f"{key} is no number")
    return content


def _other_than_number(content: dict, text: frozenset[str]) -> str | None:
    """Find a key, at any depth, whose value is neither a number nor nothing, None if none is."""
    for key, value in content.items():
        if isinstance(value, dict):
            if found := _other_than_number(value, text):
                return found
        elif isinstance(value, list) or isinstance(value, str) != (key in text):
            return key
    return None


def damaged(path: str | Path, how: str = "") -> InputError:
    """Give the error of a file that a stage wrote and that is not as the stage wrote it."""
    said = f"{path} is damaged, {how}" if how else f"{path} is damaged"
    return InputError(f"{said}; run `dvc repro --force` to make it again")


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with Unix line ends, atomically; floats keep every digit."""
    with written_aside(path) as aside:
        table.to_csv(aside, index=False, lineterminator="\n")


def read_table(
    path: str | Path, columns: Iterable[str], numbers: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a CSV that a stage wrote.

    Parameters
    ----------
    path : str or Path
    columns : iterable of str
        Those that must be there; InputError if one is not, or the file is no table.
    numbers : iterable of str
        Those that must be there and hold numbers, or nothing.
    """
    numbers = list(numbers)
    types = {name: str for name in TEXT if name not in numbers}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    except (ValueError, OverflowError):  # of pandas' parser, of UTF-8, of a number too large
        table = pd.DataFrame()
    if missing := sorted({*columns, *numbers} - set(table.columns)):
        raise damaged(path, f"it lacks {', '.join(missing)}")
    for name in numbers:
        if len(table) and not _is_numeric(table[name]):  # a column of no row has no type
            raise damaged(path, f"{name} is not all numbers")
    return table


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


@dataclass(frozen=True)
class ImageSet:
    """A folder of images: ``index.csv``, one row per image, and ``images-00000.npy`` and so on.

    Attributes
    ----------
    index : DataFrame
        Columns ``source`` (path in the data set), ``label`` (class name), ``group`` (of twins and
        slices of one patient), ``patient`` (empty where not known), ``weight`` (of the image in
        the loss), ``transform`` (how a synthetic image was made, else empty), ``twin`` (has a twin
        in the other split), ``same_patient`` (has a twin or another slice of its patient there).
    shards : tuple of ndarray, each (n, size, size), uint8
        Memory-mapped, in the order of the index. In memory alone, also features (n, units) that a
        model made of the images.
    """

    index: pd.DataFrame
    shards: tuple[np.ndarray, ...]

    COLUMNS = (
        "source",
        "label",
        "group",
        "patient",
        "weight",
        "transform",
        "twin",
        "same_patient",
    )

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
        ndarray (len(rows), ...)
            Of the shape and type of an entry of the shards.
        """
        rows = np.asarray(rows, dtype=int)
        out = np.empty((len(rows), *self.shards[0].shape[1:]), self.shards[0].dtype)
        for place, row in enumerate(rows):
            number = bisect_right(self._ends, row)
            out[place] = self.shards[number][row - self._ends[number]]
        return out

    @cached_property  # once, since a large set, of many shards, may be read image by image
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self.shards)))


def read_images(
    folder: str | Path, classes: Iterable[str] | None = None, size: int | None = None
) -> ImageSet:
    """Open an image set; its images stay on disk until they are asked for.

    Parameters
    ----------
    folder : str or Path
    classes : iterable of str, optional
        If given, every label is one of them.
    size : int, optional
        If given, the side of the images, in pixels.

    Raises
    ------
    InputError
        If the folder is not an image set, or its parts do not agree.
    """
    folder = Path(folder)
    index = read_table(folder / "index.csv", ImageSet.COLUMNS, numbers=("group", "weight"))
    try:
        shards = tuple(
            np.lib.format.open_memmap(path, mode="r")
            for path in sorted(folder.glob("images-*.npy"))
        )
    except (OSError, MemoryError):
        raise
    except Exception:  # numpy raises whatever its reading of the header stumbles over
        shards = ()
    whole = (
        len(index)
        and sum(map(len, shards)) == len(index)
        and len({shard.shape[1:] for shard in shards}) == 1
        and all(shard.dtype == np.uint8 for shard in shards)
        and shards[0].ndim == 3
        and shards[0].shape[1] == shards[0].shape[2] > 0
        and index[["source", "label"]].notna().all(axis=None)
        and pd.api.types.is_integer_dtype(index["group"])
        and all(map(pd.api.types.is_bool_dtype, (index["twin"], index["same_patient"])))
        and np.isfinite(index["weight"]).all()
        and (index["weight"] > 0).all()
    )
    if not whole:
        raise damaged(folder)
    side = shards[0].shape[1]
    if size is not None and side != size:
        raise damaged(folder, f"its images have {side} pixels a side, but image_size is {size}")
    if classes is not None and (unknown := sorted(set(index["label"]) - set(classes))):
        raise InputError(
            f"{folder} has images of {', '.join(unknown)}, which is none of the classes; "
            "run `dvc repro` to make it again"
        )
    return ImageSet(index.fillna({"transform": "", "patient": ""}), shards)


def require_same_size(image_sets: Iterable[ImageSet]) -> None:
    """Raise InputError unless all images are of one size."""
    if len({image_set.size for image_set in image_sets}) > 1:
        raise InputError(
            "training, validation and testing images differ in size; run `dvc repro` to "
            "prepare them anew"
        )


def write_images(
    folder: str | Path, index: pd.DataFrame, images: Iterable[np.ndarray], shard_mb: int
) -> None:
    """Write an image set, one shard in memory at a time.

    Parameters
    ----------
    folder : str or Path
        Replaced as a whole once all is written.
    index : DataFrame
        Columns as in :class:`ImageSet`, one row per image.
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
                write_array(aside / f"images-{number:05}.npy", np.stack(shard))
                number, written, shard = number + 1, written + len(shard), []
        if shard:
            write_array(aside / f"images-{number:05}.npy", np.stack(shard))
        if written + len(shard) != len(index):
            raise ValueError(f"{len(index)} rows in the index, {written + len(shard)} images")
        write_table(aside / "index.csv", index[list(ImageSet.COLUMNS)])


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as numpy.save does, which may lose the last bytes on a full disk silently."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)
