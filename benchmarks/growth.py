"""Seconds and memory of each stage at 1, 4 and 16 times the default data."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from clones import clone, make_small, reproduce, set_parameters
from training import settings
from turns import write_here

from brain_mri.models import runtime

TIMES = (1, 4, 16)
COPIES = ("reencoded", "rescaled", "brightened", "turned", "mislabelled")
COUNTS = ("training", "testing", *COPIES, "wrong_labels")


def main() -> None:
    """Run the whole pipeline at each size, every model training for one epoch."""
    tables = []
    for times in TIMES:
        with tempfile.TemporaryDirectory() as name:
            folder = clone(Path(name) / "clone")
            phantom = make_small(folder)["phantom"]
            grown = {count: phantom[count] * times for count in COUNTS}
            set_parameters(folder, phantom=phantom | grown)
            _, table = reproduce(folder, Path(name))
        tables.append(table.assign(times=times).rename_axis("stage").reset_index())
        print(tables[-1].to_string(), file=sys.stderr)
    table = pd.concat(tables)[["times", "stage", "process", "body", "mb"]]
    write_here("growth", table, runtime.configure(settings("model_1")))


if __name__ == "__main__":
    main()
