#!/usr/bin/env bash
# Run both studies on the real slices with five seeds, and keep what came out. From the project's
# root, after `make sartaj`; an hour on two cores. Afterwards
# `git restore params.yaml dvc.lock reports studies && dvc checkout` brings the default runs back.
set -euo pipefail
dvc exp run -S dataset=data/sartaj -S patients=data/sartaj-patients.csv -S image_size=64 prepare
for study in activation balancing; do
  dvc --cd "studies/$study" exp run -S 'seeds=[1,2,3,4,5]' -S train.steps_per_epoch=40
  kept="results/sartaj-64-$study"
  rm -rf "$kept"
  mkdir -p "$kept"
  cp "studies/$study/"{report.md,figure.svg,runs.csv,contrasts.csv,results.json,params.yaml} "$kept/"
  python results/gather.py "studies/$study/runs" "$kept"
done
