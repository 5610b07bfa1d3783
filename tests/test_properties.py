"""An image set comes back as it was written, whatever its sizes, shards and names."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_mri.storage import ImageSet, read_images, read_table, write_images, write_table

# What a file system or a person may call something: all of Unicode but NUL and halves of a pair.
names = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1)
rows = st.tuples(
    names,  # source
    names,  # label
    st.integers(0, 2**31),  # group
    st.one_of(st.just(""), names),  # patient
    st.floats(1e-6, 1e6),  # weight
    st.one_of(st.just(""), names),  # transform
    st.booleans(),  # twin
    st.booleans(),  # same_patient
)


@settings(max_examples=30)
@given(st.lists(rows, min_size=1, max_size=12), st.integers(1, 400), st.integers(1, 2), st.data())
def test_an_image_set_comes_back_whatever_its_size_shards_and_names(
    tmp_path_factory, rows, size, shard_mb, data
):
    folder = tmp_path_factory.mktemp("set") / "images"
    index = pd.DataFrame(rows, columns=ImageSet.COLUMNS)
    generator = np.random.default_rng(size)
    images = generator.integers(0, 256, (len(rows), size, size), np.uint8)
    write_images(folder, index, iter(images), shard_mb)
    stored = read_images(folder)
    pd.testing.assert_frame_equal(stored.index, index, check_dtype=False, check_exact=True)
    asked = data.draw(st.lists(st.integers(0, len(rows) - 1)))  # in any order, any of them again
    assert np.array_equal(stored.images(asked), images[asked])
    for shard in folder.glob("images-*.npy"):
        assert shard.stat().st_size <= max(shard_mb * 1_000_000, images[0].nbytes) + 128


@given(st.lists(st.tuples(names, st.floats(allow_nan=False)), min_size=1))
def test_a_table_comes_back_to_the_last_digit_and_letter(tmp_path_factory, rows):
    table = pd.DataFrame(rows, columns=["path", "value"])
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_table(path, table)
    pd.testing.assert_frame_equal(
        read_table(path, table.columns), table, check_dtype=False, check_exact=True
    )
