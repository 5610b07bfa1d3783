"""Take 20,000 phantoms of 256 x 256 through the pipeline, and measure each stage.

    python benchmarks/load.py /tmp/load                     # an hour or two on two cores
    python benchmarks/load.py /tmp/load --stages prepare    # one again, in the same folder

From the project's root. The stages run as dvc.yaml runs them, in a clone of the last commit in the
folder given, which takes about 4 GB of disk. A stage that takes more than 4 GB of memory is killed,
and so is the run. What is measured goes to benchmarks/readings/load.csv:

seconds, cpu_seconds
    Of the clock, and of all cores together.
busy, idle
    The cores that the stage kept busy, and that nobody used meanwhile, as shares of all.
peak_mb, peak_private_mb
    The largest sum of resident memory over the stage's processes, where what several have mapped
    counts in each of them, and of what one process alone has. Both hold pages of mapped files,
    which the system takes back when memory is short.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
import psutil
from ruamel.yaml import YAML
from watching import cpu_seconds, peaks

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "benchmarks/readings/load.csv"
LIMIT_MB = 4000
SET = {
    "image_size": 256,
    "phantom": {"training": 16000, "testing": 4000, "size": 256}
    | {"reencoded": 600, "rescaled": 500, "brightened": 400, "mislabelled": 120},
}
STAGES = {
    "phantom": "phantom data/phantom",
    "audit": "audit data/phantom --manifest data/audit/manifest.csv "
    "--patients data/audit/patients.csv --reports reports",
    "prepare": "prepare data/phantom --manifest data/audit/manifest.csv --output data/prepared "
    "--reports reports",
    "balance": "balance --strategy augment --training data/prepared/train "
    "--output data/balanced/augment",
    "train": "train model_4 --training data/balanced/augment --validation data/prepared/val "
    "--model models/model_4.keras --reports reports",
}


def clone(folder: Path) -> None:
    """Clone the last commit, and set the parameters of the load."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    path = folder / "params.yaml"
    parameters = YAML(typ="safe").load(path)
    for name, value in SET.items():
        parameters[name] = parameters[name] | value if isinstance(value, dict) else value
    parameters["models"]["model_4"] |= {"data": "augment", "epochs": 1}
    YAML().dump(parameters, path)


def memory_mb(process: psutil.Process) -> tuple[float, float]:
    """Sum resident and private memory over a process and those it started."""
    resident = private = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            memory = one.memory_full_info()
        except psutil.Error:  # it ended meanwhile
            continue
        resident, private = resident + memory.rss / 1e6, private + memory.uss / 1e6
    return resident, private


def measure(name: str, folder: Path) -> dict:
    """Run a stage; exit if it fails or takes too much memory."""
    start, used, idle = perf_counter(), cpu_seconds(), psutil.cpu_times().idle
    command = [sys.executable, "-m", *f"stages.{STAGES[name]}".split()]
    running = subprocess.Popen(command, cwd=folder)
    resident, private = peaks(running, memory_mb, LIMIT_MB, name, pause=0.5)
    seconds, used = perf_counter() - start, cpu_seconds() - used
    cores = os.cpu_count()
    return {
        "stage": name,
        "seconds": round(seconds),
        "cpu_seconds": round(used),
        "busy": round(used / seconds / cores, 2),
        "idle": round((psutil.cpu_times().idle - idle) / seconds / cores, 2),
        "peak_mb": round(resident),
        "peak_private_mb": round(private),
        "cores": cores,
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
    }


def main() -> None:
    """Measure the stages asked for, and put their rows in place of the old ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="to clone to, or of an earlier run")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        clone(arguments.folder)
    for name in arguments.stages:
        row = measure(name, arguments.folder)
        print(row, flush=True)
        table = pd.concat(
            [pd.read_csv(TABLE), pd.DataFrame([row])] if TABLE.exists() else [pd.DataFrame([row])]
        )
        table = table.drop_duplicates("stage", keep="last").set_index("stage")
        table = table.loc[[stage for stage in STAGES if stage in table.index]].reset_index()
        table.to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
