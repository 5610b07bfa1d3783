"""The embedded data set: heads that repeat with the seed, and twins that are where it says."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_mri.errors import InputError
from brain_mri.parallel import map_in_order
from brain_mri.phantom.anatomy import VIEWS
from brain_mri.phantom.slices import REAL_COUNTS, draw_dataset, draw_slice

CLASSES = list(REAL_COUNTS["Training"])
SMALL = {
    "training": 40,
    "testing": 24,
    "size": 64,
    "noise": 0.02,
    "seed": 3,
    "reencoded": 4,
    "rescaled": 3,
    "brightened": 2,
    "mislabelled": 3,
}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("data") / "phantom"
    return folder, draw_dataset(folder, **SMALL)


def pixels(path: Path, size: int = 32) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((size, size)), float)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("plane", VIEWS)
@pytest.mark.parametrize("label", CLASSES)
def test_every_class_shows_in_every_plane(label, plane):
    for seed in range(3):
        image = draw_slice(np.random.default_rng(seed), label, plane, size=64, noise=0.02)
        assert image.shape == (64, 64)
        assert image.dtype == np.uint8
        assert np.ptp(image) > 100


@pytest.mark.parametrize("label", [label for label in CLASSES if label != "no_tumor"])
def test_a_tumour_is_brighter_than_any_healthy_brain(label):
    def brightest(label):
        slices = (
            draw_slice(np.random.default_rng(seed), label, "axial", size=64, noise=0)
            for seed in range(10)
        )
        return np.mean([np.percentile(image, 99) for image in slices])

    assert brightest(label) > brightest("no_tumor") + 20


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(phantom, tmp_path):
    folder, _ = phantom
    draw_dataset(tmp_path / "again", **SMALL, apply=partial(map_in_order, title="phantom"))
    assert contents(tmp_path / "again") == contents(folder)


def test_another_seed_gives_other_images(phantom, tmp_path):
    folder, _ = phantom
    draw_dataset(tmp_path / "other", **SMALL | {"seed": 4})
    assert set(contents(tmp_path / "other").values()).isdisjoint(contents(folder).values())


def test_an_original_does_not_depend_on_how_many_others_there_are(phantom, tmp_path):
    folder, truth = phantom
    more = draw_dataset(tmp_path / "more", **SMALL | {"training": 44, "testing": 28})
    originals = set(truth.path[truth.source == ""]) & set(more.path[more.source == ""])
    assert len(originals) > 30
    assert all(
        (folder / path).read_bytes() == (tmp_path / "more" / path).read_bytes()
        for path in originals
    )


def test_classes_keep_the_proportions_of_the_real_set(phantom):
    _, truth = phantom
    for split, total in (("Training", 40), ("Testing", 24)):
        counts = truth[truth["split"] == split]["class"].value_counts()
        assert counts.sum() == total
        for label, real in REAL_COUNTS[split].items():
            share = real / sum(REAL_COUNTS[split].values())
            assert abs(counts[label] - share * total) < 1


def test_the_truth_on_disk_names_every_file(phantom):
    folder, truth = phantom
    written = pd.read_csv(folder / "truth.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, truth)
    assert b"\r" not in (folder / "truth.csv").read_bytes()
    assert set(truth["path"]) == set(contents(folder)) - {"truth.csv"}
    assert (truth["path"].str.split("/").str[1] == truth["class"]).all()
    assert set(truth["plane"]) == set(VIEWS)


def test_as_many_twins_are_planted_as_asked(phantom):
    _, truth = phantom
    twins = truth[truth["source"] != ""]
    planted = {change: SMALL[change] for change in twins["change"].unique()}
    assert twins["change"].value_counts().to_dict() == planted
    assert planted.keys() == {"reencoded", "rescaled", "brightened", "mislabelled"}
    in_training = twins[twins["split"] == "Training"]
    assert in_training["change"].tolist() == ["mislabelled"]


def test_a_source_is_a_training_original_and_is_copied_once(phantom):
    _, truth = phantom
    twins = truth[truth["source"] != ""]
    sources = truth.set_index("path").loc[twins["source"]]
    assert twins["source"].is_unique
    assert (sources["split"] == "Training").all()
    assert (sources["source"] == "").all()
    same = sources["class"].to_numpy() == twins["class"].to_numpy()
    assert (same == (twins["change"] != "mislabelled")).all()


def test_a_twin_looks_like_its_source_and_like_no_other_image(phantom):
    folder, truth = phantom
    images = np.stack([pixels(folder / path).ravel() for path in truth["path"]])
    others = np.corrcoef(images) - np.eye(len(images))
    alike = pd.DataFrame(others, index=truth["path"], columns=truth["path"])
    for twin in truth[truth["source"] != ""].itertuples():
        assert alike.at[twin.path, twin.source] > 0.99
        assert alike[twin.path].drop(twin.source).max() < 0.98


@pytest.mark.parametrize("change", ["reencoded", "rescaled", "brightened", "mislabelled"])
def test_a_twin_is_changed_as_it_says(phantom, change):
    folder, truth = phantom
    for twin in truth[truth["change"] == change].itertuples():
        with Image.open(folder / twin.path) as copy, Image.open(folder / twin.source) as source:
            assert (copy.size == source.size) == (change != "rescaled")
        shift = np.mean(pixels(folder / twin.path) - pixels(folder / twin.source))
        assert (shift > 5) == (change == "brightened")
        assert (folder / twin.path).read_bytes() != (folder / twin.source).read_bytes()


def test_more_twins_than_there_are_images_to_copy_is_refused(tmp_path):
    with pytest.raises(InputError, match="twins"):
        draw_dataset(tmp_path / "phantom", **SMALL | {"testing": 60, "reencoded": 50})
    assert not (tmp_path / "phantom").exists()
