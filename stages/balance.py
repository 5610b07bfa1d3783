"""Even out the classes of the training set, by each strategy in use."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.balanced import samples, write_balanced
from brain_mri.gallery import write_gallery
from brain_mri.storage import damaged, read_images, read_json, written_aside


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
        ranges = parameters.balance.model_dump()
        how = training, ranges, seed, parameters.shard_mb
        if arguments.strategy:
            said = [write_balanced(arguments.output, arguments.strategy, *how)]
        else:
            with written_aside(arguments.output) as aside:
                names = _in_use(arguments.in_use)
                said = [write_balanced(aside / name, name, *how) for name in names]
        if arguments.pictures:
            shown = samples(training, parameters.classes, ranges, parameters.seed)
            write_gallery(arguments.pictures / "samples", *shown)
        done(f"of {len(training)} images {', '.join(said)}")


def _in_use(path: Path) -> list[str]:
    strategies = read_json(path)["strategies"]
    if not isinstance(strategies, list) or not set(strategies) <= set(params.STRATEGIES):
        raise damaged(path)
    return strategies


if __name__ == "__main__":
    main()
