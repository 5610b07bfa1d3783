"""A model file is the same bytes for the same model, and a bad one is refused in a sentence."""

import numpy as np
import pytest

from stages.errors import InputError
from stages.modeling import architectures, files


@pytest.fixture
def model():
    return architectures.build(
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


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match="is no model that can be opened"):
        files.load(path)


def test_a_truncated_model_is_refused(model, tmp_path):
    path = tmp_path / "model.keras"
    files.save(model, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="is no model that can be opened"):
        files.load(path)


def test_a_model_of_another_size_is_refused(model, tmp_path):
    files.require_shape(model, 32, 3, "m.keras")
    with pytest.raises(InputError, match="train it anew"):
        files.require_shape(model, 64, 3, "m.keras")
    with pytest.raises(InputError, match="train it anew"):
        files.require_shape(model, 32, 4, "m.keras")


def test_layers_are_listed_with_shapes_and_parameters(model):
    table = files.layer_table(model)
    assert table[0]["shape"] == [32, 32, 1]
    assert sum(row["parameters"] for row in table) == files.count_parameters(model)["total"]
    assert files.count_parameters(model)["trainable"] < files.count_parameters(model)["total"]
    assert "max_pooling2d" in files.summary(model)
