"""Draw the embedded data set: synthetic head slices in the folder layout of a real one."""

import argparse
from functools import partial
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.parallel import map_in_order
from brain_mri.phantom.slices import draw_dataset


def main() -> None:
    """Write the data set, and what its images show next to its folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder to write")
    arguments = parser.parse_args()

    with stage("phantom") as done:
        parameters = params.load()
        truth = draw_dataset(
            arguments.output,
            **parameters.phantom.model_dump(),
            apply=partial(map_in_order, title="phantom", compute=parameters.compute),
        )
        counts = truth["split"].value_counts()
        done(
            f"{counts['Training']} Training and {counts['Testing']} Testing slices of "
            f"{truth['patient'].nunique()} heads, {(truth['source'] != '').sum()} of them planted "
            "copies"
        )


if __name__ == "__main__":
    main()
