"""While a model is trained, batch normalisation gives what Keras's own gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from brain_mri.models.normalising import normalising
from tests.models.small import computes_in_bfloat16

MAPS = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 5, 3)).astype("float32")


def both_ways(layer, values, momentum=None):
    """Give a layer's output in training, the gradients, and the averages, in float32.

    With a momentum, as while a model is trained; without, Keras's own.
    """
    model = keras.Sequential([keras.Input(values.shape[1:]), layer])
    values = tf.constant(values)

    @tf.function
    def computed():
        with tf.GradientTape() as tape:
            tape.watch(values)
            output = layer(values, training=True)
            loss = tf.reduce_sum(tf.cast(output, tf.float32) ** 3)
        return [output, *tape.gradient(loss, [values, *model.trainable_variables])]

    if momentum is None:
        given = computed()
    else:
        with normalising(model) as shared:
            shared.assign(momentum)
            given = computed()
    return [tf.cast(each, tf.float32).numpy() for each in [*given, *layer.non_trainable_variables]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": False},  # InceptionV3's
        {"center": False},
        {"epsilon": 0.1},
        {"gamma_initializer": "zeros"},  # of a residual block's last
        {"trainable": False},
        {"axis": 1},
        {"renorm": True},
    ],
)
@pytest.mark.parametrize("shape", [(4, 5, 5, 3), (1, 5, 5, 3), (100, 3)])
def test_outputs_gradients_and_averages_are_kerass(options, shape):
    values = MAPS.reshape(-1)[: np.prod(shape)].reshape(shape)
    own = both_ways(keras.layers.BatchNormalization(momentum=0.75, **options), values)
    ours = both_ways(keras.layers.BatchNormalization(**options), values, momentum=0.75)
    assert len(own) == len(ours)
    for expected, given in zip(own, ours, strict=True):
        scale = np.abs(expected).max() + 1e-6
        assert np.abs(given - expected).max() < 1e-4 * scale


@pytest.mark.parametrize(("options", "at_once"), [({}, True), ({"axis": 1}, False)])
def test_feature_maps_are_normalised_by_one_operation(options, at_once):
    layer = keras.layers.BatchNormalization(**options)
    model = keras.Sequential([keras.Input(MAPS.shape[1:]), layer])
    with normalising(model):
        graph = tf.function(lambda: model(MAPS, training=True)).get_concrete_function().graph
    assert ("FusedBatchNormV3" in {node.type for node in graph.get_operations()}) == at_once


@computes_in_bfloat16
def test_in_bfloat16_sums_are_in_float32():
    """Of 16,384 values about 100, a sum in bfloat16 would be far off."""
    values = np.random.default_rng(0).normal(100.0, 4.0, (4, 64, 64, 2)).astype("float32")
    layer = keras.layers.BatchNormalization(dtype="mixed_bfloat16")
    _, _, *_, mean, variance = both_ways(layer, values, momentum=0.0)
    kept = tf.cast(tf.cast(values, tf.bfloat16), tf.float32).numpy()  # as the layer is given them
    assert mean == pytest.approx(kept.mean(axis=(0, 1, 2)), rel=1e-3)
    assert variance == pytest.approx(kept.var(axis=(0, 1, 2)), rel=1e-2)


def test_afterwards_a_model_is_as_it_was():
    layer = keras.layers.BatchNormalization(momentum=0.75)
    model = keras.Sequential([keras.Input(MAPS.shape[1:]), layer])
    before = set(vars(layer))
    with normalising(model):
        model(MAPS, training=True)
    assert set(vars(layer)) == before
    assert layer.get_config()["momentum"] == 0.75
