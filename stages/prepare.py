"""Decode and resize the accepted images; divide them into training, validation and test."""

import argparse
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.dataset import SPLITS, list_files, read_manifest
from brain_mri.data.decoding import decode_accepted
from brain_mri.data.resizing import resize
from brain_mri.data.splitting import in_clusters_of, validation_mask
from brain_mri.errors import InputError
from brain_mri.parallel import map_in_order
from brain_mri.storage import write_images, write_json, write_table


def main() -> None:
    """Read the data set and its manifest; write three image sets and how many went where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--output", required=True, type=Path, help="folder for train, val, test")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write counts to")
    arguments = parser.parse_args()

    with stage("prepare") as done:
        parameters = params.load()
        manifest = read_manifest(arguments.manifest)
        files, accepted = list_files(arguments.dataset), manifest[manifest["accepted"]]
        readable = files.loc[files["refused"].isna(), "path"]
        if set(files["path"]) != set(manifest["path"]) or not accepted["path"].isin(readable).all():
            raise InputError(
                f"{arguments.manifest} does not list the files that {arguments.dataset} has; run "
                "`dvc repro` to audit anew"
            )
        accepted = accepted.astype({"cluster": int})  # refused rows, which have none, make it float
        sets, dropped = _split(accepted, parameters)
        _require_images(sets, dropped, manifest, parameters)
        load = partial(
            _load,
            folder=arguments.dataset,
            max_pixels=parameters.audit.max_pixels,
            size=parameters.image_size,
            mode=parameters.prepare.resize,
        )
        paths = pd.concat(list(sets.values()))["path"].tolist()
        images = map_in_order(load, paths, "prepare", compute=parameters.compute)
        for name, rows in sets.items():
            index = pd.DataFrame(
                {
                    "source": rows["path"],
                    "label": rows["class"],
                    "cluster": rows["cluster"],
                    "weight": 1.0,
                    "transform": "",
                    "twin": rows["twin"],
                }
            )
            own = islice(images, len(rows))
            write_images(arguments.output / name, index, own, parameters.shard_mb)
        sets_and_rest = sets | {"dropped": dropped}
        counts = {name: len(rows) for name, rows in sets_and_rest.items()}
        write_json(arguments.reports / "splits.json", {"images": counts})
        write_table(arguments.reports / "splits.csv", _by_class(sets_and_rest, parameters.classes))
        done(
            ", ".join(f"{len(rows)} {name}" for name, rows in sets.items())
            + f"; {len(dropped)} Training twins of Testing dropped"
        )


def _split(
    manifest: pd.DataFrame, parameters: params.Parameters
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Give the rows of train, val and test, and the Training rows that the policy drops."""
    is_training = manifest["split"] == "Training"
    training, testing = manifest[is_training], manifest[~is_training]
    training = training.assign(twin=in_clusters_of(training["cluster"], testing["cluster"]))
    testing = testing.assign(twin=in_clusters_of(testing["cluster"], training["cluster"]))
    dropped = training[training["twin"] & (parameters.leakage == "drop")]
    training = training.drop(dropped.index)
    validation = validation_mask(
        training["class"].to_numpy(),
        training["cluster"].to_numpy(),
        parameters.prepare.validation,
        parameters.seed,
    )
    sets = {"train": training[~validation], "val": training[validation], "test": testing}
    return sets, dropped


def _require_images(
    sets: dict[str, pd.DataFrame],
    dropped: pd.DataFrame,
    manifest: pd.DataFrame,
    parameters: params.Parameters,
) -> None:
    """Raise InputError, with what became of the files, if a set or a class to train on is empty."""

    def refused(files: pd.DataFrame) -> str:
        if files.empty:
            return "there is no file"
        reasons = files["reason"].value_counts()
        why = f" ({reasons.iloc[0]} for: {reasons.index[0]})" if len(reasons) else ""
        return f"of {len(files)} files {reasons.sum()} were refused{why}"

    def twins(rows: pd.DataFrame) -> str:
        said = f"{len(rows)} dropped as twins of Testing, since leakage is {parameters.leakage!r}"
        return said if len(rows) else "none dropped as a twin of Testing"

    files = manifest[manifest["class"].isin(parameters.classes)]
    training, testing = (files[files["split"] == split] for split in SPLITS)
    for name in parameters.classes:
        if name in set(sets["train"]["class"]):
            continue
        held = (sets["val"]["class"] == name).sum()
        raise InputError(
            f"no image of {name} is left to train on: in Training/{name}, "
            f"{refused(training[training['class'] == name])}, {held} held out for validation and "
            f"{twins(dropped[dropped['class'] == name])}."
        )
    if sets["test"].empty:
        raise InputError(f"no image is left for test: in Testing, {refused(testing)}.")
    if sets["val"].empty:
        clusters = sets["train"].groupby("class")["cluster"].nunique()
        raise InputError(
            "no image is left for validation, which takes whole clusters of twins and never the "
            f"last one of a class: the {len(sets['train'])} images of Training are in few clusters "
            f"({', '.join(f'{name}: {count}' for name, count in clusters.items())}); there, "
            f"{refused(training)} and {twins(dropped)}; add slices that are no copies of others."
        )


def _load(path: str, folder: Path, max_pixels: int, size: int, mode: str) -> np.ndarray:
    return resize(decode_accepted(folder / path, max_pixels), size, mode)


def _by_class(sets: dict[str, pd.DataFrame], classes: list[str]) -> pd.DataFrame:
    """Count images, and those with a twin in the other split, by set and class."""
    return pd.DataFrame(
        {
            "set": name,
            "class": label,
            "images": (rows["class"] == label).sum(),
            "with_twin": (rows["twin"] & (rows["class"] == label)).sum(),
        }
        for name, rows in sets.items()
        for label in classes
    )


if __name__ == "__main__":
    main()
