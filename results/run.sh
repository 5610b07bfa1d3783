#!/usr/bin/env bash
# Run the benchmark on the real slices three times, by what is left out of Training, and keep what
# came out. From the project's root, after `make sartaj` and results/inception_weights.py; an hour on
# two cores. Afterwards `git restore params.yaml dvc.lock reports && dvc checkout` brings the default
# run back.
set -euo pipefail
run() { # name, leakage, patients
  dvc exp run --name "$1" -S dataset=data/sartaj -S "leakage=$2" -S "patients=$3" -S image_size=128 \
    -S models.baseline.weights=models/nsfwjs.weights.h5 -S models.baseline.epochs=20
  results/keep_page.sh "results/$1"
}
run sartaj-128-keep keep null
run sartaj-128-drop drop null
run sartaj-128-patients drop data/sartaj-patients.csv
cp data/audit/manifest.csv results/sartaj-manifest.csv
python results/readme.py
