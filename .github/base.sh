#!/usr/bin/env bash
# Runs the pipeline of a Git revision on this machine too, after `dvc repro`, and prints what to
# compare with: a tag of that run, or the revision itself where it could not be run. Metrics of two
# machines differ by themselves. Usage: .github/base.sh origin/main
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
base=$(git rev-parse --verify "$1^{commit}")
tag=rerun-$(git rev-parse --short "$base")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
there=$scratch/base

# What both have in common is taken from here and not run again: DVC finds it as it should be.
run() {
  git init --quiet "$there" &&
    git push --quiet "$there" "$base:refs/heads/base" &&
    git -C "$there" checkout --quiet base &&
    ln -s "$PWD/.dvc/cache" "$scratch/cache" && # DVC's configuration takes no accent
    dvc --cd "$there" config --local cache.dir "$scratch/cache" &&
    cp -R dvc.lock reports "$there" &&
    dvc --cd "$there" checkout --quiet --force --allow-missing &&
    dvc --cd "$there" repro &&
    git -C "$there" -c user.name=base -c user.email=base commit --quiet --all --allow-empty \
      --message "The run of $1 on this machine" &&
    git fetch --quiet --force "$there" "HEAD:refs/tags/$tag"
}
if run "$1" >&2; then
  echo "$tag"
else
  echo "base.sh: $1 could not be run here, so what it has committed is compared with" >&2
  echo "$1"
fi
