"""Decode and resize the accepted images; divide them into training, validation and test."""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest, require_same_files
from brain_mri.data.decoding import decode_accepted
from brain_mri.data.prepared import write_division, write_folds
from brain_mri.data.resizing import resize
from brain_mri.data.splitting import count_by_class, split_by_folder, split_folds
from brain_mri.parallel import map_in_order
from brain_mri.storage import write_json, write_table


def main() -> None:
    """Read the data set and its manifest; write image sets and how many went where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--output", required=True, type=Path, help="folder for train, val, test")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reports", type=Path, help="folder to write counts to")
    what.add_argument("--every-fold", action="store_true", help="write a folder of each instead")
    arguments = parser.parse_args()

    with stage("prepare") as done:
        parameters, output = params.load(), arguments.output
        classes, folds = parameters.classes, parameters.folds
        manifest = read_manifest(arguments.manifest)
        require_same_files(manifest, arguments.dataset, arguments.manifest)
        how = parameters.prepare.validation, parameters.seed
        load = partial(_load, folder=arguments.dataset, parameters=parameters)
        decode = partial(map_in_order, load, title="prepare", compute=parameters.compute)
        if arguments.every_fold:
            divisions = [split_folds(manifest, classes, folds, 1 + i, *how) for i in range(folds)]
            write_folds(output, divisions, decode, parameters.shard_mb)
            return done(f"{folds} folds")
        if fold := parameters.test_fold:
            sets = split_folds(manifest, classes, folds, fold, *how)
        else:
            sets = split_by_folder(manifest, classes, parameters.leakage, *how)
        write_division(output, sets, decode, parameters.shard_mb)
        counts = {name: len(rows) for name, rows in sets.items()}
        write_json(arguments.reports / "splits.json", {"images": counts})
        write_table(arguments.reports / "splits.csv", count_by_class(sets, classes))
        done(", ".join(f"{count} {name}" for name, count in counts.items()))


def _load(path: str, folder: Path, parameters: params.Parameters) -> np.ndarray:
    pixels = decode_accepted(folder / path, parameters.audit.max_pixels)
    return resize(pixels, parameters.image_size, parameters.prepare.resize)


if __name__ == "__main__":
    main()
