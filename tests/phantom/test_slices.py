"""The embedded data set: heads that repeat with the seed, and twins that are where it says."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_mri.data.twins import find_twins, fingerprint
from brain_mri.errors import InputError
from brain_mri.parallel import map_in_order
from brain_mri.phantom.anatomy import VIEWS
from brain_mri.phantom.heads import CLASSES, REAL_COUNTS, plan
from brain_mri.phantom.slices import draw_dataset, draw_slice

PLANTED = {
    "reencoded": 4,
    "rescaled": 3,
    "brightened": 2,
    "turned": 2,
    "mislabelled": 3,
    "wrong_labels": 2,
}
SMALL = PLANTED | {
    "training": 40,
    "testing": 24,
    "size": 64,
    "noise": 0.02,
    "seed": 3,
    "shared_patients": 0.5,
    "shortcut": None,
}
TABLES = {"truth.csv", "patients.csv"}
TURNED = {  # what an array becomes
    "upright": lambda image: image,
    "mirrored": np.fliplr,
    "flipped": np.flipud,
    "rotated 90": np.rot90,
    "rotated 180": lambda image: np.rot90(image, 2),
    "rotated 270": lambda image: np.rot90(image, 3),
    "transposed": np.transpose,
    "transversed": lambda image: np.rot90(image, 2).T,
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


def test_an_original_does_not_depend_on_how_many_others_there_are(tmp_path):
    alone = SMALL | {"shared_patients": 0.0, "wrong_labels": 0}
    truth = draw_dataset(tmp_path / "few", **alone)
    more = draw_dataset(tmp_path / "more", **alone | {"training": 44, "testing": 28})
    originals = set(truth.path[truth.source == ""]) & set(more.path[more.source == ""])
    assert len(originals) > 30
    assert all(
        (tmp_path / "few" / path).read_bytes() == (tmp_path / "more" / path).read_bytes()
        for path in originals
    )


@pytest.mark.parametrize("label", CLASSES)
def test_slices_of_a_head_are_more_alike_than_those_of_two_heads(label):
    def drawn(head, place, own):
        generators = np.random.default_rng(head), np.random.default_rng(own)
        image = draw_slice(generators[0], label, "axial", 64, 0.02, place, generators[1])
        return np.asarray(Image.fromarray(image).resize((32, 32)), float).ravel()

    one = np.corrcoef([drawn(0, place, place + 5) for place in range(-5, 7)])
    other = np.corrcoef([drawn(head, 0, head) for head in range(12)])
    neighbours = np.diagonal(one, 1)
    assert neighbours.min() > np.median(other[np.triu_indices(12, 1)])
    assert neighbours.mean() > one[0, -1]


def test_neighbouring_slices_are_no_twins_of_each_other():
    images = [
        draw_slice(
            np.random.default_rng([head, *label.encode()]),
            label,
            plane,
            128,
            0.02,
            place,
            np.random.default_rng([head, place + 5]),
        )
        for head, plane in enumerate(VIEWS)
        for label in CLASSES
        for place in range(-5, 7)
    ]
    found = find_twins(map(fingerprint, images))
    assert len(found.pairs) == 0


def test_a_head_has_one_class_one_plane_and_no_slice_twice(phantom):
    _, truth = phantom
    originals = truth[truth["source"] == ""]
    assert (originals.groupby("patient")[["true_class", "plane"]].nunique() == 1).all(axis=None)
    assert not originals.duplicated(["patient", "slice"]).any()
    slices = originals["patient"].value_counts()
    assert slices.min() == 1
    assert 4 <= slices.max() <= 12
    assert originals["slice"].between(-5, 6).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_testing_shows_as_many_heads_of_training_as_asked(share):
    counts = {"training": 400, "testing": 100}
    truth = plan(3, **PLANTED | counts, shared_patients=share)
    testing, training = (truth[truth["split"] == split] for split in ("Testing", "Training"))
    own = testing[(testing["source"] == "") & (testing["class"] == testing["true_class"])]
    shared = own["patient"].isin(training.loc[training["source"] == "", "patient"])
    for label in CLASSES:
        of_class = own["class"] == label
        assert shared[of_class].sum() == round(share * of_class.sum())


def test_a_copy_is_of_the_patient_that_its_source_is_of(phantom):
    _, truth = phantom
    copies = truth[truth["source"] != ""]
    sources = truth.set_index("path").loc[copies["source"]]
    for column in ("patient", "true_class", "slice", "plane"):
        assert copies[column].tolist() == sources[column].tolist()


def test_the_table_of_patients_lacks_only_healthy_heads_of_one_image(phantom):
    folder, truth = phantom
    written = pd.read_csv(folder / "patients.csv")
    assert written.columns.tolist() == ["path", "patient", "origin_label"]
    true = truth.set_index("path")["true_class"]
    assert written["origin_label"].tolist() == true[written["path"]].tolist()
    named = truth.set_index("path")["patient"]
    assert written["patient"].tolist() == named[written["path"]].tolist()
    lacking = truth[~truth["path"].isin(written["path"])]
    assert len(lacking) > 0
    assert set(lacking["true_class"]) == {"no_tumor"}
    assert (named.value_counts()[lacking["patient"]] == 1).all()


def test_as_many_labels_are_wrong_as_asked(phantom):
    _, truth = phantom
    wrong = truth[(truth["class"] != truth["true_class"]) & (truth["source"] == "")]
    assert len(wrong) == SMALL["wrong_labels"]
    assert wrong["patient"].is_unique
    assert not wrong["path"].isin(truth["source"]).any()


@pytest.mark.parametrize("label", CLASSES)
def test_a_shortcut_shows_in_the_sizes_alone(tmp_path, label):
    counts = dict.fromkeys(PLANTED, 0) | {"training": 20, "testing": 20}
    truth = draw_dataset(tmp_path / "set", **SMALL | counts | {"shortcut": label})
    plain = draw_dataset(tmp_path / "plain", **SMALL | counts)
    pd.testing.assert_frame_equal(truth, plain)

    def sizes(folder):
        return [Image.open(tmp_path / folder / path).size[0] for path in truth["path"]]

    for own, size, usual in zip(truth["class"], sizes("set"), sizes("plain"), strict=True):
        assert size == (int(1.5 * usual) if own == label else usual)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"testing": 1000, "shared_patients": 1.0}, "phantom.shared_patients is 1.0, but"),
        ({"wrong_labels": 50}, "phantom.wrong_labels is 50, but"),
    ],
)
def test_what_there_are_too_few_images_for_is_refused(changes, said):
    counts = {"training": 40, "testing": 24, "shared_patients": 0.5}
    with pytest.raises(InputError, match=said):
        plan(3, **PLANTED | counts | changes)


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
    assert all(b"\r" not in (folder / name).read_bytes() for name in TABLES)
    assert set(truth["path"]) == set(contents(folder)) - TABLES
    assert (truth["path"].str.split("/").str[1] == truth["class"]).all()
    assert set(truth["plane"]) == set(VIEWS)


def test_as_many_twins_are_planted_as_asked(phantom):
    _, truth = phantom
    twins = truth[truth["source"] != ""]
    planted = {change: SMALL[change] for change in twins["change"].unique()}
    assert twins["change"].value_counts().to_dict() == planted
    assert planted.keys() == {"reencoded", "rescaled", "brightened", "turned", "mislabelled"}
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
        turned = TURNED[twin.orientation](pixels(folder / twin.source))
        assert np.corrcoef(pixels(folder / twin.path).ravel(), turned.ravel())[0, 1] > 0.99
        assert alike[twin.path].drop(twin.source).max() < 0.98


@pytest.mark.parametrize("change", ["reencoded", "rescaled", "brightened", "turned", "mislabelled"])
def test_a_twin_is_changed_as_it_says(phantom, change):
    folder, truth = phantom
    for twin in truth[truth["change"] == change].itertuples():
        with Image.open(folder / twin.path) as copy, Image.open(folder / twin.source) as source:
            assert (copy.size == source.size) == (change != "rescaled")
        shift = np.mean(pixels(folder / twin.path) - pixels(folder / twin.source))
        assert (shift > 5) == (change == "brightened")
        assert (folder / twin.path).read_bytes() != (folder / twin.source).read_bytes()


def test_turned_copies_are_turned_in_every_way_in_turn():
    truth = plan(1, training=200, testing=100, shared_patients=0.0, **PLANTED | {"turned": 8})
    counts = truth["orientation"].value_counts()
    assert counts.to_dict() == dict.fromkeys(TURNED, 1) | {"mirrored": 2, "upright": 292}
    assert (truth.loc[truth["orientation"] != "upright", "change"] == "turned").all()


def test_more_twins_than_there_are_images_to_copy_is_refused(tmp_path):
    with pytest.raises(InputError, match="twins"):
        draw_dataset(tmp_path / "phantom", **SMALL | {"testing": 60, "reencoded": 50})
    assert not (tmp_path / "phantom").exists()
