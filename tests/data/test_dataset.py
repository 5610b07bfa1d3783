"""A data set is found as it is on disk, or the user is told in a sentence what to do."""

import pytest

from brain_mri.data.dataset import list_files, require_dataset
from brain_mri.errors import InputError


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "data" / "côté mine"
    for split in ("Training", "Testing"):
        for name in ("a", "b"):
            (folder / split / name).mkdir(parents=True)
            (folder / split / name / "1.jpg").write_bytes(b"")
    return folder


def test_a_whole_data_set_is_accepted(dataset):
    require_dataset(dataset, ["a", "b"])


def test_a_missing_folder_is_named(tmp_path):
    says = r"dataset is '.*nowhere', but there is no such folder; .* `dvc pull .*nowhere\.dvc`"
    with pytest.raises(InputError, match=says):
        require_dataset(tmp_path / "nowhere", ["a"])


def test_a_missing_class_is_named_with_its_split(dataset):
    with pytest.raises(InputError, match=r"lacks Training/c; .* 'a', 'b', 'c'"):
        require_dataset(dataset, ["a", "b", "c"])


def test_files_are_listed_in_order_and_hidden_ones_are_not(dataset):
    (dataset / "Training" / "a" / ".DS_Store").write_bytes(b"")
    (dataset / "Training" / "a" / "patient 1").mkdir()
    (dataset / "Training" / "a" / "patient 1" / "0.PNG").write_bytes(b"")
    (dataset / "Training" / "README.txt").write_bytes(b"")
    files = list_files(dataset)
    assert list(files["path"]) == [
        "Training/README.txt",
        "Training/a/1.jpg",
        "Training/a/patient 1/0.PNG",
        "Training/b/1.jpg",
        "Testing/a/1.jpg",
        "Testing/b/1.jpg",
    ]
    assert list(files["class"]) == [None, "a", "a", "b", "a", "b"]
    assert list(files["refused"]) == ["not in the folder of a class"] + [None] * 5
