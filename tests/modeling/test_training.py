"""Training learns, repeats to the byte, keeps its best epoch and stops when told."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from stages.errors import InputError
from stages.modeling import architectures, files, runtime, training
from stages.storage import read_images, write_images

CLASSES = ["dark", "bright"]
SETTINGS = {
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.001,
    "optimizer": "adam",
    "schedule": "constant",
    "early_stopping": 0,
    "fine_tune_layers": 0,
    "fine_tune_epochs": 0,
}


@pytest.fixture(autouse=True)
def _float32():
    runtime.configure(precision="float32", deterministic=True, threads=0)


@pytest.fixture
def examples(tmp_path):
    """Give 42 noisy images, half of them with a bright middle."""
    labels = np.arange(42) % 2
    images = np.random.default_rng(0).integers(0, 80, (42, 32, 32), np.uint8)
    images[labels == 1, 10:22, 10:22] += 120
    index = pd.DataFrame(
        {
            "source": [f"{n}.jpg" for n in range(42)],
            "label": np.array(CLASSES)[labels],
            "cluster": range(42),
            "weight": 1.0,
            "transform": "",
            "twin": False,
        }
    )
    write_images(tmp_path / "set", index, iter(images), shard_mb=1)
    return training.Examples.of(read_images(tmp_path / "set"), CLASSES)


def trained(examples, **changes):
    runtime.configure(precision="float32", deterministic=True, threads=0)
    runtime.set_seed(1)
    model = architectures.build(
        "model_4", 32, 2, activation="relu", dropout=0.5, l2=0.0, batch_norm=False
    )
    settings = SimpleNamespace(**SETTINGS | changes)
    return model, training.fit(model, examples, examples, settings, seed=1)


def test_a_model_learns_what_can_be_learned(examples):
    _, history = trained(examples, epochs=6)
    assert history["val_accuracy"].iloc[-1] == 1
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0] / 2


def test_the_same_inputs_give_the_same_bytes(examples, tmp_path):
    for name in ("a.keras", "b.keras"):
        model, _ = trained(examples, epochs=1)
        files.save(model, tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_the_best_epoch_is_kept(examples):
    model, history = trained(examples, epochs=4, learning_rate=0.02)
    best = history[history["best"]]
    assert len(best) == 1
    assert best["val_loss"].iloc[0] == history["val_loss"].min()
    logits = training.predict(training.forward(model), examples.images, 16)
    loss = training.cross_entropy(logits, examples.labels)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-4)


def test_early_stopping_waits_its_number_of_epochs(examples):
    # A rate so small that nothing gets better beyond float32's digits.
    _, history = trained(examples, epochs=9, early_stopping=2, learning_rate=1e-12)
    assert len(history) == int(history.loc[history["best"], "epoch"].iloc[0]) + 2


def test_the_learning_rate_follows_its_schedule(examples):
    constant = trained(examples, epochs=2)[1]["learning_rate"]
    assert np.allclose(constant, 0.001)
    cosine = trained(examples, epochs=2, schedule="cosine")[1]["learning_rate"]
    assert np.allclose(cosine, [0.0005, 0], atol=1e-6)
    plateau = trained(examples, epochs=5, schedule="reduce_on_plateau", learning_rate=1e-12)[1][
        "learning_rate"
    ]
    assert plateau.iloc[-1] < plateau.iloc[0]


def test_an_epoch_sees_every_image_once_in_an_order_of_its_own():
    first, second = training.order(100, 1, 1), training.order(100, 1, 2)
    assert sorted(first) == list(range(100))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, training.order(100, 1, 1))


def test_an_epoch_makes_one_update_a_batch_the_last_one_smaller(examples):
    keras.utils.set_random_seed(1)
    model = architectures.build(
        "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
    )
    optimizer = keras.optimizers.Adam()
    step = training._training_step(model, optimizer)
    for start in range(0, 42, 8):
        rows = np.arange(start, min(start + 8, 42))
        step(examples.images.images(rows), examples.labels[rows], examples.weights[rows])
    assert int(optimizer.iterations) == 6  # ceil(42 / 8)


def test_weights_weight_the_loss(examples):
    unweighted = training.Examples(examples.images, examples.labels, examples.weights * 0)
    _, history = trained(unweighted, epochs=1)
    assert history["loss"].iloc[0] == 0


def test_a_loss_that_is_not_finite_ends_with_a_sentence(examples):
    with pytest.raises(InputError, match="loss was not finite in the first epoch"):
        trained(examples, epochs=1, learning_rate=1e30)


def test_pretrained_weights_are_fine_tuned_after_the_head(examples, tmp_path):
    backbone = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(75, 75, 3), pooling="avg"
    )
    backbone.save_weights(tmp_path / "backbone.weights.h5")
    model = architectures.build(
        "inception_v3",
        32,
        2,
        activation="relu",
        dropout=0.0,
        l2=0.0,
        batch_norm=False,
        weights=str(tmp_path / "backbone.weights.h5"),
    )
    settings = SimpleNamespace(
        **SETTINGS | {"epochs": 1, "fine_tune_epochs": 1, "fine_tune_layers": 20}
    )
    history = training.fit(model, examples, examples, settings, seed=1)
    assert list(history["epoch"]) == [1, 2]
    assert np.allclose(history["learning_rate"], [0.001, 0.0001])
