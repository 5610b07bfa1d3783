"""A classifier's file holds all it takes to use it, is checked, and abstains from what is far."""

import json
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest

from brain_mri.assessment.calibration import scale
from brain_mri.data.decoding import decode
from brain_mri.data.resizing import resize
from brain_mri.data.twins import ORIENTATIONS, fingerprint, turned
from brain_mri.errors import InputError
from brain_mri.models.inference import forward, predict_probabilities
from brain_mri.phantom.heads import CLASSES
from brain_mri.use import classifier, nearness
from tests.use.made_classifier import A_CLASS, DATASET, SIZE, drawn, write_classifier

ANY = {"farthest": 2.0, "confidence": 0.0}  # nothing is too far, and nothing too unsure


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_classifier(tmp_path_factory.mktemp("models"), **ANY, temperature=1.5)


def resized(slices):
    return np.stack([resize(slice_, SIZE) for slice_ in slices])


def asked(found, slices):
    return found.answer(resized(slices), np.stack([fingerprint(slice_) for slice_ in slices]))


def learned(path, source):
    """Give a training slice of a classifier."""
    return decode(path.parent / DATASET / source, 10**6).pixels


def test_the_same_model_gives_the_same_bytes(path, tmp_path):
    again = write_classifier(tmp_path, **ANY, temperature=1.5)
    assert again.read_bytes() == path.read_bytes()


def test_keras_alone_opens_the_file(path):
    keras.saving.load_model(path, compile=False)


def test_probabilities_are_those_of_the_model_at_the_cards_temperature(path):
    found, slices = classifier.read(path), drawn(5, seed=2)
    answers = asked(found, slices)
    images = classifier.as_set(resized(slices))
    plain = predict_probabilities(forward(found.model), images, 32)
    assert np.allclose(answers[list(CLASSES)], scale(plain, 1.5))
    assert list(answers["predicted"]) == list(np.array(CLASSES)[plain.argmax(axis=1)])
    tumour = answers["no_tumor"] < 0.9
    assert list(answers["decision"]) == ["tumour" if ill else "no tumour" for ill in tumour]


def test_without_a_healthy_class_nothing_is_said_of_tumours(tmp_path):
    path = write_classifier(tmp_path, **ANY, healthy_class=None, threshold=None)
    assert set(asked(classifier.read(path), drawn(3, seed=2))["decision"]) == {""}


def test_it_abstains_where_no_class_is_likely_enough(tmp_path):
    answers = asked(
        classifier.read(write_classifier(tmp_path, farthest=2.0, confidence=0.9)), drawn(3, seed=2)
    )
    assert (answers["confidence"] < 0.9).all()  # or the test says nothing
    assert set(answers["outcome"]) == {"abstained"}
    assert answers["reason"].str.startswith("no class reaches 0.9").all()
    assert set(answers["predicted"]) == set(answers["decision"]) == {""}


def test_it_abstains_from_what_is_unlike_the_training_images(path):
    found, slices = classifier.read(path), drawn(20, seed=2)
    images = classifier.as_set(resized(slices))
    settled = found.with_limit(0.75, images, images)
    answers = asked(settled, slices)
    assert (answers["outcome"] == "answered").sum() == 16  # at least three quarters of 20
    assert settled.card.abstains == {"validation": 0.2, "testing": 0.2}
    assert (answers["distance"] > settled.card.farthest).sum() == 4
    assert answers["reason"][answers["outcome"] == "abstained"].str.startswith("unlike the").all()


@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)), ids=ORIENTATIONS)
def test_a_slice_of_training_is_known_however_it_is_turned(path, orientation):
    source = "Training/pituitary_tumor/1.png"
    known, new = learned(path, source), drawn(1, seed=2)[0]
    answers = asked(classifier.read(path), [turned(known, orientation).copy(), new])
    assert list(answers["seen"]) == [source, ""]


