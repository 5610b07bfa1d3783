#!/usr/bin/env bash
# Run the contenders on the real slices at 224 pixels, efficientnet with three seeds, and keep what
# came out. From the project's root, after `make sartaj` and results/inception_weights.py; an
# hour on two cores. Afterwards `git restore params.yaml dvc.lock dvc.yaml reports && dvc checkout`
# brings the default run back.
set -euo pipefail
kept=results/sartaj-224-contenders
python - <<'END'
import re
from pathlib import Path

from ruamel.yaml import YAML

yaml, path = YAML(), Path("params.yaml")
yaml.width = 4096
parameters = yaml.load(path)
for name in ("model_1", "model_2", "model_3", "model_4", "resnet"):
    del parameters["models"][name]
parameters |= {"dataset": "data/sartaj", "patients": "data/sartaj-patients.csv", "image_size": 224}
parameters["models"]["baseline"] |= {"weights": "models/nsfwjs.weights.h5", "epochs": 20}
yaml.dump(parameters, path)
path = Path("dvc.yaml")
text = re.sub(r"      (model_\d|resnet): \{activation.*\n", "", path.read_text(encoding="utf-8"))
path.write_text(text, encoding="utf-8")
END
rm -f reports/*/{model_1,model_2,model_3,model_4,resnet}.* # of the default run
dvc repro
results/keep_page.sh "$kept"
for seed in 1 2 3; do
  dvc exp run -S "seed=$seed" evaluate@efficientnet
  mkdir -p "$kept/seeds/$seed"/{metrics,training,timing,history}
  for kind in metrics training timing; do
    cp "reports/$kind/efficientnet.json" "$kept/seeds/$seed/$kind/"
  done
  cp reports/history/efficientnet.csv "$kept/seeds/$seed/history/"
  cp reports/predictions/efficientnet.csv "$kept/seeds/$seed/"
done
python results/readme.py
