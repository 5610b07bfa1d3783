"""Time updates of model_1 at 128 pixels with and without augmentation, in turn.

`python benchmarks/augmenting_cost.py` writes benchmarks/readings/augmenting_cost.csv, in a minute.
"""

import sys
from functools import partial
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from training import CLASSES, LAYERS, mapped, settings

from brain_mri import params
from brain_mri.models import building, runtime, stepping
from brain_mri.models.augmenting import augmented

SIZE, ROUNDS, UPDATES = 128, 12, 4
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Time rounds of updates each way, after one that does not count."""
    ranges = params.load(ROOT / "params.yaml").models["efficientnet"].augment
    runtime.configure(settings("model_1"))
    runtime.set_seed(1)
    steps = {"without": step(None), "with": step(partial(augmented, seed=1, ranges=ranges))}
    examples, batch = mapped(SIZE)
    rows = []
    for number in range(-1, ROUNDS):
        seconds = {"round": number}
        for way, update in steps.items():
            start = perf_counter()
            for _ in range(UPDATES):
                update(examples, batch, False, number + 2)[0].numpy()
            seconds[way] = (perf_counter() - start) / UPDATES
        rows.append(seconds)
    table = pd.DataFrame(rows[1:]).round(4)
    path = ROOT / "benchmarks/readings/augmenting_cost.csv"
    table.to_csv(path, index=False, lineterminator="\n")
    print((table["with"] / table["without"] - 1).describe())


def step(change):
    """Compile the update of a model of its own."""
    model = building.build("model_1", SIZE, CLASSES, **LAYERS)
    optimizer = stepping.make_optimizer(settings("model_1"), 0.001, 1, model)
    return stepping.training_step(model, optimizer, model.input, change)


if __name__ == "__main__":
    main()
