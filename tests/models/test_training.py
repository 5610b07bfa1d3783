"""Training learns, repeats to the byte, keeps the epoch that it should and stops when told."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.special import softmax

from brain_mri.errors import InputError
from brain_mri.models import building, files, inference, runtime, stepping, training
from brain_mri.models.examples import Examples
from tests.models.small import SETTINGS, write_examples


@pytest.fixture(autouse=True)
def _float32():
    runtime.configure(SimpleNamespace(**SETTINGS))


@pytest.fixture
def examples(tmp_path):
    """Give 42 noisy images, half of them with a bright middle."""
    return write_examples(tmp_path / "set", 42, noise=80, brighter=120)


def trained(examples, validation=None, **changes):
    runtime.configure(SimpleNamespace(**SETTINGS))
    runtime.set_seed(1)
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.5, l2=0.0, batch_norm=False
    )
    settings = SimpleNamespace(**SETTINGS | changes)
    validation = validation or examples
    history, signals, _ = training.fit(model, examples, validation, settings, seed=1)
    # What is measured during training: the state before any update, and the last.
    assert signals["step"].iloc[0] == 0
    assert signals["step"].iloc[-1] == len(history) * (settings.steps_per_epoch or 6)
    return model, history


def test_a_model_learns_what_can_be_learned(examples):
    _, history = trained(examples, epochs=6)
    assert history["val_accuracy"].iloc[-1] == 1
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0] / 2


def test_the_same_inputs_give_the_same_bytes(examples, tmp_path):
    for name in ("a.keras", "b.keras"):
        model, _ = trained(examples, epochs=1)
        files.save(model, tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_a_label_is_its_classs_place_in_the_parameters(examples):
    assert list(examples.labels[:3]) == [0, 1, 0]  # dark, bright, dark
    other = Examples.of(examples.images, ["bright", "none of these", "dark"])
    assert list(other.labels[:3]) == [2, 0, 2]


def test_the_best_epoch_is_kept(examples):
    model, history = trained(examples, epochs=4, learning_rate=0.02)
    best = history[history["kept"]]
    assert len(best) == 1
    assert best["val_loss"].iloc[0] == history["val_loss"].min()
    logits = inference.predict(inference.forward(model), examples.images, 16)
    loss = inference.cross_entropy(logits, examples.labels)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-4)


def test_the_last_epoch_is_kept_where_asked(examples):
    """Also where validation, here with the other class's labels, gets worse and worse."""
    swapped = replace(examples, labels=1 - examples.labels)
    model, history = trained(examples, swapped, epochs=5, keep="last")
    assert list(history["kept"]) == [False] * 4 + [True]
    assert history["val_loss"].iloc[-1] > history["val_loss"].min()
    logits = inference.predict(inference.forward(model), examples.images, 16)
    loss = inference.cross_entropy(logits, swapped.labels)
    assert loss == pytest.approx(history["val_loss"].iloc[-1], rel=1e-4)


def test_early_stopping_waits_its_number_of_epochs(examples):
    # A rate so small that nothing gets better beyond float32's digits.
    _, history = trained(examples, epochs=9, early_stopping=2, learning_rate=1e-12)
    assert len(history) == int(history.loc[history["kept"], "epoch"].iloc[0]) + 2


def test_the_learning_rate_follows_its_schedule(examples):
    constant = trained(examples, epochs=2)[1]["learning_rate"]
    assert np.allclose(constant, 0.001)
    cosine = trained(examples, epochs=2, schedule="cosine")[1]["learning_rate"]
    assert np.allclose(cosine, [0.0005, 0], atol=1e-6)
    warm = trained(examples, epochs=4, schedule="cosine", warmup=0.25)[1]["learning_rate"]
    assert np.allclose(warm, [0.001, 0.00075, 0.00025, 0], atol=1e-6)
    plateau = trained(examples, epochs=5, schedule="reduce_on_plateau", learning_rate=1e-12)[1][
        "learning_rate"
    ]
    assert plateau.iloc[-1] < plateau.iloc[0]


