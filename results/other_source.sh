#!/usr/bin/env bash
# Try a recipe on another source: train on those tumours of Training that are figshare's, and test on
# those that are not, beside a fifth of the healthy heads. No image of the set's Testing is looked at.
# From the project's root, after `make sartaj`, with a name and what is to differ from params.yaml:
#
#     results/other_source.sh "twice the epochs" image_size=128 models.efficientnet.epochs=20
#
# It adds a row to results/other_source.csv. Afterwards
# `git restore params.yaml dvc.lock reports && dvc checkout` brings the default run back.
set -euo pipefail
name=$1
shift
[ -d data/other-source ] || python - <<'END'
import os
import shutil
from pathlib import Path

import pandas as pd

known = set(pd.read_csv("data/sartaj-patients.csv")["path"])
aside = Path("data/.other-source.partial")
shutil.rmtree(aside, ignore_errors=True)
for folder in sorted(Path("data/sartaj/Training").iterdir()):
    for number, path in enumerate(sorted(folder.iterdir())):
        name = path.relative_to("data/sartaj").as_posix()
        trained = number % 5 if folder.name == "no_tumor" else name in known
        target = aside / ("Training" if trained else "Testing") / folder.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
# All gliomas of Training are figshare's, and DVC keeps no empty folder.
(aside / "Testing/glioma_tumor").mkdir()
(aside / "Testing/glioma_tumor/.keep").touch()
os.replace(aside, "data/other-source")
END
dvc exp run -S dataset=data/other-source -S patients=null "${@/#/-S}" evaluate@efficientnet
python - "$name" "$*" <<'END'
import csv
import json
import sys

import pandas as pd
from ruamel.yaml import YAML

answers = pd.read_csv("reports/predictions/efficientnet.csv", dtype=str)
right = answers["actual"] == answers["predicted"]
with open("reports/training/efficientnet.json", encoding="utf-8") as file:
    validation = json.load(file)["efficientnet"]["val_accuracy"]
with open("params.yaml", encoding="utf-8") as file:
    seed = YAML(typ="safe").load(file)["seed"]
recalls = [f"{recall:.4f}" for recall in right.groupby(answers["actual"]).mean()]
row = [*sys.argv[1:], seed, f"{validation:.4f}", f"{right.mean():.4f}", *recalls]
with open("results/other_source.csv", "a", encoding="utf-8", newline="") as file:
    csv.writer(file, lineterminator="\n").writerow(row)
print(*row, sep=", ")
END
