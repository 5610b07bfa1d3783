"""Train the same models in other ways, and tell by how much what they answer differs.

`python benchmarks/tolerances.py` writes benchmarks/readings/tolerances.csv, and takes about ten
minutes. It needs what `dvc repro` made.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
MODELS = ("model_1", "model_4")
# What is changed, in params.yaml's `train` or in the environment. The first is what the others are
# compared with.
WAYS = {
    "as it is": ({}, {}),
    "again": ({}, {}),
    "one thread": ({"threads": 1}, {}),
    "float32": ({"precision": "float32"}, {}),
    "float32, one thread": ({"precision": "float32", "threads": 1}, {}),
    "float32, AVX2 only": ({"precision": "float32"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "float32, without oneDNN": ({"precision": "float32"}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
}


def main() -> None:
    """Train and evaluate every model in every way, in a folder that is removed."""
    rows = []
    for name in MODELS:
        first = {}
        for way, (settings, environment) in WAYS.items():
            found = trained(name, settings, environment)
            same = way.startswith("float32,")
            reference = first.setdefault("float32" if same else "as it is", found)
            if way == "float32":
                first["float32"] = found
            one, other = reference["predictions"], found["predictions"]
            classes = list(one.columns[4:])
            rows.append(
                {
                    "model": name,
                    "way": way,
                    "compared_with": "float32" if same else "as it is",
                    "same_bytes": found["digest"] == reference["digest"],
                    "accuracy": found["accuracy"],
                    "val_loss": found["val_loss"],
                    "same_answers": (one["predicted"] == other["predicted"]).mean(),
                    "largest_difference": (one[classes] - other[classes]).abs().to_numpy().max(),
                }
            )
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).round(6)
    table.to_csv(ROOT / "benchmarks/readings/tolerances.csv", index=False, lineterminator="\n")


def trained(name: str, settings: dict, environment: dict) -> dict:
    """Train and evaluate one model in one way."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        parameters = YAML(typ="safe").load(ROOT / "params.yaml")
        parameters["train"] |= settings
        YAML().dump(parameters, folder / "params.yaml")
        data = ROOT / "data"
        validation = ("--validation", data / "prepared/val", "--reports", "reports")

        def stage(module, *arguments):
            command = [sys.executable, "-m", module, name, "--model", "model.keras", *validation]
            env = os.environ | environment | {"PYTHONPATH": str(ROOT)}
            subprocess.run([*command, *arguments], cwd=folder, env=env, check=True)

        training = data / "balanced" / parameters["models"][name]["data"]
        stage("stages.train", "--training", training, "--activation", parameters["activation"])
        digest = hashlib.md5((folder / "model.keras").read_bytes()).hexdigest()
        lock = {"stages": {"train": {"outs": [{"path": "model.keras", "md5": digest}]}}}
        YAML().dump(lock, folder / "dvc.lock")
        stage("stages.evaluate", "--testing", data / "prepared/test")
        record, metrics = (
            json.loads((folder / f"reports/{kind}/{name}.json").read_text(encoding="utf-8"))[name]
            for kind in ("training", "metrics")
        )
        return {
            "digest": digest,
            "val_loss": record["val_loss"],
            "accuracy": metrics["accuracy"],
            "predictions": pd.read_csv(folder / f"reports/predictions/{name}.csv"),
        }


if __name__ == "__main__":
    main()
