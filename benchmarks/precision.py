"""Does a model trained in bfloat16 classify as well as in float32? On the default data, by seed.

Not of `make bench`: where the processor has no instructions for bfloat16, it takes an hour.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from clones import clone, command, set_parameters
from turns import READINGS

SEEDS = (1, 2, 3, 4, 5)
MODEL = "model_4"


def main() -> None:
    """Train the model in both precisions, seed by seed; note its figures on Testing."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = clone(Path(name) / "clone")
        train = set_parameters(folder)["train"]
        for seed in SEEDS:
            for precision in ("float32", "mixed_bfloat16"):
                set_parameters(folder, seed=seed, train=train | {"precision": precision})
                command("dvc", "repro", f"evaluate@{MODEL}", folder=folder)
                path = folder / f"reports/metrics/{MODEL}.json"
                found = json.loads(path.read_text(encoding="utf-8"))[MODEL]
                figures = {figure: round(found[figure], 4) for figure in ("accuracy", "loss")}
                rows.append({"model": MODEL, "seed": seed, "precision": precision} | figures)
                print(rows[-1], file=sys.stderr)
    table = pd.DataFrame(rows)
    table.to_csv(READINGS / "precision.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
