"""A frozen backbone is asked once; heads learn from what it said as they would from the images."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from brain_mri.models import building, runtime, training
from brain_mri.models.features import with_features
from tests.models.small import SETTINGS, write_examples


@pytest.fixture
def examples(tmp_path):
    return write_examples(tmp_path / "set", 20, noise=80, brighter=120)


@pytest.fixture
def build(small_weights):
    """Build a backbone with the weights of a file, frozen under a new head."""

    def build(dropout=0.0, batch_norm=True):
        runtime.configure(SimpleNamespace(**SETTINGS))  # numbers layers from one
        runtime.set_seed(1)
        return building.build(
            "inception_v3",
            32,
            2,
            activation="relu",
            dropout=dropout,
            l2=0.01,
            batch_norm=batch_norm,
            weights=small_weights,
        )

    return build


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_head_on_kept_features_learns_what_it_learns_on_the_images(
    examples, build, tmp_path, batch_norm
):
    settings = SimpleNamespace(**SETTINGS)
    model, other = build(batch_norm=batch_norm), build(batch_norm=batch_norm)
    history, signals, _ = training.fit(model, examples, examples, settings, seed=1)
    kept = with_features(examples, other, tmp_path / "kept.npy")
    again, measured, _ = training.fit(other, kept, kept, settings, seed=1)
    assert np.allclose(history["val_loss"], again["val_loss"], rtol=1e-4)
    assert list(signals["layer"]) == list(measured["layer"])
    assert np.allclose(
        signals["mean"].astype(float), measured["mean"].astype(float), rtol=1e-2, atol=1e-4
    )
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-2, atol=1e-3)


def test_features_are_computed_once_and_shared_by_heads(examples, build, tmp_path):
    path = tmp_path / "kept.npy"
    first = with_features(examples, build(), path)
    written = path.stat().st_mtime_ns
    second = with_features(examples, build(dropout=0.5), path)
    assert path.stat().st_mtime_ns == written
    rows = np.arange(20)
    assert np.array_equal(first.features.images(rows), second.features.images(rows))
    assert first.features.images(rows).shape == (20, 8)


@pytest.mark.parametrize("damage", [lambda content: content[:-9], lambda content: b""])
def test_a_damaged_file_of_features_is_made_again(examples, build, tmp_path, damage):
    path = tmp_path / "kept.npy"
    model = build()
    with_features(examples, model, path)
    whole = path.read_bytes()
    Path(path).write_bytes(damage(whole))
    with_features(examples, model, path)
    assert path.read_bytes() == whole
