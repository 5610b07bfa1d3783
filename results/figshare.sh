#!/usr/bin/env bash
# The three tumours of figshare's slices alone, in five folds by patient. From the project's root,
# after `make sartaj`; half an hour on two cores. Afterwards `git restore params.yaml dvc.lock reports
# studies && dvc checkout` brings the default run back.
set -euo pipefail
python - <<'END'
import shutil
from pathlib import Path

import pandas as pd

for path in pd.read_csv("data/sartaj-patients.csv")["path"]:
    target = Path("data/figshare") / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path("data/sartaj") / path, target)
# Testing has no meningioma of figshare's, and DVC keeps no empty folder.
(Path("data/figshare/Testing/meningioma_tumor")).mkdir(exist_ok=True)
Path("data/figshare/Testing/meningioma_tumor/.keep").touch()
END
dvc exp run -S dataset=data/figshare -S patients=data/sartaj-patients.csv -S image_size=128 \
  -S 'classes=[glioma_tumor,meningioma_tumor,pituitary_tumor]' -S healthy_class=null balance
for fold in 1 2 3 4 5; do
  for model in "$@"; do dvc --cd studies/folds repro "evaluate@$fold-$model"; done
done
results/keep_folds.sh results/figshare-128-folds "$@"
