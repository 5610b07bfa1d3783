#!/usr/bin/env bash
# results/keep_folds.sh FOLDER MODEL…: put the folds of these models together, and keep what Git may.
set -euo pipefail
root=$PWD kept=$PWD/$1 aside=$(mktemp -d)
shift
python - "$aside/params.yaml" "$@" <<'END'
import sys

from ruamel.yaml import YAML

path, *names = sys.argv[1:]
with open("params.yaml", encoding="utf-8") as file:
    parameters = YAML(typ="safe").load(file)
parameters["models"] = {name: parameters["models"][name] for name in names}
with open(path, "w", encoding="utf-8") as file:
    YAML().dump(parameters, file)
END
(
  cd "$aside"
  PYTHONPATH=$root python -m stages.folds --data "$root/studies/folds/data/prepared" \
    --runs "$root/studies/folds/runs" --manifest "$root/data/audit/manifest.csv" \
    --patients "$root/data/audit/patients.csv" --output out
)
rm -rf "$kept"
mkdir -p "$kept"
cp "$aside"/out/{report.md,figure.svg,results.json,figures.json,folds.csv,intervals.csv,differences.csv,suspects.csv} "$kept/"
cp "$aside/params.yaml" "$kept/"
sed -i -E 's#!\[[^]]*\]\(suspects/[0-9]+\.png\)##' "$kept/report.md" # no slice enters Git
rm -rf "$aside"
