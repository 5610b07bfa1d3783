"""Train the same models with and without the probe of signals, and tell what it costs.

`python benchmarks/probe_cost.py` writes benchmarks/readings/probe_cost.csv, and takes some minutes.
It needs what `dvc repro` made. Both ways are trained in turn, whole, compiling included. Seconds
are the processors', which other work on the machine disturbs less than it does the clock.
"""

import sys
from pathlib import Path
from time import process_time
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from brain_mri import params
from brain_mri.models import building, runtime, stepping, training
from brain_mri.models.examples import Examples
from brain_mri.models.signals import blocks
from brain_mri.storage import read_images

ROOT = Path(__file__).parent.parent
MODELS, PAIRS = ("model_1", "model_4"), 5


def main() -> None:
    """Time pairs of trainings, after one of each way that does not count."""
    parameters = params.load(ROOT / "params.yaml")
    rows = []
    for name in MODELS:
        for pair in range(PAIRS + 1):
            seconds = {probed: trained(parameters, name, probed) for probed in (True, False)}
            rows.append({"model": name, "with": seconds[True], "without": seconds[False]})
            print(rows[-1], flush=True)
            if not pair:
                rows.pop()
    table = pd.DataFrame(rows).round(3)
    table.to_csv(ROOT / "benchmarks/readings/probe_cost.csv", index=False, lineterminator="\n")


def trained(parameters: params.Parameters, name: str, probed: bool) -> float:
    """Train a model and give the processors' seconds that it took."""
    settings = parameters.model(name, parameters.activation)
    runtime.configure(settings)
    runtime.set_seed(parameters.seed)
    examples, validation = (
        Examples.of(read_images(ROOT / "data" / folder), parameters.classes)
        for folder in (f"balanced/{settings.data}", "prepared/val")
    )
    size, classes = examples.images.size, len(parameters.classes)
    model = building.build(image_size=size, classes=classes, **settings.model_dump())
    start = process_time()
    if probed:
        training.fit(model, examples, validation, settings, parameters.seed)
        return process_time() - start
    run = training.Run(model, examples, validation, settings, parameters.seed)
    with (
        # The compiled step watches the probabilities alone, which it has anyway.
        patch.object(stepping, "blocks", lambda model: blocks(model)[-1:]),
        patch.object(stepping, "measurements", lambda *given: tf.zeros((1, 7))),
        patch.object(run.probe, "measure", lambda *given: None),
        patch.object(run.probe, "before_update", lambda: None),
    ):
        run.epochs("training", settings.epochs, settings.learning_rate, tqdm(disable=True))
    return process_time() - start


if __name__ == "__main__":
    main()
