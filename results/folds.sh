#!/usr/bin/env bash
# Run every model in every fold by patient on the real slices, and keep what came out. From the
# project's root, after `make sartaj`; two hours on two cores. Afterwards
# `git restore params.yaml dvc.lock reports studies && dvc checkout` brings the default run back.
set -euo pipefail
run() { # size, patients, models: train and evaluate these in every fold
  dvc exp run -S dataset=data/sartaj -S "patients=$2" -S "image_size=$1" \
    -S models.baseline.weights=models/nsfwjs.weights.h5 -S models.baseline.epochs=20 balance
  for fold in 1 2 3 4 5; do
    for model in "${@:3}"; do dvc --cd studies/folds repro "evaluate@$fold-$model"; done
  done
}
study=(baseline model_1 model_2 model_3 model_4)
run 128 null model_4
results/keep_folds.sh results/sartaj-128-folds-by-cluster model_4
# The contender at 160 pixels, which validation chose. Its answers stay where they are while the
# others train at 128: the images and folds are the same.
run 160 data/sartaj-patients.csv efficientnet
run 128 data/sartaj-patients.csv "${study[@]}"
results/keep_folds.sh results/sartaj-128-folds "${study[@]}" efficientnet
python results/readme.py
