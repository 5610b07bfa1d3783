"""What a network sees of an image is a function of seed, epoch and row alone, within its ranges."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from brain_mri.models import augmenting, building, runtime, training
from brain_mri.params import Augment
from tests.models.small import SETTINGS, write_examples

ALL = Augment(
    **{"mirror": True, "flip": True, "rotation": 20.0, "zoom": 0.1, "shift": 0.1},
    **{"brightness": 0.1, "contrast": 0.2, "gamma": 0.2, "noise": 0.05, "cutout": 0.2},
)


def drawn(images, rows=None, epoch=1, seed=1, **ranges):
    """Augment images, all of which are rows of a set, as the compiled step does."""
    rows = np.arange(len(images)) if rows is None else np.asarray(rows)
    ranges = Augment(**ranges) if ranges else ALL
    change = tf.function(partial(augmenting.augmented, seed=seed, ranges=ranges), autograph=False)
    return change(tf.constant(images), tf.constant(rows, tf.int32), tf.constant(epoch)).numpy()


@pytest.fixture
def images():
    """Give 64 noisy images, no two of them alike, none black at its rim."""
    return np.random.default_rng(0).integers(1, 255, (64, 32, 32), np.uint8)


def test_a_batch_divided_in_any_way_is_augmented_alike(images):
    whole = drawn(images)
    places = np.random.default_rng(1).permutation(64)
    for part in np.split(places, [1, 8, 30]):
        # Not to the last bit: a kernel may add up the pixels of a larger batch in another order.
        assert np.allclose(drawn(images[part], part), whole[part], atol=1e-3)


@pytest.mark.parametrize("other", [{"epoch": 2}, {"seed": 2}, {"rows": np.arange(64) + 64}])
def test_another_epoch_seed_or_row_draws_anew(images, other):
    same = [
        np.array_equal(a, b) for a, b in zip(drawn(images), drawn(images, **other), strict=True)
    ]
    assert not any(same)


def test_nothing_changes_where_nothing_is_to():
    assert not Augment().is_on
    images = np.full((2, 32, 32), 100, np.uint8)
    assert np.array_equal(drawn(images, rotation=0.0), images)


def test_mirrored_and_flipped_images_are_that_and_nothing_else(images):
    for name, axis in (("mirror", 2), ("flip", 1)):
        changed = drawn(images, **{name: True})
        turned = np.flip(images, axis)
        as_it_was = np.isclose(changed, images, atol=0.01).all(axis=(1, 2))
        other_way = np.isclose(changed, turned, atol=0.01).all(axis=(1, 2))
        assert (as_it_was ^ other_way).all()
        assert 20 < as_it_was.sum() < 44


@pytest.mark.parametrize(
    ("ranges", "largest"),
    [
        ({"shift": 0.1}, 3.3),  # of 32 pixels
        ({"zoom": 0.1}, 1.3),  # of the 12 to the middle
        ({"rotation": 10.0}, 2.2),
    ],
)
def test_a_point_moves_no_further_than_its_range(ranges, largest):
    images = np.zeros((64, 33, 33), np.uint8)
    images[:, 3:6, 15:18] = 200  # centred at 4, 16: 12 above the middle
    changed = drawn(images, **ranges)
    weights = changed / changed.sum(axis=(1, 2), keepdims=True)
    places = np.arange(33)
    moved = np.hypot((weights.sum(2) @ places) - 4, (weights.sum(1) @ places) - 16)
    assert moved.max() < largest * np.sqrt(2 if "shift" in ranges else 1) + 0.2
    assert moved.max() > largest / 2
    assert len(np.unique(moved.round(3))) > 50


def test_intensities_stay_in_their_ranges(images):
    grey = np.full((64, 32, 32), 100, np.uint8)
    bright = drawn(grey, brightness=0.1)
    assert np.abs(bright - 100).max() <= 25.5
    assert bright.max() - bright.min() > 30
    assert np.ptp(bright, axis=(1, 2)).max() == 0  # one for the whole image
    bent = drawn(grey, gamma=0.3)
    limits = 255 * (100 / 255) ** np.exp([0.3, -0.3])
    assert limits[0] - 0.01 <= bent.min() < bent.max() <= limits[1] + 0.01
    stretched = drawn(images // 4 + 96, contrast=0.2)
    ratio = stretched.std(axis=(1, 2)) / (images // 4).std(axis=(1, 2))
    assert 0.8 <= ratio.min() < 0.9 < 1.1 < ratio.max() <= 1.2
    assert np.allclose(stretched.mean(axis=(1, 2)), (images // 4 + 96).mean(axis=(1, 2)), atol=0.01)
    noisy = drawn(grey, noise=0.05).std(axis=(1, 2))
    assert 0 < noisy.min() < 3 < 9 < noisy.max() < 0.05 * 255 * 1.1
    everything = drawn(images)
    assert everything.min() >= 0
    assert everything.max() <= 255


def test_a_cut_out_square_is_black_and_no_larger_than_asked(images):
    holes = drawn(images, cutout=0.25) == 0
    assert holes.any(axis=(1, 2)).all()
    assert holes.any(axis=1).sum(axis=1).max() <= 9  # of 32 pixels, and one for where it begins
    assert holes.any(axis=2).sum(axis=1).max() <= 9


def test_the_page_shows_the_draws_that_training_sees(tmp_path):
    examples = write_examples(tmp_path / "set", 4, noise=200, brighter=30)
    augmenting.write_draws(tmp_path / "shown", examples.images, 3, ALL)
    table = pd.read_csv(tmp_path / "shown/index.csv")
    assert list(table["epoch"]) == list(range(9))
    assert set(table["path"]) == {"0.jpg"}
    pictures = [np.asarray(Image.open(tmp_path / "shown" / name)) for name in table["file"]]
    first = examples.images.images([0])
    assert np.array_equal(pictures[0], first[0])
    assert np.array_equal(pictures[5], np.rint(drawn(first, [0], epoch=5, seed=3)[0]))
    augmenting.write_draws(tmp_path / "none", examples.images, 3, Augment())
    assert len(pd.read_csv(tmp_path / "none/index.csv")) == 0
    assert not list((tmp_path / "none").glob("*.png"))


def test_training_sees_augmented_images_and_validation_does_not(tmp_path):
    examples = write_examples(tmp_path / "set", 40, noise=40, brighter=0)
    settings = SimpleNamespace(**SETTINGS | {"epochs": 1, "learning_rate": 1e-12})

    def losses(**changes):
        runtime.configure(settings)
        runtime.set_seed(1)
        model = building.build(
            "model_4", 32, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
        )
        history, signals, _ = training.fit(
            model, examples, examples, SimpleNamespace(**vars(settings) | changes), seed=1
        )
        return history["loss"][0], history["val_loss"][0], signals["mean"].to_numpy()

    plain, changed = losses(), losses(augment=Augment(brightness=0.9, noise=0.5))
    assert abs(plain[0] - changed[0]) > 1e-3
    assert plain[1] == pytest.approx(changed[1], abs=1e-9)
    assert np.array_equal(plain[2], changed[2])  # the probe sees its images as they are
