"""The numbers worked by hand in the origin study come out of the project's own functions."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers

from brain_mri import params
from brain_mri.assessment.weighted import cross_entropy
from brain_mri.models import building, files, inference, stepping, training
from brain_mri.models.examples import Examples
from brain_mri.storage import read_images, write_images

CLASSES = ["glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"]
OPTIONS = {"activation": "relu", "dropout": 0.0, "l2": 0.0, "batch_norm": False}


@pytest.fixture(autouse=True)
def _float32():
    keras.utils.clear_session()
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(1)


def settings(**changes):
    """Give model_4's settings in params.yaml, changed."""
    return params.load().model("model_4").model_copy(update=changes)


def examples(folder, count):
    """Write noise as a training set, and open it."""
    generator = np.random.default_rng(count)
    index = pd.DataFrame(
        {
            "source": [f"{n}.jpg" for n in range(count)],
            "label": generator.choice(CLASSES, count),
            "group": range(count),
            "patient": "",
            "weight": 1.0,
            "transform": "",
            "twin": False,
            "same_patient": False,
        }
    )
    images = generator.integers(0, 256, (count, 32, 32), np.uint8)
    write_images(folder, index, iter(images), shard_mb=1)
    return Examples.of(read_images(folder), CLASSES)


def test_the_cross_entropy_of_a_prediction():
    prediction = np.array([[0.2, 0.1, 0.6, 0.1]])
    loss = inference.cross_entropy(np.log(prediction), np.array([0]))
    assert loss == pytest.approx(1.609, abs=5e-4)
    assert cross_entropy(np.array([0]), prediction) == pytest.approx(1.609, abs=5e-4)


def test_one_step_of_a_sigmoid_neuron():
    neuron = layers.Dense(
        1, activation="sigmoid", kernel_initializer=keras.initializers.Constant(0.5)
    )
    neuron.build((None, 1))
    optimizer = stepping.make_optimizer(
        settings(optimizer="sgd", schedule="constant"), 0.1, 1, keras.Sequential([neuron])
    )
    with tf.GradientTape() as tape:
        answer = neuron(tf.constant([[2.0]]))
        cost = tf.reduce_sum((answer - 1) ** 2) / 2
    assert answer.numpy().item() == pytest.approx(0.731, abs=5e-4)
    assert cost.numpy() == pytest.approx(0.036, abs=5e-4)
    weights = neuron.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(cost, weights), weights, strict=True))
    # The study cut these two after four digits; they are 0.51058 and 0.00529.
    assert neuron.kernel.numpy().item() == pytest.approx(0.5105, abs=1e-4)
    assert neuron.bias.numpy().item() == pytest.approx(0.0052, abs=1e-4)


def test_the_parameters_of_a_small_dense_network():
    model = keras.Sequential(
        [
            layers.Input((2,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dense(4),
            layers.Dense(1),
        ]
    )
    assert files.layer_table(model)["parameters"].tolist() == [24, 32, 36, 5]
    counts = files.count_parameters(model)
    assert (counts["total"], counts["trainable"]) == (97, 81)


def test_the_parameters_of_a_stack_of_convolutions():
    convolutions = [
        layers.Conv2D(filters, 3, strides=2, padding="same") for filters in (32, 64, 64, 128)
    ]
    model = keras.Sequential(
        [layers.Input((100, 100, 3)), *convolutions, layers.Flatten(), layers.Dense(1)]
    )
    parameters = files.layer_table(model)["parameters"].tolist()
    assert parameters == [896, 18_496, 36_928, 73_856, 0, 6_273]
    assert files.count_parameters(model)["total"] == 136_449


def test_the_parameters_of_the_studys_model_1_at_its_size():
    model = building.build("model_1", 256, 4, **OPTIONS)
    parameters = [count for count in files.layer_table(model)["parameters"] if count]
    # 9·1·32+32, 9·32·64+64, 9·64·128+128, 9·128·128+128, 61·61·128·64+64, 64·4+4
    assert parameters == [320, 18_496, 73_856, 147_584, 30_482_496, 260]
    counts = files.count_parameters(model)
    assert (counts["total"], counts["trainable"]) == (30_723_012, 30_723_012)


@pytest.mark.parametrize(("images", "batch", "updates"), [(21, 8, 3), (16, 8, 2), (5, 8, 1)])
def test_an_epoch_makes_one_update_a_batch_begun(images, batch, updates, tmp_path, monkeypatch):
    """It takes ceil(images / batch) updates; the optimizer counts them, and is kept to be asked."""
    made = []
    make = training.make_optimizer
    monkeypatch.setattr(
        training, "make_optimizer", lambda *arguments: made.append(make(*arguments)) or made[-1]
    )
    model = building.build("model_4", 32, 4, **OPTIONS)
    noise = examples(tmp_path / "noise", images)
    training.fit(model, noise, noise, settings(epochs=2, batch_size=batch), seed=1)
    [optimizer] = made
    assert int(optimizer.iterations) == 2 * updates


def test_softmax_sums_to_one_whatever_the_logits():
    model = building.build("model_4", 32, 4, **OPTIONS)
    logits = tf.constant([[1000.0, -1000.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0], [-5.0, 2.0, 1.0, 0.5]])
    probabilities = model.get_layer("probabilities")(logits).numpy()
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(probabilities[1], 0.25)


def test_the_gradient_of_softmax_with_cross_entropy_is_p_minus_y(tmp_path):
    """The bias of the logits has just that gradient: one plain step of rate 1 takes it away."""
    model = building.build("model_4", 32, 4, **OPTIONS)
    one = examples(tmp_path / "one", 1)
    p = model.predict(one.images.images([0])[..., np.newaxis], verbose=0)[0]
    y = np.eye(4)[one.labels[0]]
    before = model.get_layer("logits").bias.numpy()
    step = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 1.0, "epochs": 1}
    training.fit(model, one, one, settings(**step), seed=1)
    assert np.allclose(before - model.get_layer("logits").bias.numpy(), p - y, atol=1e-5)