def test_the_most_similar_training_image_of_one_is_itself(path):
    found = classifier.read(path)
    sources = found.known.index["source"]
    answers = asked(found, [learned(path, source) for source in sources])
    assert [rows[0] for rows in answers["similar"]] == list(range(4 * A_CLASS))
    assert all(len(rows) == classifier.SIMILAR for rows in answers["similar"])


def test_the_distance_is_of_directions_alone():
    known = np.eye(6)
    distances, rows = nearness.nearest(5 * known[:2], known)
    assert np.allclose(distances[:, 0], 0)
    assert np.allclose(distances[:, 1:], np.sqrt(2))  # of orthogonal unit vectors
    assert list(rows[:, 0]) == [0, 1]


@pytest.mark.parametrize("answered", [0.5, 0.9, 1])
def test_the_limit_lets_the_wanted_share_through_and_hardly_more(answered):
    distances = np.random.default_rng(1).random(200)
    inside = (distances <= nearness.limit(distances, answered)).mean()
    assert answered <= inside <= answered + 1 / 200


def rewritten(path, folder, change):
    """Copy a classifier's file with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / "other.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / "other.keras"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update({"training.csv": b"source,label\n"}), "is damaged: its parts are not"),
        (lambda m: m.update({"more.txt": b"more"}), "is damaged: its parts are not"),
        (lambda m: m.pop("features.npy"), "is no model with its card"),
        (lambda m: m.update({"features.npy": b"no array"}), "is no model with its card"),
        (lambda m: m.pop("classifier.json"), "is no model with its card"),
        (lambda m: m.update({"classifier.json": b'{"name": 1}'}), "is no model with its card"),
    ],
    ids=["part changed", "part added", "part missing", "no array", "no card", "card of nothing"],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(path, tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        classifier.read(rewritten(path, tmp_path, change))


def test_a_file_whose_features_are_not_those_that_are_measured_is_refused(path, tmp_path):
    found = classifier.read(path)
    features = np.zeros((len(found.known.index), 7), np.float16)
    other = replace(found, known=replace(found.known, features=features))
    classifier.write(tmp_path / "best.keras", other, path.parent / "model_4.keras")
    with pytest.raises(InputError, match="is of another version"):
        classifier.read(tmp_path / "best.keras")


def test_a_model_without_feature_maps_is_refused(path, tmp_path):
    pixels = keras.Input((SIZE, SIZE, 1))
    dense = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(pixels))
    keras.Model(pixels, keras.layers.Softmax()(dense)).save(tmp_path / "dense.keras")
    classifier.write(tmp_path / "best.keras", classifier.read(path), tmp_path / "dense.keras")
    with pytest.raises(InputError, match="is of another version"):
        classifier.read(tmp_path / "best.keras")


def test_a_file_of_another_kind_is_refused(tmp_path):
    for content in (b"", b"text", bytes(1000)):
        (tmp_path / "best.keras").write_bytes(content)
        with pytest.raises(InputError, match="is no model with its card"):
            classifier.read(tmp_path / "best.keras")
    with pytest.raises(InputError, match="is not there"):
        classifier.read(tmp_path / "none.keras")


def test_code_in_a_models_file_is_not_run(path, tmp_path):
    """A layer that is Python code, in a file whose digests and card are in order."""
    pixels = keras.Input((SIZE, SIZE, 1))
    flat = keras.layers.Flatten()(keras.layers.Lambda(lambda x: x)(pixels))
    hostile = keras.Model(pixels, keras.layers.Dense(4, name="logits")(flat))
    hostile.save(tmp_path / "hostile.keras")
    found = classifier.read(path)
    classifier.write(tmp_path / "best.keras", found, tmp_path / "hostile.keras")
    with pytest.raises(InputError, match="is no model that can be opened"):
        classifier.read(tmp_path / "best.keras")


def test_the_card_beside_it_must_be_of_the_same_file(tmp_path):
    path = write_classifier(tmp_path)
    card = path.with_suffix(".json")
    content = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps(content | {"sha256": "0" * 64}), encoding="utf-8")
    with pytest.raises(InputError, match="is not the file that"):
        classifier.read(path)
    card.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        classifier.read(path)
