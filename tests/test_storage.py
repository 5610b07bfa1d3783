"""An image set comes back as it was written, and nothing half-written is ever believed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_mri.errors import InputError
from brain_mri.storage import (
    ImageSet,
    read_images,
    read_table,
    scratch,
    write_images,
    write_json,
    write_table,
    write_text,
    written_aside,
)


def index_of(count):
    return pd.DataFrame(
        {
            "source": [f"Training/NA/{n}.jpg" for n in range(count)],
            "label": ["NA"] * count,  # a class named like a missing value
            "group": range(count),
            "patient": [""] * count,
            "weight": np.linspace(0.1, 1, count),
            "transform": [""] * count,
            "twin": [n % 2 == 0 for n in range(count)],
            "same_patient": [n % 2 == 0 for n in range(count)],
        }
    )


@given(st.integers(1, 12), st.integers(1, 40), st.randoms())
def test_images_come_back_by_row_in_any_order(tmp_path_factory, count, size, random):
    folder = tmp_path_factory.mktemp("set") / "images"
    images = np.random.default_rng(count).integers(0, 256, (count, size, size), np.uint8)
    write_images(folder, index_of(count), iter(images), shard_mb=1)
    stored = read_images(folder)
    rows = random.sample(range(count), count)
    assert np.array_equal(stored.images(rows), images[rows])
    pd.testing.assert_frame_equal(stored.index, index_of(count), check_dtype=False)


def test_a_large_set_is_written_in_shards_of_bounded_size(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (10, 700, 700), np.uint8)  # 0.49 MB each
    write_images(tmp_path / "set", index_of(10), iter(images), shard_mb=1)
    sizes = [path.stat().st_size for path in (tmp_path / "set").glob("images-*.npy")]
    assert len(sizes) == 5
    assert max(sizes) < 1_000_000
    assert np.array_equal(read_images(tmp_path / "set").images([9, 0, 3]), images[[9, 0, 3]])


def test_the_same_set_is_written_in_the_same_bytes(tmp_path):
    images = np.zeros((3, 8, 8), np.uint8)
    for name in ("a", "b"):
        write_images(tmp_path / name, index_of(3), iter(images), shard_mb=1)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_failed_write_leaves_the_old_output_and_nothing_else(tmp_path):
    write_text(tmp_path / "report.md", "old\n")

    def fail():
        with written_aside(tmp_path / "report.md") as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "old\n"


def test_a_set_with_too_few_images_is_never_put_in_place(tmp_path):
    with pytest.raises(ValueError, match="3 rows in the index, 2 images"):
        write_images(tmp_path / "set", index_of(3), iter(np.zeros((2, 8, 8), np.uint8)), 1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_behind_is_replaced(tmp_path):
    (tmp_path / ".set.partial").mkdir()
    (tmp_path / ".set.partial" / "index.csv").write_text("half")
    write_images(tmp_path / "set", index_of(2), iter(np.zeros((2, 8, 8), np.uint8)), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_scratch_folder_is_empty_at_first_and_gone_at_the_end_even_of_a_failure(tmp_path):
    left = tmp_path / ".manifest.csv.partial.scratch" / "of a killed run"
    left.mkdir(parents=True)

    def fail():
        with scratch(tmp_path / "manifest.csv") as folder:
            assert list(folder.iterdir()) == []
            (folder / "fingerprints").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncate", "remove", "index", "no index"])
def test_a_damaged_set_is_refused_with_the_way_to_mend_it(tmp_path, damage):
    folder = tmp_path / "set"
    write_images(folder, index_of(4), iter(np.ones((4, 8, 8), np.uint8)), 1)
    shard, index = folder / "images-00000.npy", folder / "index.csv"
    match damage:
        case "truncate":
            shard.write_bytes(shard.read_bytes()[:-10])
        case "remove":
            shard.unlink()
        case "index":
            index.write_text("\n".join(index.read_text().splitlines()[:-1]) + "\n")
        case "no index":
            index.write_text("label\nNA\n")
    with pytest.raises(InputError, match="dvc repro --force"):
        read_images(folder)


def test_tables_and_json_have_unix_line_ends_and_keep_every_digit(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"x": [0.1 + 0.2]}))
    assert (tmp_path / "t.csv").read_bytes() == b"x\n0.30000000000000004\n"
    write_json(tmp_path / "j.json", {"é": 1})
    assert (tmp_path / "j.json").read_bytes() == '{\n  "é": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "j.json", {"loss": float("nan")})


def test_a_class_may_be_named_like_a_number_or_a_missing_value(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"class": ["01", "NA", "null", "1e3"]}))
    assert list(read_table(tmp_path / "t.csv", ["class"])["class"]) == ["01", "NA", "null", "1e3"]


def test_a_table_without_a_column_is_refused(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"x": [1]}))
    with pytest.raises(InputError, match="lacks y"):
        read_table(tmp_path / "t.csv", ["x", "y"])


def test_an_image_set_knows_its_size(tmp_path):
    write_images(tmp_path / "set", index_of(2), iter(np.zeros((2, 8, 8), np.uint8)), 1)
    stored = read_images(tmp_path / "set")
    assert isinstance(stored, ImageSet)
    assert (len(stored), stored.size) == (2, 8)
