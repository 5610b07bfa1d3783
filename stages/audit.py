"""Open every image, refuse what is not a slice, and find the twins within and across the splits."""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.dataset import (
    MOST_NAMES,
    UNKNOWN_CLASS,
    beside_splits,
    list_files,
    require_dataset,
    unreadable,
)
from brain_mri.data.decoding import (
    Refused,
    decode,
    decode_accepted,
    file_digest,
    pixel_digest,
)
from brain_mri.data.findings import conflicting, summarise, twin_pairs
from brain_mri.data.gallery import SIDE, write_gallery
from brain_mri.data.resizing import resize
from brain_mri.data.twins import Twins, cluster, find_twins, fingerprint
from brain_mri.errors import InputError
from brain_mri.parallel import Workers, map_in_order, workers
from brain_mri.storage import scratch, write_json, write_table

COLUMNS = ("width", "height", "mode", "sha256", "pixels_sha256", "accepted", "reason")
PAIRS = 6  # of twins, shown as pictures


def main() -> None:
    """Read the data set; write its manifest, one row per file, and what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--manifest", required=True, type=Path, help="file to write")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage("audit") as done:
        parameters = params.load()
        require_dataset(arguments.dataset, parameters.classes)
        files = list_files(arguments.dataset)
        look = partial(
            _look,
            folder=arguments.dataset,
            classes=parameters.classes,
            max_pixels=parameters.audit.max_pixels,
        )
        rows: list[tuple] = []
        with workers(parameters.compute, "audit") as engine, scratch(arguments.manifest) as folder:
            fingerprints = _look_at_all(files, look, rows, parameters, engine)
            compare = partial(
                map_in_order, title="twins", unit="row of tiles", chunksize=1, compute=engine
            )
            twins = find_twins(fingerprints, apply=compare, folder=folder)
        manifest = _with_twins(_with_looks(files, rows), twins)
        found = summarise(manifest, parameters.classes)
        found["unused"] = beside_splits(arguments.dataset)
        across = found["twins"]["testing_with_twin_in_training"]
        metrics = {name: found[name] for name in ("files", "refused")} | {"twins_across": across}
        folder = arguments.reports / "audit"
        write_table(arguments.manifest, manifest)
        write_table(folder / "label_conflicts.csv", conflicting(manifest))
        write_table(folder / "refused.csv", manifest.loc[~manifest["accepted"], ["path", "reason"]])
        write_json(folder / "findings.json", found)
        write_json(arguments.reports / "audit.json", {"data": metrics})
        shown = twin_pairs(manifest, PAIRS)
        slices = (
            resize(decode_accepted(arguments.dataset / path, parameters.audit.max_pixels), SIDE)
            for path in shown["path"]
        )
        write_gallery(arguments.reports / "pictures/twins", shown, slices)
        testing = found["images"]["Testing"]["all"]
        done(
            f"{found['files']} files, {found['refused']} refused; "
            f"{across} of {testing} Testing images have a twin in Training"
            + _left_aside("files beside Training and Testing, not used", found["unused"])
            + _left_aside("files of folders that are no class, refused", found["without_class"])
        )


def _left_aside(what: str, folders: dict[str, int]) -> str:
    """Name the folders that nothing is made of, with how many files each has."""
    if not folders:
        return ""
    shown = [f"{name} ({count})" for name, count in folders.items()]
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return f"; {what}: {', '.join(shown[:MOST_NAMES])}{more}"


def _look_at_all(
    files: pd.DataFrame,
    look: Callable,
    rows: list[tuple],
    parameters: params.Parameters,
    engine: Workers,
) -> Iterator[np.ndarray]:
    """Yield the fingerprint of every slice, and append to `rows` what was seen, a row a file.

    One after another, since memory is too small for the fingerprints of a large set.
    """
    items = files[["path", "class", "refused"]].values.tolist()
    for row, found in map_in_order(look, items, "audit", compute=engine):
        rows.append(tuple(row[name] for name in COLUMNS))
        if row["accepted"]:
            yield found
    _require_few_refused(_with_looks(files, rows), parameters)


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
        row["sha256"] = file_digest(folder / path)
        found = decode(folder / path, max_pixels)
    except Refused as refusal:
        return row | {"reason": str(refusal)}, None
    except OSError as error:  # a dangling link, a file that nobody may read
        return row | {"reason": unreadable(error)}, None
    row |= {
        "width": found.width,
        "height": found.height,
        "mode": found.mode,
        "pixels_sha256": pixel_digest(found.pixels),
        "accepted": True,
    }
    return row, fingerprint(found.pixels)


def _require_few_refused(manifest: pd.DataFrame, parameters: params.Parameters) -> None:
    """Raise InputError if more than the allowed share is refused; other classes do not count."""
    asked = manifest[manifest["reason"] != UNKNOWN_CLASS]
    refused = asked[~asked["accepted"]]
    most = parameters.audit.max_refused
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
    """Add the twin cluster of every accepted image, and the cluster that shows it mirrored."""
    clusters = pd.array([pd.NA] * len(manifest), dtype="Int64")
    mirrors = clusters.copy()
    accepted = np.flatnonzero(manifest["accepted"])
    labels = cluster(len(accepted), found.twins)
    clusters[accepted] = labels
    for one, other in found.mirrors:
        mirrors[accepted[one]], mirrors[accepted[other]] = labels[other], labels[one]
    columns = ["path", "split", "class", "width", "height", "mode", "sha256", "pixels_sha256"]
    integers = {"width": "Int64", "height": "Int64"}
    manifest = manifest.assign(cluster=clusters, mirror=mirrors).astype(integers)
    return manifest[[*columns, "cluster", "mirror", "accepted", "reason"]]


if __name__ == "__main__":
    main()
