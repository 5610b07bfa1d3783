"""Run the pipeline in a clone of the last commit, and see what each stage takes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pandas as pd
from ruamel.yaml import YAML
from turns import ROOT

# Stands for `python` in the stages' commands, and notes the seconds and the memory of each.
WATCH = """#!{python}
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn({python!r}, [{python!r}, *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(child, 0)
with open({log!r}, "a") as log:
    print(*sys.argv[2:4], time.perf_counter() - start, usage.ru_maxrss / 1024, file=log)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def clone(folder: Path) -> Path:
    """Clone the last commit, without what its pipeline wrote."""
    command("git", "clone", "--quiet", str(ROOT), str(folder), folder=ROOT)
    (folder / "dvc.lock").unlink()
    return folder


def command(*words: str, folder: Path, before: str = "") -> str:
    """Run a command in a folder and give what it printed; look for programs in `before` first."""
    places = [before, str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = os.environ | {"PATH": os.pathsep.join(filter(None, places))}
    return subprocess.run(
        words, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def set_parameters(folder: Path, **changes) -> dict:
    """Change top-level parameters in a clone's params.yaml; give all that stand there then."""
    path = folder / "params.yaml"
    parameters = YAML(typ="safe").load(path) | changes
    YAML().dump(parameters, path)
    return parameters


def make_small(folder: Path) -> dict:
    """Have every model be model_4, trained for one epoch; give the parameters."""
    models = set_parameters(folder)["models"]
    kept = {name: {"architecture": "model_4", "data": models[name]["data"]} for name in models}
    own = {name: {"activation": "relu"} for name in ("baseline", "model_3")}
    train = set_parameters(folder)["train"] | {"epochs": 1}
    return set_parameters(
        folder, train=train, models={name: kept[name] | own.get(name, {}) for name in kept}
    )


def reproduce(folder: Path, aside: Path, *words: str) -> tuple[float, pd.DataFrame]:
    """Run `dvc repro` in a clone, or `dvc` with other words.

    Returns
    -------
    seconds : float
        Of all.
    stages : DataFrame
        By stage, the seconds of its ``process``, or of all of them, those after imports, ``body``,
        and ``mb``, what the largest process held at most.
    """
    watch, log = aside / "watch/python", aside / "watch/log"
    watch.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    watch.write_text(WATCH.format(python=sys.executable, log=str(log)))
    watch.chmod(0o755)
    start = perf_counter()
    said = command("dvc", *(words or ("repro",)), folder=folder, before=str(watch.parent))
    seconds = perf_counter() - start
    bodies = re.findall(r"^[\w@-]+: .*\(([\d.]+) s\)$", said, re.MULTILINE)
    rows = []
    for line, body in zip(log.read_text().splitlines(), bodies, strict=True):
        module, item, process, memory = line.split()
        stage = module.removeprefix("stages.")
        stage += f"@{item}" if stage in ("train", "evaluate") else ""
        rows.append((stage, float(process), float(body), float(memory)))
    table = pd.DataFrame(rows, columns=["stage", "process", "body", "mb"])
    table = table.groupby("stage", sort=False)
    return seconds, table.agg({"process": "sum", "body": "sum", "mb": "max"})
