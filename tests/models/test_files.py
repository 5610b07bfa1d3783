"""A model file is the same bytes for the same model, and a bad one is refused in a sentence."""

import numpy as np
import pytest

from brain_mri.errors import InputError
from brain_mri.models import building, files
from tests import faults


@pytest.fixture
def model():
    return building.build(
        "model_4", 32, 3, activation="relu", dropout=0.5, l2=0.01, batch_norm=True
    )


def test_a_model_comes_back_as_it_was_saved(model, tmp_path):
    files.save(model, tmp_path / "model.keras")
    loaded = files.load(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), np.uint8)
    assert np.array_equal(loaded.predict(pixels, verbose=0), model.predict(pixels, verbose=0))


def test_saving_twice_writes_the_same_bytes(model, tmp_path):
    files.save(model, tmp_path / "a.keras")
    files.save(files.load(tmp_path / "a.keras"), tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_a_model_of_another_size_is_refused(model, tmp_path):
    files.require_shape(model, 32, 3, "m.keras")
    with pytest.raises(InputError, match="train it anew"):
        files.require_shape(model, 64, 3, "m.keras")
    with pytest.raises(InputError, match="train it anew"):
        files.require_shape(model, 32, 4, "m.keras")


def test_layers_are_listed_with_shapes_and_parameters(model):
    table = files.layer_table(model)
    assert table["shape"][0] == "32x32x1"
    assert table["parameters"].sum() == files.count_parameters(model)["total"]
    assert files.count_parameters(model)["trainable"] < files.count_parameters(model)["total"]
    assert "MaxPooling2D" in set(table["kind"])


def load_model(path):
    files.require_shape(files.load(path), 64, 4, path)


def load_weights(path):
    options = {"activation": "relu", "dropout": 0.0, "l2": 0.0, "batch_norm": False}
    building.build("inception_v3", 80, 2, **options, weights=str(path))


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.what) for fault in faults.MODELS])
def test_a_file_that_is_no_model_of_ours_ends_in_a_sentence(tmp_path, small_backbone, fault):
    path = tmp_path / "in" / fault.name
    path.parent.mkdir()
    fault.make(path)
    with pytest.raises(InputError) as ended:
        (load_model if fault.name == "m.keras" else load_weights)(path)
    assert fault.happens.removeprefix("ends: ") in str(ended.value)
    assert "\n" not in str(ended.value)
    assert not (path.parent / "ran").exists()
