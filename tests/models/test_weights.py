"""Pretrained weights are read without running anything, and what is none is refused."""

import collections
import os
import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from brain_mri.errors import InputError
from brain_mri.models import building, weights

FILE = weights.packaged("efficientnet_lite0")


def build(path, size=64):
    """Build the network that the file is for, from a path or `imagenet`."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy("float32")
    how = {"dropout": 0.0, "frozen": 0, "weights": str(path)}
    return building.build("efficientnet_lite0", size, 4, **how)


def test_the_network_sees_what_pytorchs_sees():
    """Known answers of the PyTorch network, by efficientnet_lite0.py beside this file."""
    expected = np.loadtxt(
        Path(__file__).with_name("efficientnet_lite0.csv"), delimiter=",", skiprows=1
    )
    model = build("imagenet")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
    backbone = building.backbone(model)
    features = keras.Model(model.input, building.output_of(model, backbone))
    found = features(pixels[..., np.newaxis], training=False).numpy()
    assert np.abs(found - expected.T).max() < 1e-4


def test_another_file_of_the_same_weights_gives_the_same(tmp_path):
    shutil.copy(FILE, tmp_path / "mine.pth")
    ours, theirs = build("imagenet").get_weights(), build(tmp_path / "mine.pth").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(ours[:-2], theirs[:-2], strict=True))


class Hostile:
    """Pickled, it calls a function of the system when it is read."""

    def __reduce__(self):
        return os.mkdir, ("read-and-run",)


def parts(content):
    """Write pickles one after the other, as the file does."""
    return b"".join(pickle.dumps(part, protocol=2) for part in content)


HEAD = [weights.MAGIC, weights.VERSION, {}]
BROKEN = {
    "hostile": (parts([*HEAD, Hostile()]), "it names posix.mkdir, which no tensor needs"),
    "hostile at once": (parts([Hostile()]), "it names posix.mkdir"),
    "empty": (b"", "Ran out of input"),
    "text": (b"weights\n", "does not hold the weights"),
    "another pickle": (parts([[1, 2]]), "is not of PyTorch's format of before 2020"),
    "no tensors": (parts([*HEAD, collections.OrderedDict(), []]), "it has 0 weights, but the"),
    "cut": (FILE.read_bytes()[:10_000_000], "does not hold the weights"),
    "cut in the names": (FILE.read_bytes()[:5_000], "does not hold the weights"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_none_is_refused_in_a_sentence(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, said = BROKEN[kind]
    Path("given.pth").write_bytes(content)
    with pytest.raises(
        InputError, match="which does not hold the weights of efficientnet_lite0"
    ) as e:
        build("given.pth")
    assert said in str(e.value)
    assert "\n" not in str(e.value)
    assert not Path("read-and-run").exists()


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (b"(K K\x03K\x03K\x01t", r"a weight \(3, 1, 3, 32\) where the network has \(3, 3, 3, 32\)"),
        (b"(K K\x1bK\x03K\x03t", "a tensor that lies outside of its numbers"),
    ],
)
def test_a_tensor_of_another_size_is_refused(size, said, tmp_path):
    """The file itself, with other numbers where the stem's 32 x 3 x 3 x 3 kernel has its size."""
    content = FILE.read_bytes()
    at = content.index(b"(K K\x03K\x03K\x03t", content.index(b"_conv_stem.weight"))
    (tmp_path / "other.pth").write_bytes(content[:at] + size + content[at + len(size) :])
    with pytest.raises(InputError, match=said):
        build(tmp_path / "other.pth")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="but there is no such file; it takes none, imagenet"):
        build(tmp_path / "nowhere.pth")


def test_frozen_layers_are_kept_and_the_others_learn():
    keras.utils.clear_session()
    how = {"dropout": 0.0, "weights": "imagenet"}
    whole = building.build("efficientnet_lite0", 32, 2, frozen=0, **how)
    lower = building.build("efficientnet_lite0", 32, 2, frozen=70, **how)
    head = building.build("efficientnet_lite0", 32, 2, frozen="all", **how)
    counts = [len(model.trainable_variables) for model in (whole, lower, head)]
    assert counts[0] > counts[1] > counts[2] == 2
    frozen = building.backbone(lower).layers[:70]
    assert not any(layer.trainable_variables for layer in frozen)
