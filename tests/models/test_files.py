"""A model file is the same bytes for the same model, and a bad one is refused in a sentence."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

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


@pytest.mark.parametrize("text", [None, "", "- a list", "stages: {train: {outs: [1]}}", "\x00"])
def test_without_a_lock_that_says_so_no_model_is_trusted(tmp_path, text):
    if text is not None:
        (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(InputError, match="is missing or damaged"):
        files.require_digest(tmp_path / "model.keras", tmp_path / "dvc.lock")


def test_a_model_is_trusted_if_the_lock_names_its_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.keras").write_bytes(b"weights")
    digest = hashlib.md5(b"weights").hexdigest()
    lock = {"stages": {"train": {"outs": [{"path": "model.keras", "md5": digest}]}, "report": {}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    files.require_digest("model.keras", "dvc.lock")
    with pytest.raises(InputError, match="does not name other"):
        files.require_digest("other.keras", "dvc.lock")
    Path("model.keras").write_bytes(b"weighty")
    with pytest.raises(InputError, match="its digest is not the one in"):
        files.require_digest("model.keras", "dvc.lock")


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
