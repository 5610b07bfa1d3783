#!/usr/bin/env bash
# Train one recipe inside the training part of each fold, and print its accuracy on validation. From
# the project's root, after `make sartaj`, with what is to differ from params.yaml:
#
#     results/search.sh image_size=128 models.efficientnet.epochs=20
#
# Afterwards `git restore params.yaml dvc.lock reports && dvc checkout` brings the default run back.
set -euo pipefail
for fold in 1 2 3 4 5; do
  dvc exp run -S dataset=data/sartaj -S patients=data/sartaj-patients.csv \
    -S split=folds -S "fold=$fold" "${@/#/-S}" train@efficientnet
  python - "$fold" <<'END'
import json
import sys

with open("reports/training/efficientnet.json", encoding="utf-8") as file:
    print("fold", sys.argv[1], json.load(file)["efficientnet"]["val_accuracy"])
END
done
