"""Validation never shares a slice with training, and has its share of every class."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_mri.data.splitting import in_clusters_of, validation_mask

sets = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30)), min_size=1, max_size=120
)


@given(sets, st.floats(0.05, 0.6), st.integers(0, 9))
def test_no_cluster_is_on_both_sides(images, share, seed):
    labels, clusters = map(np.array, zip(*images, strict=True))
    chosen = validation_mask(labels, clusters, share, seed)
    assert not set(clusters[chosen]) & set(clusters[~chosen])


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(2, 200), min_size=1), st.integers(0, 9))
def test_every_class_gives_its_share(sizes, seed):
    labels = np.repeat(list(sizes), list(sizes.values()))
    chosen = validation_mask(labels, np.arange(len(labels)), 0.2, seed)
    for name, size in sizes.items():
        assert chosen[labels == name].sum() == max(1, round(0.2 * size))


# For each class, the sizes of its clusters.
clustered = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(1, 12), min_size=1, max_size=60), min_size=1
)


@settings(max_examples=40)
@given(clustered, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1), st.randoms())
def test_a_class_keeps_its_share_within_a_cluster_and_images_to_train_on(
    classes, share, seed, random
):
    images = [
        (name, f"{name}{number}")
        for name, sizes in classes.items()
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]
    random.shuffle(images)
    labels, clusters = map(np.array, zip(*images, strict=True))
    chosen = validation_mask(labels, clusters, share, seed)
    assert not set(clusters[chosen]) & set(clusters[~chosen])
    for name, sizes in classes.items():
        own = chosen[labels == name]
        assert not own.all()
        if len(sizes) > 1:
            assert own.any()
            assert abs(own.sum() - share * len(own)) <= max(sizes) + 0.5


def test_a_class_with_one_cluster_stays_in_training():
    chosen = validation_mask(np.array(["a", "b", "b", "b"]), np.array([0, 1, 2, 3]), 0.3, 1)
    assert not chosen[0]
    assert chosen.sum() == 1


def test_the_seed_decides_and_nothing_else():
    labels, clusters = np.repeat(["a", "b"], 50), np.arange(100)
    first = validation_mask(labels, clusters, 0.2, 1)
    assert np.array_equal(first, validation_mask(labels, clusters, 0.2, 1))
    assert not np.array_equal(first, validation_mask(labels, clusters, 0.2, 2))


def test_a_twin_is_an_image_of_the_same_cluster_on_the_other_side():
    assert list(in_clusters_of(pd.Series([1, 2, 3]), pd.Series([3, 3, 9]))) == [False, False, True]
