"""A model of somebody else, for want of one: the nearest neighbours of a slice in Training.

It has seen all of the data set's Training folder, twins of Testing included, as a model from
elsewhere may have. `python tools/answers_from_callable.py studies/judge/example.py:neighbours
data/phantom --output studies/judge/answers/neighbours.csv` asks it.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

SIDE = 24  # pixels
# What the model calls the classes, by their folder; params.yaml leads back.
NAMES = {
    "glioma_tumor": "glioma",
    "meningioma_tumor": "meningioma",
    "no_tumor": "notumor",
    "pituitary_tumor": "pituitary",
}


def neighbours(path: str) -> dict[str, float]:
    """Give the probability of each class for the slice at a path."""
    model = trained(Path(path).parents[2])
    [probabilities] = model.predict_proba([thumbnail(path)])
    return dict(zip(model.classes_.tolist(), probabilities.tolist(), strict=True))


@cache
def trained(dataset: Path) -> KNeighborsClassifier:
    """Learn from the Training folder of a data set."""
    paths = [path for name in NAMES for path in sorted((dataset / "Training" / name).iterdir())]
    labels = [NAMES[path.parent.name] for path in paths]
    model = KNeighborsClassifier(n_neighbors=5, weights="distance")
    return model.fit([thumbnail(path) for path in paths], labels)


def thumbnail(path: str | Path) -> np.ndarray:
    """Give the grey levels of a slice made small, 0 to 1, in one row."""
    with Image.open(path) as image:
        small = image.convert("L").resize((SIDE, SIDE))
    return np.asarray(small, float).ravel() / 255
