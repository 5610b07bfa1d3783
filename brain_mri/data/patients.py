"""Whose slices they are: the patients' table of a data set, and what it joins."""

import codecs
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.data.dataset import same_text
from brain_mri.data.twins import cluster
from brain_mri.errors import InputError

MOST_PATHS = 3  # that a sentence names
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_patients(path: str | Path | None, files: Iterable[str]) -> pd.DataFrame:
    """Read and check the table that tells which patient an image is of.

    It may be written by any spreadsheet: UTF-8 or UTF-16 with or without a mark, or Windows's
    Western letters; any line ends; quoted or not.

    Parameters
    ----------
    path : str or Path or None
        CSV with the columns ``path`` (of an image, below the data set) and ``patient``; others are
        kept. None where patients are not known.
    files : iterable of str
        Paths of all files of the data set.

    Returns
    -------
    DataFrame
        One row per path, in their order; all columns are text.

    Raises
    ------
    InputError
        If the file is missing or no table, lacks a column, names a path that is not in the set or
        the patients of a path differ or are empty.
    """
    if path is None:
        return pd.DataFrame(columns=["path", "patient"], dtype=str)
    said = f"patients is '{path}', but"
    table = _table(path, said)
    if missing := [name for name in ("path", "patient") if name not in table.columns]:
        raise InputError(
            f"{said} it lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(map(repr, table.columns))}"
        )
    table["path"], table["patient"] = table["path"].map(same_text), table["patient"].str.strip()
    known = {same_text(file): file for file in files}
    unknown = table.loc[~table["path"].isin(known), "path"].unique().tolist()
    if unknown:
        raise InputError(
            f"{said} {len(unknown)} of its paths are not in the data set: "
            f"{', '.join(map(repr, unknown[:MOST_PATHS]))}"
            + (", ..." if len(unknown) > MOST_PATHS else "")
            + "; it takes the table of this set, or null where patients are not known"
        )
    if (empty := table["patient"] == "").any():
        raise InputError(f"{said} the patient of '{table.loc[empty, 'path'].iloc[0]}' is empty")
    table = table.assign(path=table["path"].map(known))
    table = table.drop_duplicates(["path", "patient"]).sort_values("path", ignore_index=True)
    if (twice := table["path"].duplicated(keep=False)).any():
        one, other = table.loc[twice, "patient"].iloc[:2]
        raise InputError(
            f"{said} it gives '{table.loc[twice, 'path'].iloc[0]}' two patients, {one!r} and "
            f"{other!r}"
        )
    return table


def _table(path: str | Path, said: str) -> pd.DataFrame:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{said} there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{said} that is a folder; it takes null or a CSV file") from None
    coding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(coding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    try:
        return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{said} it is no table in CSV ({error})") from None


def groups(clusters: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Join the images of one cluster, and those of one patient, directly or through others.

    Parameters
    ----------
    clusters : ndarray (n,), int
        Twin cluster of each image.
    patients : ndarray (n,), str
        Empty where the patient is not known: such an image belongs to its twins alone.

    Returns
    -------
    ndarray (n,), int32
        Group of each image, counted from 0 in order of first appearance.
    """
    rows = pd.DataFrame({"cluster": clusters, "patient": patients, "row": np.arange(len(clusters))})
    pairs = [
        np.column_stack([members.groupby(column)["row"].transform("first"), members["row"]])
        for column, members in (("cluster", rows), ("patient", rows[rows["patient"] != ""]))
    ]
    return cluster(len(rows), np.concatenate(pairs))


def with_patients(manifest: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add each image's ``patient``, empty where not known, and its ``group``, to a manifest.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``path``, ``cluster`` and ``accepted``; files that are not accepted
        belong to no group.
    table : DataFrame
        As of :func:`read_patients`.
    """
    named = dict(zip(table["path"], table["patient"], strict=True))
    patients = pd.Series([named.get(path, "") for path in manifest["path"]], manifest.index, object)
    found = pd.array([pd.NA] * len(manifest), dtype="Int64")
    accepted = manifest["accepted"].to_numpy()
    clusters = manifest.loc[accepted, "cluster"].to_numpy(int)
    found[accepted] = groups(clusters, patients[accepted].to_numpy())
    place = manifest.columns.get_loc("accepted")
    manifest = manifest.copy()
    manifest.insert(place, "patient", patients)
    manifest.insert(place + 1, "group", found)
    return manifest
