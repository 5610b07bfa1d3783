"""Decode and resize the accepted images; divide them into training, validation and test."""

import argparse
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest, require_same_files
from brain_mri.data.decoding import decode_accepted
from brain_mri.data.resizing import resize
from brain_mri.data.splitting import SETS, count_by_class, index_of, split_by_folder, split_folds
from brain_mri.parallel import map_in_order
from brain_mri.storage import write_images, write_json, write_table


def main() -> None:
    """Read the data set and its manifest; write three image sets and how many went where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--output", required=True, type=Path, help="folder for train, val, test")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write counts to")
    parser.add_argument("--fold", type=int, help="to test on, whatever params.yaml says")
    arguments = parser.parse_args()

    with stage("prepare") as done:
        parameters = params.load()
        classes = parameters.classes
        manifest = read_manifest(arguments.manifest)
        require_same_files(manifest, arguments.dataset, arguments.manifest)
        how = parameters.prepare.validation, parameters.seed
        fold = arguments.fold or parameters.test_fold
        if fold:
            sets = split_folds(manifest, classes, parameters.folds, fold, *how)
        else:
            sets = split_by_folder(manifest, classes, parameters.leakage, *how)
        load = partial(_load, folder=arguments.dataset, parameters=parameters)
        paths = [path for name in SETS for path in sets[name]["path"]]
        images = map_in_order(load, paths, "prepare", compute=parameters.compute)
        for name in SETS:
            index = index_of(sets[name])
            own = islice(images, len(index))
            write_images(arguments.output / name, index, own, parameters.shard_mb)
        counts = {name: len(rows) for name, rows in sets.items()}
        write_json(arguments.reports / "splits.json", {"images": counts})
        write_table(arguments.reports / "splits.csv", count_by_class(sets, classes))
        done(", ".join(f"{counts[name]} {name}" for name in [*SETS, "dropped"]))


def _load(path: str, folder: Path, parameters: params.Parameters) -> np.ndarray:
    pixels = decode_accepted(folder / path, parameters.audit.max_pixels)
    return resize(pixels, parameters.image_size, parameters.prepare.resize)


if __name__ == "__main__":
    main()
