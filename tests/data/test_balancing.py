"""Each strategy evens out the classes its own way, and says where every image is from."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_mri import params
from brain_mri.data import balancing

sizes = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=2)
seeds = st.integers(0, 2**32 - 1)


def balance(index, strategy, seed):
    return getattr(balancing, strategy)(index["label"].to_numpy(), np.random.default_rng(seed))


def index_of(sizes):
    return pd.DataFrame({"label": np.repeat(list(sizes), list(sizes.values()))})


@given(sizes)
def test_none_changes_nothing(sizes):
    rows, weights, synthetic = balance(index_of(sizes), "none", 1)
    assert list(rows) == list(range(sum(sizes.values())))
    assert (weights == 1).all()
    assert not synthetic.any()


@pytest.mark.parametrize("strategy", ["oversample", "augment"])
@given(sizes)
def test_filling_up_repeats_images_evenly_up_to_the_largest_class(strategy, sizes):
    index = index_of(sizes)
    rows, weights, synthetic = balance(index, strategy, 1)
    labels = index["label"].to_numpy()[rows]
    uses = pd.Series(rows).value_counts()
    for name in sizes:
        assert (labels == name).sum() == max(sizes.values())
        times = uses[np.flatnonzero(index["label"] == name)]
        assert times.max() - times.min() <= 1
    assert list(rows[: len(index)]) == list(range(len(index)))  # the originals are all there
    assert (weights == 1).all()
    repeated = np.arange(len(rows)) >= len(index)
    assert np.array_equal(synthetic, repeated if strategy == "augment" else repeated & False)


@given(sizes)
def test_augmenting_only_adds_as_many_images_in_the_classes_own_shares(sizes):
    index = index_of(sizes)
    rows, weights, synthetic = balance(index, "augment_only", 1)
    filled = balance(index, "augment", 1)[0]
    assert abs(len(rows) - len(filled)) <= len(sizes) / 2  # each class is rounded
    counts = index["label"].iloc[rows].value_counts()
    for name, size in sizes.items():
        assert abs(counts[name] - size * len(filled) / len(index)) <= 0.5
    assert np.array_equal(synthetic, np.arange(len(rows)) >= len(index))
    assert (weights == 1).all()


@given(sizes)
def test_undersampling_takes_a_choice_down_to_the_smallest_class(sizes):
    index = index_of(sizes)
    rows, _, synthetic = balance(index, "undersample", 1)
    assert len(set(rows)) == len(rows)
    counts = index["label"].iloc[rows].value_counts()
    assert (counts == min(sizes.values())).all()
    assert not synthetic.any()


@given(sizes)
def test_class_weights_give_every_class_the_same_sum_and_images_a_mean_of_one(sizes):
    index = index_of(sizes)
    rows, weights, _ = balance(index, "class_weight", 1)
    assert len(rows) == len(index)
    sums = pd.Series(weights).groupby(index["label"].to_numpy()).sum()
    assert np.allclose(sums, len(index) / len(sizes))
    assert weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("strategy", params.STRATEGIES)
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=80), seeds)
def test_every_strategy_takes_known_images_and_changes_only_repeated_ones(strategy, labels, seed):
    index = pd.DataFrame({"label": labels})  # classes in any order, and also one alone
    rows, weights, synthetic = balance(index, strategy, seed)
    assert len(rows) == len(weights) == len(synthetic)
    assert set(rows) <= set(index.index)
    assert set(index["label"].iloc[rows]) == set(labels)
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(len(rows))
    once = list(rows[~synthetic])
    if strategy == "oversample":
        once = once[: len(labels)]
    assert once == sorted(set(once))  # originals, each once and in their order
    assert set(rows[synthetic]) <= set(once)
    assert synthetic.any() <= strategy.startswith("augment")


def test_the_seed_decides_the_choice():
    index = index_of({"a": 30, "b": 10})
    first = balance(index, "undersample", 1)[0]
    assert np.array_equal(first, balance(index, "undersample", 1)[0])
    assert not np.array_equal(first, balance(index, "undersample", 2)[0])
