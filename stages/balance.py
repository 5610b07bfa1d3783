"""Even out the classes of the training set, by each strategy in use."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data import balancing
from brain_mri.data.augmentation import Change, apply_change, draw_change
from brain_mri.data.gallery import write_gallery
from brain_mri.storage import ImageSet, damaged, read_images, read_json, write_images, written_aside

CHANGES = 3  # pictures of changed slices, for each class


def main() -> None:
    """Read the training set; write a balanced one for each strategy, and show what is changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--in-use", type=Path, help="file of the strategies in use, each a folder")
    which.add_argument("--strategy", choices=params.STRATEGIES, help="the one strategy to write")
    parser.add_argument("--training", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    parser.add_argument("--pictures", type=Path, help="folder of sample pictures to write")
    parser.add_argument("--seed", type=int, help="instead of params.yaml's")
    arguments = parser.parse_args()

    with stage("balance") as done:
        parameters = params.load()
        seed = parameters.seed if arguments.seed is None else arguments.seed
        training = read_images(arguments.training, parameters.classes, parameters.image_size)
        if arguments.strategy:
            said = [_write(arguments.output, arguments.strategy, training, parameters, seed)]
        else:
            with written_aside(arguments.output) as aside:
                said = [
                    _write(aside / strategy, strategy, training, parameters, seed)
                    for strategy in _in_use(arguments.in_use)
                ]
        if arguments.pictures:
            _write_samples(arguments.pictures / "samples", training, parameters)
        done(f"of {len(training)} images {', '.join(said)}")


def _in_use(path: Path) -> list[str]:
    strategies = read_json(path)["strategies"]
    if not isinstance(strategies, list) or not set(strategies) <= set(params.STRATEGIES):
        raise damaged(path)
    return strategies


def _write(
    folder: Path, strategy: str, training: ImageSet, parameters: params.Parameters, seed: int
) -> str:
    """Write the set that a strategy makes of the training set, and say how large it is."""
    labels = training.index["label"].to_numpy()
    balanced = getattr(balancing, strategy)(labels, np.random.default_rng(seed))
    changes = _changes(balanced.synthetic, parameters.balance.model_dump(), seed)
    index = training.index.iloc[balanced.rows].assign(
        weight=balanced.weights,
        transform=["" if change is None else str(change) for change in changes],
    )
    images = _images(training, balanced.rows, changes)
    write_images(folder, index, images, parameters.shard_mb)
    synthetic = f" ({balanced.synthetic.sum()} synthetic)" if balanced.synthetic.any() else ""
    return f"{len(index)} by {strategy}{synthetic}"


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


def _write_samples(folder: Path, training: ImageSet, parameters: params.Parameters) -> None:
    """Show the first slice of each class, and changes as the strategy augment draws them."""
    generator = np.random.default_rng(parameters.seed)
    ranges = parameters.balance.model_dump()
    rows, pictures = [], []
    for name in parameters.classes:
        first = training.index[training.index["label"] == name].iloc[0]
        pixels = training.images([first.name])[0]
        for change in [None, *(draw_change(generator, ranges) for _ in range(CHANGES))]:
            drawn = {} if change is None else change._asdict()
            rows.append({"path": first["source"], "class": name, **drawn})
            pictures.append(pixels if change is None else apply_change(pixels, change))
    write_gallery(folder, pd.DataFrame(rows), pictures)


if __name__ == "__main__":
    main()
