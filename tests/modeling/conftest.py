"""What tests of training share as fixtures."""

import keras
import pytest


@pytest.fixture
def small_backbone(monkeypatch):
    """Let a network of four layers stand for InceptionV3's, which takes a minute to train.

    What is particular to the real one is left to tests/modeling/test_architectures.py and
    test_grad_cam.py.
    """

    def backbone(include_top, weights, input_shape, pooling):
        assert (include_top, pooling) == (False, "avg")
        pixels = keras.Input(input_shape)
        maps = keras.layers.Conv2D(8, 3, strides=4, use_bias=False, name="conv2d")(pixels)
        maps = keras.layers.BatchNormalization(scale=False)(maps)
        maps = keras.layers.Activation("relu", name="mixed10")(maps)
        average = keras.layers.GlobalAveragePooling2D()(maps)
        return keras.Model(pixels, average, name="inception_v3")

    monkeypatch.setattr(keras.applications, "InceptionV3", backbone)
