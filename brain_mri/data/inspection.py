"""Look at every file of a data set: is it a slice, and which others show the same."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri.data.dataset import HEADER, UNKNOWN_CLASS, list_files, unreadable
from brain_mri.data.decoding import Refused, border_share, decode, file_digest, pixel_digest
from brain_mri.data.twins import ORIENTATIONS, Twins, cluster, find_twins, fingerprint, orient
from brain_mri.errors import InputError
from brain_mri.parallel import Workers, map_in_order

COLUMNS = (*HEADER, "sha256", "pixels_sha256", "accepted", "reason")


def inspect(
    dataset: Path,
    classes: list[str],
    max_pixels: int,
    max_refused: float,
    engine: Workers,
    scratch: Path,
) -> pd.DataFrame:
    """Look at every file, and find the twins among the accepted ones.

    Parameters
    ----------
    dataset : Path
        Folder of the data set.
    classes : list of str
    max_pixels : int
        A larger image is refused before it is decoded.
    max_refused : float
        Share of the files; InputError if more are refused.
    engine : Workers
        Where the work is done.
    scratch : Path
        Folder for what memory is too small for.

    Returns
    -------
    DataFrame
        The manifest, one row per file: ``path``, ``split``, ``class``, ``width``, ``height``,
        ``mode``, ``format``, ``file_bytes``, ``quantisation`` (mean of a JPEG's first table),
        ``border`` (share that is black around the head), digests of file and pixels, twin
        ``cluster``, ``orientation`` (how it is turned against the first image of its cluster, as
        :func:`brain_mri.data.twins.turned` does it; empty where refused), ``accepted``, ``reason``.
    """
    files = list_files(dataset)
    look = partial(_look, folder=dataset, classes=classes, max_pixels=max_pixels)
    rows: list[tuple] = []
    fingerprints = _look_at_all(files, look, rows, max_refused, engine)
    compare = partial(map_in_order, title="twins", unit="row of tiles", chunksize=1, compute=engine)
    twins = find_twins(fingerprints, apply=compare, folder=scratch)
    return _with_twins(_with_looks(files, rows), twins)


def _look_at_all(
    files: pd.DataFrame,
    look: Callable,
    rows: list[tuple],
    max_refused: float,
    engine: Workers,
) -> Iterator[np.ndarray]:
    """Yield the fingerprint of every slice, and append to `rows` what was seen, one row per file.

    One after another, since memory is too small for the fingerprints of a large set.
    """
    items = files[["path", "class", "refused"]].values.tolist()
    for row, found in map_in_order(look, items, "audit", compute=engine):
        rows.append(tuple(row[name] for name in COLUMNS))
        if row["accepted"]:
            yield found
    _require_few_refused(_with_looks(files, rows), max_refused)


def _with_looks(files: pd.DataFrame, rows: list[tuple]) -> pd.DataFrame:
    looked = pd.DataFrame(rows, columns=COLUMNS).astype({"accepted": bool})
    return pd.concat([files, looked], axis=1)


def _look(item: list[str | None], folder: Path, classes: list[str], max_pixels: int):
    """Give what the manifest says of one file, and its fingerprint if it is a slice."""
    path, class_name, refused = item
    row = dict.fromkeys(COLUMNS) | {"accepted": False}
    try:
        if refused:
            raise Refused(refused)
        if class_name not in classes:
            raise Refused(UNKNOWN_CLASS)
        file = folder / path
        row["sha256"] = file_digest(file)
        found = decode(file, max_pixels)
    except Refused as refusal:
        return row | {"reason": str(refusal)}, None
    except OSError as error:  # a dangling link, a file that nobody may read
        return row | {"reason": unreadable(error)}, None
    row |= {
        "width": found.width,
        "height": found.height,
        "mode": found.mode,
        "format": found.format,
        "file_bytes": file.stat().st_size,
        "quantisation": found.quantisation,
        "border": border_share(found.pixels),
        "pixels_sha256": pixel_digest(found.pixels),
        "accepted": True,
    }
    return row, fingerprint(found.pixels)


def _require_few_refused(manifest: pd.DataFrame, most: float) -> None:
    """Raise InputError if more than the allowed share is refused; other classes do not count."""
    asked = manifest[manifest["reason"] != UNKNOWN_CLASS]
    refused = asked[~asked["accepted"]]
    if len(refused) > most * len(asked):
        reasons = refused["reason"].value_counts()
        example = refused.loc[refused["reason"] == reasons.index[0], "path"].iloc[0]
        raise InputError(
            f"{len(refused)} of {len(asked)} files are refused, more than the share of {most} that "
            f"audit.max_refused allows; {reasons.iloc[0]} of them for: {reasons.index[0]}, such as "
            f"'{example}'. No manifest was written; "
            "`dvc exp run -S audit.max_refused=1 audit` writes data/audit/manifest.csv, "
            "which tells the reason of each."
        )


def _with_twins(manifest: pd.DataFrame, found: Twins) -> pd.DataFrame:
    """Add the twin cluster of every accepted image, and how it is turned against its first."""
    clusters = pd.array([pd.NA] * len(manifest), dtype="Int64")
    orientations = np.full(len(manifest), None, object)
    accepted = np.flatnonzero(manifest["accepted"])
    clusters[accepted] = cluster(len(accepted), found.pairs)
    orientations[accepted] = np.array(ORIENTATIONS, object)[orient(len(accepted), found)]
    columns = ["path", "split", "class", *HEADER, "sha256", "pixels_sha256"]
    integers = dict.fromkeys(["width", "height", "file_bytes"], "Int64")
    manifest = manifest.assign(cluster=clusters, orientation=orientations).astype(integers)
    return manifest[[*columns, "cluster", "orientation", "accepted", "reason"]]
