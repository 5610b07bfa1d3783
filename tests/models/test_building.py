"""The architectures are those of the origin study, and take pixels."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from brain_mri.errors import InputError
from brain_mri.models import building, inference

OPTIONS = {"activation": "relu", "dropout": 0.2, "l2": 0.0, "batch_norm": False}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_model_1_is_the_studys_at_its_size():
    model = building.build("model_1", 256, 4, **OPTIONS)
    shapes = [tuple(layer.output.shape[1:]) for layer in model.layers]
    assert (254, 254, 32) in shapes  # 3x3, valid
    assert (126, 126, 64) in shapes  # 2x2 pools
    assert (61, 61, 128) in shapes
    flat = 61 * 61 * 128
    convolutions = [9 * 32 + 32, 9 * 32 * 64 + 64, 9 * 64 * 128 + 128, 9 * 128 * 128 + 128]
    assert model.count_params() == sum(convolutions) + (flat * 64 + 64) + (64 * 4 + 4)


def test_model_4_is_the_studys_in_grey():
    model = building.build("model_4", 224, 4, **OPTIONS | {"dropout": 0.5})
    assert kinds(model).count("MaxPooling2D") == 3
    convolutions = [9 * 32 + 32, 9 * 32 * 64 + 64, 9 * 64 * 128 + 128]
    assert model.count_params() == sum(convolutions) + (26 * 26 * 128 * 128 + 128) + (128 * 4 + 4)


@pytest.mark.parametrize("architecture", ["model_1", "model_4"])
def test_a_saved_model_takes_pixels_and_gives_probabilities(architecture):
    model = building.build(architecture, 32, 3, **OPTIONS)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), np.uint8)
    probabilities = model.predict(pixels, verbose=0)
    assert probabilities.shape == (5, 3)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)


def test_the_activation_is_that_of_the_convolutions_and_the_dense_layer_stays_relu():
    model = building.build("model_1", 32, 4, **OPTIONS | {"activation": "sigmoid"})
    activations = [
        layer.activation.__name__ for layer in model.layers if "Activation" in str(layer)
    ]
    assert activations == ["sigmoid"] * 4
    assert [layer.activation.__name__ for layer in model.layers if "dense" in layer.name] == [
        "relu"
    ]


@pytest.mark.parametrize(
    ("activation", "values", "slope"),
    [
        ("sigmoid", (0, 0.5, 1), 0.25),
        ("sigmoid_centred", (-1, 0, 1), 0.5),  # without its mean
        ("sigmoid_tangent", (-4.5, 0.5, 5.5), 0.25),  # without its ends
    ],
)
def test_what_a_study_takes_from_sigmoid_leaves_the_rest_of_it(activation, values, slope):
    model = building.build("model_4", 32, 4, **OPTIONS | {"activation": activation})
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    pool = next(layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D))
    activated = keras.Model(first.output, pool.input)

    def at(x):
        return activated(np.full((1, *first.output.shape[1:]), x, np.float32)).numpy()[0, 0, 0, 0]

    assert [at(-20), at(0), at(20)] == pytest.approx(values, abs=1e-5)
    assert (at(0.01) - at(-0.01)) / 0.02 == pytest.approx(slope, abs=1e-3)


def test_first_weights_are_as_many_times_glorots_as_asked():
    """At the same seed every kernel of a convolution is four times as large, and no other."""
    kernels = []
    for scale in (1.0, 4.0):
        keras.utils.set_random_seed(1)
        model = building.build("model_1", 32, 4, **OPTIONS, weight_scale=scale)
        layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
        kernels.append([layer.kernel.numpy() for layer in layers])
    ratios = [large.std() / small.std() for small, large in zip(*kernels, strict=True)]
    assert ratios == pytest.approx([4, 4, 4, 4, 1, 1], rel=0.1)


def test_batch_normalisation_and_weight_decay_are_added_when_asked_for():
    model = building.build("model_1", 32, 4, **OPTIONS | {"batch_norm": True, "l2": 0.01})
    assert kinds(model).count("BatchNormalization") == 4
    assert len(model.losses) == 5
    assert not building.build("model_1", 32, 4, **OPTIONS).losses


def test_probabilities_are_the_softmax_of_the_logits():
    model = building.build("model_4", 32, 4, **OPTIONS)
    pixels = np.zeros((1, 32, 32, 1), np.uint8)
    logits = keras.Model(model.input, model.get_layer("logits").output).predict(pixels, verbose=0)
    softmax = np.exp(logits) / np.exp(logits).sum()
    assert np.allclose(model.predict(pixels, verbose=0), softmax, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "units"),
    [
        *(("model_1", 128), ("model_4", 64), ("resnet", 64)),
        *(("efficientnet_lite0", 480), ("inception_v3", 192)),
    ],
)
def test_what_is_seen_halfway_comes_beside_the_logits_of_every_architecture(architecture, units):
    model = building.build(architecture, 64, 3, **OPTIONS)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
    both = inference.forward_halfway(model)(images).numpy()
    assert both.shape == (2, units + 3)
    assert np.allclose(both[:, units:], inference.forward(model)(images), atol=1e-5)
    assert (both[0, :units] != both[1, :units]).any()


def test_pretrained_weights_are_read_and_frozen_and_the_top_can_be_thawed(tmp_path):
    """A weights file stands in for ImageNet's, which is read in the same way."""
    backbone = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(75, 75, 3), pooling="avg"
    )
    path = tmp_path / "inception.weights.h5"
    backbone.save_weights(path)
    model = building.build("inception_v3", 32, 4, **OPTIONS, weights=str(path))
    loaded = model.get_layer("inception_v3")
    assert all(
        np.array_equal(a, b)
        for a, b in zip(loaded.get_weights(), backbone.get_weights(), strict=True)
    )
    assert len(model.trainable_weights) == 4  # of the head alone
    building.unfreeze_top(model, 7)
    thawed = [layer for layer in loaded.layers if layer.trainable]
    assert thawed == loaded.layers[-7:]
    other = tmp_path / "other.weights.h5"
    building.build("model_4", 32, 4, **OPTIONS).save_weights(other)
    with pytest.raises(InputError, match="does not hold the weights of inception_v3"):
        building.build("inception_v3", 32, 4, **OPTIONS, weights=str(other))


def test_a_weights_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"weights is 'nowhere\.h5', but there is no such file"):
        building.build("inception_v3", 96, 4, **OPTIONS, weights="nowhere.h5")


def test_imagenet_weights_that_cannot_be_downloaded_end_in_a_sentence(tmp_path):
    """In a process of its own, with an empty cache and behind a proxy that is not there."""
    code = (
        "from brain_mri.models.building import build; "
        f"build('inception_v3', 75, 4, **{OPTIONS}, weights='imagenet')"
    )
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | proxy | {"KERAS_HOME": str(tmp_path), "no_proxy": ""},
        capture_output=True,
        text=True,
    )
    assert "weights is 'imagenet', but the weights could not be" in result.stderr
