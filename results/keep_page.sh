#!/usr/bin/env bash
# results/keep_page.sh FOLDER: keep the reports of the run that is here, without what Git may not have.
set -euo pipefail
kept=$1
black="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
rm -rf "$kept"
cp -r reports "$kept"
# The set has no licence, so none of its slices goes into Git: black squares stand for them.
rm -r "$kept/pictures" "$kept/plots"
sed -E -i "s#data:image/[a-z]+;base64,[A-Za-z0-9+/=]+#$black#g" "$kept/index.html"
cp params.yaml dvc.lock "$kept/"
