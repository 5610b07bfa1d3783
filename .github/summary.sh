#!/usr/bin/env bash
# Prints a pull request's summary, in Markdown: how the machine of a Git revision differs, if so, then
# reports/report.md, then what changed against that revision. Usage: .github/summary.sh origin/main
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
base=$1
limit=64000 # bytes, notes apart; GitHub takes comments of 65,536 characters

# DVC's table without its padding, or a word where it has no rows.
table() {
  tr -s ' ' | awk '/^\|/ { rows = rows $0 "\n"; lines++ }
    END { if (lines > 2) printf "%s", rows; else print "None." }'
}
params=$(dvc params diff --md "$base" | table)
metrics=$(dvc metrics diff --md "$base" | table)
machine=$(PYTHONPATH=. python .github/machine.py "$base")

{
  [ -z "$machine" ] || printf '%s\n\n' "$machine"
  cat reports/report.md
  printf '\n### Parameters that differ from `%s`\n\n%s\n' "$base" "$params"
  printf '\n### Metrics that differ from `%s`\n\n' "$base"
  printf '<details><summary>Table</summary>\n\n%s\n' "$metrics"
} | LC_ALL=C awk -v limit="$limit" -v base="$base" '
  (size += length($0) + 1) > limit { cut++; next }
  { print }
  END {
    if (cut) print "\nCut here, " cut " lines before the end; `dvc metrics diff " base "` shows all."
    print "\n</details>"
  }'
