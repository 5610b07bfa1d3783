"""Even out the classes of the training set, by one strategy."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from stages import params
from stages.console import stage
from stages.imaging.augmentation import Change, apply_change, draw_change
from stages.imaging.balancing import balance
from stages.storage import ImageSet, read_images, write_images


def main() -> None:
    """Read the training set; write the balanced one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strategy", choices=get_args(params.Strategy))
    parser.add_argument("--training", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser.add_argument("--seed", type=int, help="instead of params.yaml's")
    arguments = parser.parse_args()

    with stage(f"balance@{arguments.strategy}") as done:
        parameters = params.load()
        seed = parameters.seed if arguments.seed is None else arguments.seed
        training = read_images(arguments.training, parameters.classes, parameters.image_size)
        rows, weights, synthetic = balance(training.index, arguments.strategy, seed)
        changes = _changes(synthetic, parameters.balance.model_dump(), seed)
        index = training.index.iloc[rows].assign(
            weight=weights, transform=["" if change is None else str(change) for change in changes]
        )
        write_images(arguments.output, index, _images(training, rows, changes), parameters.shard_mb)
        done(f"{len(rows)} images of {len(training)}, {synthetic.sum()} of them synthetic")


def _changes(synthetic: np.ndarray, ranges: dict, seed: int) -> list[Change | None]:
    """Draw a change for each synthetic image, from its place alone; None for the others."""
    return [
        draw_change(np.random.default_rng([seed, place]), ranges) if changed else None
        for place, changed in enumerate(synthetic)
    ]


def _images(
    training: ImageSet, rows: np.ndarray, changes: list[Change | None]
) -> Iterator[np.ndarray]:
    for row, change in zip(rows, changes, strict=True):
        image = training.images([row])[0]
        yield image if change is None else apply_change(image, change)


if __name__ == "__main__":
    main()
