"""The embedded data set is a test of a model: neither trivial, nor one that a look-up passes."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from brain_mri import params
from brain_mri.data.decoding import decode
from brain_mri.data.resizing import resize
from brain_mri.parallel import map_in_order
from brain_mri.phantom.slices import draw_dataset

ROOT = Path(__file__).parents[2]
PARAMETERS = params.load(ROOT / "params.yaml")


def accuracy_of(model):
    path = ROOT / f"reports/metrics/{model}.json"
    return json.loads(path.read_text(encoding="utf-8"))[model]["accuracy"]


@pytest.fixture(scope="module")
def look_up(tmp_path_factory):
    """Accuracy of the nearest Training image in pixel space, once the leaks are dropped."""
    folder = tmp_path_factory.mktemp("data") / "phantom"
    truth = draw_dataset(
        folder, **PARAMETERS.phantom.model_dump(), apply=partial(map_in_order, title="phantom")
    )
    testing = truth["split"] == "Testing"
    truth = truth[testing | ~truth["patient"].isin(truth.loc[testing, "patient"])]
    images = np.stack(
        [
            resize(decode(folder / path, 10**6).pixels, PARAMETERS.image_size, "pad").ravel() / 255
            for path in truth["path"]
        ]
    )
    training = (truth["split"] == "Training").to_numpy()
    labels = truth["class"].to_numpy()
    nearest = KNeighborsClassifier(1).fit(images[training], labels[training])
    return nearest.score(images[~training], labels[~training])


def test_model_1_passes_and_does_not_exhaust_it():
    # Types of processor differ: 0.735 without bfloat16, 0.765 with it.
    assert 0.7 <= accuracy_of("model_1") <= 0.97


def test_model_1_beats_a_look_up_by_a_clear_margin(look_up):
    assert accuracy_of("model_1") > look_up + 0.1
