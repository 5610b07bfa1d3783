#!/usr/bin/env bash
# Does balancing help a model that learns? Train resnet on each strategy's images in every fold by
# patient on the real slices, and keep what came out. From the project's root, after `make sartaj`;
# half an hour on two cores. Afterwards `git restore params.yaml dvc.lock reports studies && dvc
# checkout` brings the default run back.
set -euo pipefail
arms=()
for strategy in none oversample undersample class_weight augment; do arms+=("resnet_$strategy"); done
python - "${arms[@]}" <<'END'
import sys
from pathlib import Path

from ruamel.yaml import YAML

yaml, path = YAML(), Path("params.yaml")
yaml.width = 4096
parameters = yaml.load(path)
parameters |= {"dataset": "data/sartaj", "patients": "data/sartaj-patients.csv"}
for arm in sys.argv[1:]:
    strategy = arm.removeprefix("resnet_")
    parameters["models"][arm] = {**parameters["models"]["resnet"], "data": strategy}
    # As many updates in every arm as without balancing, whose images are gone through once.
    if strategy not in ("none", "class_weight"):
        parameters["models"][arm]["steps_per_epoch"] = 59
yaml.dump(parameters, path)
END
dvc repro audit
for fold in 1 2 3 4 5; do
  for arm in "${arms[@]}"; do dvc --cd studies/folds repro "evaluate@$fold-$arm"; done
done
results/keep_folds.sh results/sartaj-64-folds-balancing "${arms[@]}"
python results/readme.py
