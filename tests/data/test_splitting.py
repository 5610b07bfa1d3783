"""Validation never shares a slice with training, and has its share of every class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_mri.data.splitting import split_by_folder, split_folds, validation_mask
from brain_mri.errors import InputError

sets = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 30)), min_size=1, max_size=120
)


@given(sets, st.floats(0.05, 0.6), st.integers(0, 9))
def test_no_group_is_on_both_sides(images, share, seed):
    labels, groups = map(np.array, zip(*images, strict=True))
    chosen = validation_mask(labels, groups, share, seed)
    assert not set(groups[chosen]) & set(groups[~chosen])


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(2, 200), min_size=1), st.integers(0, 9))
def test_every_class_gives_its_share(sizes, seed):
    labels = np.repeat(list(sizes), list(sizes.values()))
    chosen = validation_mask(labels, np.arange(len(labels)), 0.2, seed)
    for name, size in sizes.items():
        assert chosen[labels == name].sum() == max(1, round(0.2 * size))


# For each class, the sizes of its groups.
grouped = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(1, 12), min_size=1, max_size=60), min_size=1
)


@settings(max_examples=40)
@given(grouped, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1), st.randoms())
def test_a_class_keeps_its_share_within_a_group_and_images_to_train_on(
    classes, share, seed, random
):
    images = [
        (name, f"{name}{number}")
        for name, sizes in classes.items()
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]
    random.shuffle(images)
    labels, groups = map(np.array, zip(*images, strict=True))
    chosen = validation_mask(labels, groups, share, seed)
    assert not set(groups[chosen]) & set(groups[~chosen])
    for name, sizes in classes.items():
        own = chosen[labels == name]
        assert not own.all()
        if len(sizes) > 1:
            assert own.any()
            assert abs(own.sum() - share * len(own)) <= max(sizes) + 0.5


def test_a_class_with_one_group_stays_in_training():
    chosen = validation_mask(np.array(["a", "b", "b", "b"]), np.array([0, 1, 2, 3]), 0.3, 1)
    assert not chosen[0]
    assert chosen.sum() == 1


def test_the_seed_decides_and_nothing_else():
    labels, groups = np.repeat(["a", "b"], 50), np.arange(100)
    first = validation_mask(labels, groups, 0.2, 1)
    assert np.array_equal(first, validation_mask(labels, groups, 0.2, 1))
    assert not np.array_equal(first, validation_mask(labels, groups, 0.2, 2))


def manifest_of(images):
    """Give a manifest of (split, class, cluster, group) of accepted images."""
    table = pd.DataFrame(images, columns=["split", "class", "cluster", "group"])
    names = table["split"] + "/" + table["class"] + "/" + table.index.astype(str)
    columns = {"path": names, "patient": "", "width": 8, "height": 8}
    return table.assign(**columns, accepted=True, reason=None)


accepted = st.lists(
    st.tuples(
        st.sampled_from(["Training", "Testing"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 40),
        st.integers(0, 12),
    ),
    min_size=30,
    max_size=150,
)


@given(accepted, st.sampled_from(["drop", "keep"]), st.integers(0, 9))
def test_no_group_is_on_two_sides_once_relatives_are_dropped(images, leakage, seed):
    # A cluster is within one group.
    images = [(split, name, 100 * group + cluster, group) for split, name, cluster, group in images]
    manifest = manifest_of(images)
    try:
        sets = split_by_folder(manifest, ["a", "b"], leakage, 0.2, seed)
    except InputError:
        return  # too few are left
    sides = {name: set(rows["group"]) for name, rows in sets.items()}
    assert not sides["train"] & sides["val"]
    assert sum(map(len, sets.values())) == len(manifest)
    testing = set(manifest.loc[manifest["split"] == "Testing", "group"])
    assert sides["test"] == testing
    if leakage == "drop":
        assert not (sides["train"] | sides["val"]) & sides["test"]
        assert sides["dropped"] <= testing
    else:
        assert sets["dropped"].empty


@settings(max_examples=40)
@given(accepted, st.integers(2, 4), st.integers(0, 9))
def test_every_image_is_tested_once_and_by_nothing_that_knows_its_group(images, folds, seed):
    images = [(split, name, 100 * group + cluster, group) for split, name, cluster, group in images]
    manifest = manifest_of(images)
    tested = []
    for fold in range(1, folds + 1):
        try:
            sets = split_folds(manifest, ["a", "b"], folds, fold, 0.2, seed)
        except InputError:
            return  # too few groups of a class
        sides = [set(sets[name]["group"]) for name in ("train", "val", "test")]
        assert sum(map(len, sides)) == len(set.union(*sides))
        assert sum(map(len, sets.values())) == len(manifest)
        tested += sets["test"]["path"].tolist()
    labels = manifest.groupby("cluster")["class"].nunique()
    assert len(tested) == len(set(tested)) == (labels == 1).sum()


def test_of_twins_the_largest_stands_for_all_and_those_under_two_labels_are_left_out():
    images = [("Training", "a", n, n) for n in range(6)] + [("Training", "b", n, n) for n in (8, 9)]
    manifest = manifest_of([*images, ("Testing", "a", 0, 0), ("Testing", "b", 1, 1)])
    manifest.loc[8, "width"] = 9  # the twin in Testing
    kept = [split_folds(manifest, ["a", "b"], 2, fold, 0.2, 1) for fold in (1, 2)]
    tested = pd.concat([sets["test"] for sets in kept])["path"].tolist()
    assert "Testing/a/8" in tested
    assert not {"Training/a/0", "Training/a/1", "Testing/b/9"} & set(tested)
    assert set(kept[0]["dropped"]["path"]) == {"Training/a/0", "Training/a/1", "Testing/b/9"}


def test_folds_hold_classes_in_proportion():
    images = [("Training", "a", n, n // 3) for n in range(300)]
    images += [("Testing", "b", n, n // 2) for n in range(1000, 1100)]
    for fold in (1, 2, 3, 4, 5):
        sets = split_folds(manifest_of(images), ["a", "b"], 5, fold, 0.2, 1)
        assert abs((sets["test"]["class"] == "a").sum() - 60) <= 3
        assert abs((sets["test"]["class"] == "b").sum() - 20) <= 3


def test_more_folds_than_a_class_has_groups_are_refused():
    images = [("Training", "a", n, n) for n in range(9)]
    images += [("Training", "b", n, 20 + n % 3) for n in range(9, 18)]
    with pytest.raises(InputError, match=r"folds is 4, but .*; b has 3"):
        split_folds(manifest_of(images), ["a", "b"], 4, 1, 0.2, 1)
    with pytest.raises(InputError, match="fold is 4, but takes 1 to 3"):
        split_folds(manifest_of(images), ["a", "b"], 3, 4, 0.2, 1)
