#!/usr/bin/env bash
# Run the benchmark on the real slices, once with the leak and once without, and keep what came out.
# From the project's root, after `make sartaj`; an hour on two cores. Afterwards
# `git restore params.yaml dvc.lock reports` brings the default run back.
set -euo pipefail
for leakage in keep drop; do
  name="sartaj-128-$leakage"
  dvc exp run --name "$name" -S dataset=data/sartaj -S image_size=128 \
    -S models.baseline.epochs=6 -S "leakage=$leakage"
  rm -rf "docs/results/$name"
  cp -r reports "docs/results/$name"
  cp params.yaml dvc.lock "docs/results/$name/"
done
cp data/audit/manifest.csv docs/results/sartaj-manifest.csv
python docs/results/table.py
