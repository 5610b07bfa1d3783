"""A heat map shows what speaks for a class, by the published formula, in every architecture."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from brain_mri.models import building, runtime
from brain_mri.models.answer_pictures import SMALLEST, overlay
from brain_mri.models.grad_cam import grad_cam


@pytest.fixture(autouse=True)
def _float32():
    runtime.configure(SimpleNamespace(precision="float32", deterministic=True, threads=0))


def test_under_a_global_mean_it_is_the_class_activation_map():
    """There the gradient of a logit in a map is its weight over the map's size (Selvaraju, 3.1)."""
    pixels = keras.layers.Input((4, 4, 1), name="pixels")
    maps = keras.layers.Conv2D(2, 1, name="conv")(pixels)
    x = keras.layers.Activation("relu")(maps)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(2, name="logits")(x)
    model = keras.Model(pixels, keras.layers.Softmax()(x))
    # One map is the image, the other its negative about 10.
    model.get_layer("conv").set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 10.0])])
    weights = np.array([[2.0, -1.0], [-1.0, 3.0]])
    model.get_layer("logits").set_weights([weights, np.zeros(2)])
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    first = np.maximum(2 * image - np.maximum(10.0 - image, 0), 0)
    second = np.maximum(-1.0 * image + 3 * np.maximum(10.0 - image, 0), 0)
    heat = grad_cam(model, np.concatenate([image, image]), np.array([0, 1]))
    assert np.allclose(heat, np.concatenate([first / first.max(), second / second.max()]))


def test_where_nothing_speaks_for_the_class_it_is_cold():
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
    )
    model.get_layer("logits").set_weights([np.zeros((128, 2)), np.zeros(2)])
    heat = grad_cam(model, np.full((1, 32, 32), 9, np.uint8), np.array([0]))
    assert (heat == 0).all()


@pytest.mark.parametrize(
    ("architecture", "batch_norm"),
    [
        *(("model_1", False), ("model_4", False), ("model_4", True), ("inception_v3", True)),
        *(("efficientnet_lite0", False), ("resnet", False)),
    ],
)
def test_every_architecture_has_heat_maps(architecture, batch_norm):
    model = building.build(
        architecture, 96, 3, activation="relu", dropout=0.1, l2=0.0, batch_norm=batch_norm
    )
    images = np.random.default_rng(0).integers(0, 255, (2, 96, 96), np.uint8)
    heat = grad_cam(model, images, np.array([0, 2]))
    assert heat.ndim == 3
    assert len(heat) == 2
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_an_overlay_leaves_the_cold_part_of_the_slice_as_it_is():
    slice_ = np.full((SMALLEST, SMALLEST), 77, np.uint8)
    heat = np.zeros((2, 2))
    heat[0, 0] = 1
    picture = np.asarray(overlay(slice_, heat))
    assert (picture[-1, -1] == 77).all()
    red, _, blue = picture[0, 0]
    assert red > 150
    assert red > blue
