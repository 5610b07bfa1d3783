"""What is measured while training is what the mathematics says, and measuring changes nothing."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from brain_mri.models import building, runtime, signals, stepping
from brain_mri.models.examples import Examples
from brain_mri.storage import ImageSet

CLASSES = 3


@pytest.fixture(autouse=True)
def _float32():
    runtime.configure(SimpleNamespace(precision="float32", deterministic=True, threads=0))


def linear_model(weights, activation=None):
    """Give logits = pixels of a 2x2 image times weights (4, 3); perhaps after an activation."""
    pixels = keras.layers.Input((2, 2, 1), name="pixels")
    x = keras.layers.Flatten()(pixels)
    if activation:
        x = keras.layers.Dense(4, activation=activation, name="hidden")(x)
    logits = keras.layers.Dense(CLASSES, name="logits")(x)
    model = keras.Model(pixels, keras.layers.Softmax(name="probabilities")(logits))
    model.get_layer("logits").set_weights([weights, np.zeros(CLASSES, np.float32)])
    return model


def examples_of(pixels, labels):
    images = ImageSet(pd.DataFrame(index=range(len(labels))), (pixels,))
    return Examples(images, labels, np.ones(len(labels), np.float32))


def measured(model, pixels, labels, rate=0.0):
    """Measure before any update and after one of plain gradient descent."""
    step = stepping.training_step(model, keras.optimizers.SGD(rate), model.input)
    examples = examples_of(pixels, labels)
    probe = signals.Probe(model, examples)
    probe.measure(0, step)
    probe.before_update()
    step(examples, np.arange(len(labels)), False)
    probe.measure(1, step)
    return probe.table()


def test_gradient_and_update_of_a_linear_softmax_are_those_in_closed_form():
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 5, (6, 2, 2)).astype(np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2], np.int32)
    weights = generator.normal(size=(4, CLASSES)).astype(np.float32)
    table = measured(linear_model(weights), pixels, labels, rate=0.1)

    x = pixels.reshape(6, 4).astype(float)
    scores = np.exp(x @ weights)
    p = scores / scores.sum(axis=1, keepdims=True)
    residual = p - np.eye(CLASSES)[labels]  # the gradient in the logits is p - y
    gradient = np.vstack([x.T @ residual, residual.sum(axis=0)]) / 6
    before, after = table.iloc[0], table.iloc[1]
    assert before["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert np.isnan(before["update_ratio"])
    ratio = 0.1 * np.linalg.norm(gradient) / np.linalg.norm(weights)
    assert after["update_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert before["entropy"] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(), rel=1e-5)
    assert before["mean"] == pytest.approx(1 / CLASSES)
    assert before["spread_units"] == pytest.approx(p.std(axis=1).mean(), rel=1e-5)
    assert before["spread_images"] == pytest.approx(p.std(axis=0).mean(), rel=1e-5)
    assert before["below_0.05"] == pytest.approx((p < 0.05).mean())
    assert before["above_0.95"] == pytest.approx((p > 0.95).mean())


@pytest.mark.parametrize(
    ("activation", "bias", "low", "high"),
    [
        ("sigmoid", -4.0, 1, 0),  # 0.018
        ("sigmoid", 4.0, 0, 1),  # 0.982
        ("sigmoid", 0.0, 0, 0),  # 0.5
        ("tanh", -2.0, 1, 0),  # -0.964, at 0.018 of its range
        ("tanh", 0.0, 0, 0),
        ("relu", -2.0, 1, 0),  # dead
    ],
)
def test_the_extremes_are_those_of_the_activations_own_range(activation, bias, low, high):
    model = linear_model(np.ones((4, CLASSES), np.float32), activation)
    hidden = model.get_layer("hidden")
    hidden.set_weights([np.zeros((4, 4)), np.full(4, bias)])
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 2, 2)
    row = measured(model, pixels, np.zeros(4, np.int32)).iloc[0]
    assert row["layer"] == "hidden"
    assert row["activation"] == activation
    assert (row["below_0.05"], row["above_0.95"]) == (low, high)
    assert row["spread_images"] == row["spread_units"] == 0  # no weight: no image matters


def test_measuring_changes_neither_weights_nor_batch_statistics_nor_dropout():
    keras.utils.set_random_seed(1)
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.5, l2=0.01, batch_norm=True
    )
    step = stepping.training_step(model, keras.optimizers.Adam(), model.input)
    pixels = np.random.default_rng(0).integers(0, 255, (8, 32, 32), np.uint8)
    examples = examples_of(pixels, np.arange(8, dtype=np.int32) % 2)
    before = [variable.numpy() for variable in model.variables]
    probe = signals.Probe(model, examples)
    probe.measure(0, step)
    for variable, value in zip(model.variables, before, strict=True):
        assert np.array_equal(variable.numpy(), value), variable.path
    step(examples, np.arange(8), False)
    moved = [
        not np.array_equal(variable.numpy(), value)
        for variable, value in zip(model.variables, before, strict=True)
    ]
    assert all(moved)  # an update moves them all, so that the comparison above can fail


def test_a_block_is_a_layer_with_its_normalisation_and_activation():
    model = building.build(
        "model_1", 32, 4, activation="tanh", dropout=0.2, l2=0.0, batch_norm=True
    )
    found = signals.blocks(model)
    assert [block.activation for block in found] == ["tanh"] * 4 + ["relu", "softmax"]
    assert [len(block.layers) for block in found] == [2, 2, 2, 2, 1, 1]
    assert found[-1].name == "logits"


@pytest.mark.parametrize("total", [1, 2, 5, 96, 1000])
def test_the_first_steps_and_the_last_are_measured_and_not_many_between(total):
    steps = signals.probe_steps(total)
    assert {0, 1, total} <= steps
    assert max(steps) == total
    assert len(steps) <= 4 + np.log(total) / np.log(4) + 1