def test_an_epoch_sees_every_image_once_in_an_order_of_its_own():
    first, second = training.order(100, 1, 1, 100), training.order(100, 1, 2, 100)
    assert sorted(first) == list(range(100))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, training.order(100, 1, 1, 100))
    assert not np.array_equal(first, training.order(100, 2, 1, 100))


@pytest.mark.parametrize("length", [7, 42, 100])
def test_epochs_of_any_length_walk_through_one_shuffled_pass_after_another(length):
    epochs = [training.order(42, 1, epoch, length) for epoch in range(1, 1 + 420 // length)]
    walked = np.concatenate(epochs)
    assert {len(epoch) for epoch in epochs} == {length}
    for start in range(0, len(walked) - 41, 42):
        assert sorted(walked[start : start + 42]) == list(range(42))


def test_an_epoch_can_be_a_number_of_updates(examples):
    _, history = trained(examples, epochs=3, steps_per_epoch=4)  # `trained` counts the updates
    assert len(history) == 3


def test_an_epoch_makes_one_update_a_batch_the_last_one_smaller(examples):
    keras.utils.set_random_seed(1)
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
    )
    optimizer = keras.optimizers.Adam()
    step = stepping.training_step(model, optimizer, model.input)
    for start in range(0, 42, 8):
        rows = np.arange(start, min(start + 8, 42))
        step(examples, rows, False)
    assert int(optimizer.iterations) == 6  # ceil(42 / 8)


@pytest.mark.parametrize("batch_size", [8, 42])
def test_a_normalised_model_that_learned_answers_after_few_updates(examples, batch_size):
    """With Keras's momentum, 12 updates leave the averages where they began: accuracy 0.5."""
    keras.utils.set_random_seed(1)
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=True
    )
    settings = SimpleNamespace(**SETTINGS | {"epochs": 2, "batch_size": batch_size})
    history, _, _ = training.fit(model, examples, examples, settings, seed=1)
    assert history["val_accuracy"].iloc[-1] > 0.9
    assert all(
        layer.get_config()["momentum"] == 0.99
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )


