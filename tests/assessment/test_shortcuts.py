"""What the header and the brightness give away is found, and nothing where there is nothing."""

import numpy as np
import pandas as pd
import pytest

from brain_mri.assessment.shortcuts import (
    answer,
    header_features,
    picture_features,
    shift,
    told_apart,
)
from brain_mri.storage import ImageSet

MANIFEST = {
    "width": [300, 200],
    "height": [200, 200],
    "mode": ["RGB", "L"],
    "format": ["JPEG", "PNG"],
    "file_bytes": [30_000, 20_000],
    "quantisation": [9.25, np.nan],
    "border": [0.25, 0.0],
}


def manifest(**columns):
    """Give the rows of accepted files that are alike, but for these columns."""
    count = len(next(iter(columns.values())))
    same = {name: [values[0]] * count for name, values in MANIFEST.items()}
    return pd.DataFrame(same | columns)


def image_set(pixels, shards=1):
    index = pd.DataFrame({"source": [f"{row}.png" for row in range(len(pixels))]})
    return ImageSet(index, tuple(np.array_split(np.asarray(pixels, np.uint8), shards)))


def test_a_jpeg_and_a_png_without_quantisation_have_their_features():
    found = header_features(pd.DataFrame(MANIFEST))
    assert found.tolist() == [
        [300, 200, 1.5, 5, 0, 9.25, 0.5, 0.25],
        [200, 200, 1, 1, 1, -1, 0.5, 0],
    ]


def test_a_set_of_png_alone_and_an_unknown_mode_have_features():
    rows = manifest(quantisation=[None, None], mode=["new", "L"])
    assert header_features(rows)[:, [3, 5]].tolist() == [[-1, -1], [1, -1]]


def test_the_figures_of_a_picture_are_those_of_its_pixels():
    picture = np.zeros((32, 32))
    picture[2:-2, 2:-2] = 100  # the frame is a sixteenth of the side wide
    picture[0] = 64
    area = 28**2 / 32**2
    [[mean, spread, black, frame]] = picture_features(image_set([picture]))
    assert mean == picture.mean()
    assert spread == pytest.approx(picture.std())
    assert black == 1 - area - 1 / 32
    assert frame == 64 * 32 / (32**2 - 28**2)


def test_pictures_in_several_blocks_and_shards_have_the_figures_of_each():
    pixels = np.random.default_rng(0).integers(0, 256, (600, 128, 128), np.uint8)
    found = picture_features(image_set(pixels, shards=4))
    np.testing.assert_allclose(found[:, 0], pixels.mean((1, 2)))
    np.testing.assert_array_equal(found[490:], picture_features(image_set(pixels[490:])))


def test_a_class_of_its_own_size_is_told_by_the_header():
    labels = np.array(["a", "b"] * 40)
    rows = manifest(width=np.where(labels == "a", 512, 236))
    features = header_features(rows)
    predicted, probabilities = answer(features[:60], labels[:60], features[60:], seed=1)
    assert predicted.tolist() == labels[60:].tolist()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == (labels[60:] == "b")).all()


def test_the_same_seed_gives_the_same_answers():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(100, 4)), rng.integers(0, 3, 100)
    _, first = answer(features, labels, features, seed=1)
    _, again = answer(features, labels, features, seed=1)
    _, other = answer(features, labels, features, seed=2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_features_that_differ_are_told_apart_and_others_are_not():
    rng = np.random.default_rng(0)
    features, positive = rng.normal(size=(400, 4)), rng.random(400) < 0.3
    group = np.arange(400)
    found = told_apart(features, positive, group, 200, seed=1)
    assert found["low"] < 0.5 < found["high"]
    features[:, 1] += 9 * positive
    assert told_apart(features, positive, group, 200, seed=1)["low"] > 0.99


def test_images_are_not_told_by_a_twin_that_was_learned_from():
    rng = np.random.default_rng(0)
    patients = rng.normal(size=(200, 4))
    group = np.repeat(np.arange(200), 4)  # each patient looks like itself and no other
    features = patients[group] + rng.normal(size=(800, 4)) / 100
    positive = rng.permutation(200)[group] < 100
    assert told_apart(features, positive, group, 200, seed=1)["value"] < 0.6
    apart = told_apart(features, positive, np.arange(800), 200, seed=1)
    assert apart["low"] > 0.9


def test_the_shift_is_told_of_the_class_and_the_features_that_have_it():
    rng = np.random.default_rng(0)
    labels, testing = np.repeat(["a", "b", "c"], [200, 200, 60]), rng.random(460) < 0.3
    testing[400:] = np.arange(60) < 4  # too few of c
    features = {"one": rng.normal(size=(460, 3)), "other": rng.normal(size=(460, 3))}
    features["one"][:, 0] += 9 * (testing & (labels == "a"))
    found = shift(features, labels, testing, np.arange(460), ["a", "b", "c"], 200, seed=1)
    assert found[["class", "features"]].values.tolist() == [
        [name, kind] for name in "abc" for kind in ("one", "other")
    ]
    shown = found["low"].astype(float) > 0.7
    assert shown.tolist() == [True, False, False, False, False, False]
    assert found["auc"].isna().tolist() == [False] * 4 + [True] * 2
    assert found[["training", "testing"]].iloc[-1].tolist() == [56, 4]
