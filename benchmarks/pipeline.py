"""Where the seconds of `dvc repro` go: the default run, one model in folds, and nothing to do."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from clones import clone, command, make_small, reproduce, set_parameters
from training import settings
from turns import write_here

from brain_mri import params
from brain_mri.models import building, runtime, stepping, training
from brain_mri.models.examples import Examples
from brain_mri.storage import read_images

ROUNDS = 5
IN_FOLDS = "efficientnet"  # the best contender


def main() -> None:
    """Measure all; nothing to do, on a data set given on the command line."""
    dataset = Path(sys.argv[1]).resolve()
    taken = runtime.configure(settings("model_1"))
    with tempfile.TemporaryDirectory() as name:
        write_here("nothing", nothing_to_do(Path(name), dataset), taken)
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name) / "clone")
        table = first_run(folder, Path(name))
        table["compute"] = pd.Series(bare_compute(folder))
        write_here("repro", table.fillna(0.0).reset_index(), taken)
        runs = [f"evaluate@{fold}-{IN_FOLDS}" for fold in range(1, 6)]
        table = first_run(folder, Path(name), "--cd", "studies/folds", "repro", *runs)
        write_here("folds", table.fillna(0.0).reset_index(), taken)


def first_run(folder: Path, aside: Path, *words: str) -> pd.DataFrame:
    """Run what was not run before; give where its seconds went, those of dvc too."""
    whole, table = reproduce(folder, aside, *words)
    table.loc["dvc", "process"] = whole - table["process"].sum()
    print(table.to_string(), file=sys.stderr)
    return table.drop(columns="mb").rename_axis("stage")


def bare_compute(folder: Path) -> dict[str, float]:
    """Train each model again, and add up its updates and validations without their compiling.

    An update includes reading its images.

    Of each compiled function the first call, which compiles it, counts as the median of the others.
    """
    os.chdir(folder)
    parameters = params.load()
    spent = {}
    for name in parameters.models:
        own = parameters.model(name, parameters.activation)
        runtime.configure(own)
        runtime.set_seed(parameters.seed)
        examples, validation = (
            Examples.of(read_images(folder / "data" / data), parameters.classes)
            for data in (f"balanced/{own.data}", "prepared/val")
        )
        size, classes = examples.images.size, len(parameters.classes)
        model = building.build(image_size=size, classes=classes, **own.model_dump())
        calls: dict[str, list[float]] = {"training_step": [], "forward": []}
        with ExitStack() as stack:
            for module, (function, times) in zip((training, stepping), calls.items(), strict=True):
                timed = timing(getattr(module, function), times)
                stack.enter_context(patch.object(module, function, timed))
            training.fit(model, examples, validation, own, parameters.seed)
        spent[f"train@{name}"] = sum(
            sum(times[1:]) + float(np.median(times)) for times in calls.values()
        )
    return spent


def timing(compile_: Callable, times: list[float]) -> Callable:
    """Wrap what compiles a function, so that the seconds of each call of that are noted."""

    def compiled(*arguments, **options):
        function = compile_(*arguments, **options)

        def timed(*inputs):
            start = perf_counter()
            result = function(*inputs)
            times.append(perf_counter() - start)
            return result

        return timed

    return compiled


def nothing_to_do(aside: Path, dataset: Path) -> pd.DataFrame:
    """Time `dvc repro` and `dvc status` where all is done, against a bare `dvc add`."""
    folder = clone(aside / "clone")
    shutil.copytree(dataset, folder / "data/mine")
    set_parameters(folder, dataset="data/mine", patients=None, image_size=32)
    make_small(folder)
    command("dvc", "repro", folder=folder)
    bare = aside / "bare"
    bare.mkdir()
    command("git", "init", "--quiet", folder=bare)
    command("dvc", "init", "--quiet", folder=bare)
    shutil.copytree(dataset, bare / "mine")
    command("dvc", "add", "mine", folder=bare)
    ways = {
        "dvc status of a bare dvc add": (bare, ("dvc", "status")),
        "dvc status": (folder, ("dvc", "status")),
        "dvc repro": (folder, ("dvc", "repro")),
    }
    rows = []
    for number in range(ROUNDS):
        for way, (where, words) in ways.items():
            start = perf_counter()
            said = command(*words, folder=where)
            seconds = round(perf_counter() - start, 2)
            if "up to date" not in said:
                sys.exit(f"{way} found something to do: {said}")
            rows.append({"round": number, "way": way, "seconds": seconds})
            print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