def test_averages_are_those_of_all_batches_with_the_weights_that_are_kept(examples):
    """Here six batches are all images, so that the average of a channel is that over all."""
    keras.utils.set_random_seed(1)
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=True
    )
    settings = SimpleNamespace(**SETTINGS | {"epochs": 1, "batch_size": 8})
    training.fit(model, examples, examples, settings, seed=1)
    first = next(
        place
        for place, layer in enumerate(model.layers)
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = keras.Model(model.input, model.layers[first - 1].output)
    maps = before(examples.images.images(range(42))[..., np.newaxis]).numpy()
    average = model.layers[first].moving_mean.numpy()
    assert average == pytest.approx(maps.mean(axis=(0, 1, 2)), rel=1e-4, abs=1e-5)


def test_weights_weight_the_loss(examples):
    unweighted = Examples(examples.images, examples.labels, examples.weights * 0)
    _, history = trained(unweighted, epochs=1)
    assert history["loss"].iloc[0] == 0


def test_a_loss_that_is_not_finite_ends_with_a_sentence(examples):
    said = r"loss was not finite in the first epoch; train\.learning_rate is 1e\+30, try a lower"
    with pytest.raises(InputError, match=said):
        trained(examples, epochs=1, learning_rate=1e30)


def test_pretrained_weights_are_fine_tuned_after_the_head(examples, small_weights):
    model = building.build(
        "inception_v3",
        32,
        2,
        activation="relu",
        dropout=0.0,
        l2=0.0,
        batch_norm=False,
        weights=small_weights,
    )
    settings = SimpleNamespace(
        **SETTINGS | {"epochs": 1, "fine_tune_epochs": 1, "fine_tune_layers": 3}
    )
    history, signals, _ = training.fit(model, examples, examples, settings, seed=1)
    assert list(history["epoch"]) == [1, 2]
    backbone_norms = signals.loc[signals["layer"] == "inception_v3", "gradient_norm"]
    assert np.isnan(backbone_norms.iloc[0])  # frozen at first
    assert backbone_norms.iloc[-1] > 0
    assert np.allclose(history["learning_rate"], [0.001, 0.0001])


def test_a_backbone_with_a_lower_rate_moves_by_that_share_of_what_it_would(examples, small_weights):
    """One step of plain descent, whose length is in proportion to the rate."""
    moved = {}
    for rate in (1.0, 0.1):
        runtime.configure(SimpleNamespace(**SETTINGS))
        runtime.set_seed(1)
        options = {"activation": "relu", "dropout": 0.0, "l2": 0.0, "batch_norm": False}
        options |= {"weights": small_weights, "frozen": 0}
        model = building.build("inception_v3", 32, 2, **options)
        before = [variable.numpy() for variable in model.trainable_variables]
        how = {"optimizer": "sgd", "learning_rate": 1e-3, "backbone_rate": rate, "epochs": 1}
        settings = SimpleNamespace(**SETTINGS | how | {"batch_size": 42})
        training.fit(model, examples, examples, settings, seed=1)
        after = [variable.numpy() for variable in model.trainable_variables]
        moved[rate] = [a - b for a, b in zip(after, before, strict=True)]
    for whole, slower in zip(moved[1.0][:2], moved[0.1][:2], strict=True):  # of the backbone
        assert np.linalg.norm(whole) > 0
        assert np.allclose(slower, 0.1 * whole, rtol=1e-2, atol=1e-6)
    for whole, other in zip(moved[1.0][2:], moved[0.1][2:], strict=True):  # of the head
        assert np.allclose(whole, other, rtol=1e-4, atol=1e-7)


def test_smoothed_labels_cost_what_the_formula_says(examples):
    """(1 - s) times the cross-entropy, and s times its mean over all classes."""
    model = building.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
    )
    step = stepping.training_step(model, keras.optimizers.SGD(0.0), model.input, None, 0.1)
    logits = inference.predict(inference.forward(model), examples.images, 42).astype(float)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    own = -logs[np.arange(42), examples.labels]
    expected = np.sum(0.9 * own - 0.1 * logs.mean(axis=1))
    assert step(examples, np.arange(42), False)[0][0].numpy() == pytest.approx(expected, rel=1e-4)


def test_weight_decay_spares_biases():
    """With no gradient AdamW shrinks a kernel by rate times decay, and leaves a bias alone."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, bias_initializer="ones")])
    settings = SimpleNamespace(**SETTINGS | {"optimizer": "adamw", "weight_decay": 0.5})
    optimizer = stepping.make_optimizer(settings, 0.1, 1, model)
    kernel, bias = (variable.numpy() for variable in model.trainable_variables)
    optimizer.apply(
        [np.zeros((2, 2), np.float32), np.zeros(2, np.float32)], model.trainable_variables
    )
    assert np.allclose(model.trainable_variables[0].numpy(), 0.95 * kernel)
    assert np.array_equal(model.trainable_variables[1].numpy(), bias)


def test_mirrored_answers_are_the_mean_over_an_image_and_its_mirror_image(examples):
    model, _ = trained(examples, epochs=1)
    logits = inference.forward(model)
    both = inference.predict_probabilities(logits, examples.images, 8, mirror=True)
    pixels = examples.images.images(np.arange(42))
    sides = pixels, pixels[:, :, ::-1]
    alone = [softmax(logits(side).numpy().astype(float), axis=1) for side in sides]
    assert np.allclose(both, (alone[0] + alone[1]) / 2, atol=1e-5)
    assert not np.allclose(both, alone[0], atol=1e-4)
