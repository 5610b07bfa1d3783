"""The scripts that ask somebody else's model write what it says, and end in a sentence else."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests import faults

ROOT = Path(__file__).parents[2]
CLASSES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Slices of two classes, with a file that is no image among them."""
    folder = tmp_path_factory.mktemp("set")
    faults.write_dataset(folder, training=1, testing=3)
    (folder / "Testing/a/notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """A model that gives the logits 0, m and 2m, of the mean m of an image."""
    import keras

    pixels = keras.Input((32, 32, 1))
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    dense = keras.layers.Dense(3, use_bias=False, name="dense")
    model = keras.Model(pixels, dense(mean))
    dense.set_weights([np.array([[0, 1, 2]])])
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


def ask(script, *arguments, succeeds=True, cwd=ROOT):
    ended = subprocess.run(
        [sys.executable, str(ROOT / f"tools/answers_from_{script}.py"), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode == 0) == succeeds, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


def options(output, *more, scale="unit"):
    shown = ["--output", output, "--classes", ",".join(CLASSES), "--size", 32]
    return [*shown, "--colours", "grey", "--scale", scale, *more]


def means(dataset, table):
    """Give the mean grey, 0 to 1, of each slice of a table of answers, made small as asked."""
    from PIL import Image

    found = []
    for path in table["path"]:
        image = Image.open(dataset / path).convert("L").resize((32, 32), Image.Resampling.BILINEAR)
        found.append(np.asarray(image).mean() / 255)
    return np.array(found)


def test_a_keras_file_is_asked_with_the_preprocessing_that_is_named(dataset, keras_file, tmp_path):
    output = tmp_path / "answers.csv"
    said = ask("keras", keras_file, dataset, *options(output, "--logits"), cwd=tmp_path)
    assert "6 answers in" in said
    assert "1 files are no image" in said
    table = pd.read_csv(output)
    assert list(table) == ["path", *CLASSES]
    odds = np.log(table["b"] / table["a"])
    assert odds.to_numpy() == pytest.approx(means(dataset, table), abs=1e-4)
    ask("keras", keras_file, dataset, *options(output, "--logits", scale="tf"), cwd=tmp_path)
    odds = np.log(pd.read_csv(output)["b"] / pd.read_csv(output)["a"])
    assert odds.to_numpy() == pytest.approx(2 * means(dataset, table) - 1, abs=1e-4)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "if it ends before the softmax, say --logits"),
        (["--logits", "--classes", "a,b"], "but --classes names 2"),
        (["--logits", "--size", "16", "--colours", "rgb"], "the model takes other images"),
        (["--logits", "--scale", "caffe"], "take --colours rgb"),
    ],
)
def test_what_does_not_fit_the_model_ends_in_a_sentence(dataset, keras_file, tmp_path, more, says):
    output = tmp_path / "answers.csv"
    said = ask("keras", keras_file, dataset, *options(output, *more), succeeds=False, cwd=tmp_path)
    assert says in said
    assert not output.exists()


def test_a_keras_file_that_holds_code_is_not_run(dataset, tmp_path):
    path = tmp_path / "hostile.keras"
    faults._keras(path, hostile=True)
    arguments = options(tmp_path / "answers.csv")
    said = ask("keras", path, dataset, *arguments, succeeds=False, cwd=tmp_path)
    assert "is no model that can be opened without running code in it" in said
    assert not (tmp_path / "ran").exists()


def varint(number: int) -> bytes:
    """Write a number as Protocol Buffers do, of which an ONNX file is made."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, value: int | bytes | str) -> bytes:
    """Write a field of a message: a number, a text or another message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, *sides: str | int) -> bytes:
    """Describe a tensor of float32 with sides of a number, or of a name where it is open."""
    shape = b"".join(
        field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in sides
    )
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def onnx_file(path: Path) -> None:
    """Write a model that gives the softmax of the mean of each of three colours."""
    axes = field(5, field(1, "axes") + field(8, 1) + field(8, 2) + field(20, 7))
    keep = field(5, field(1, "keepdims") + field(3, 0) + field(20, 2))
    mean = field(1, "x") + field(2, "mean") + field(4, "ReduceMean") + axes + keep
    soft = field(1, "mean") + field(2, "y") + field(4, "Softmax")
    graph = field(1, mean) + field(1, soft) + field(2, "g")
    graph += field(11, tensor("x", "n", 32, 32, 3)) + field(12, tensor("y", "n", 3))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))


def test_an_onnx_file_is_asked(dataset, tmp_path):
    pytest.importorskip("onnxruntime")
    onnx_file(tmp_path / "model.onnx")
    output = tmp_path / "answers.csv"
    arguments = options(output, "--colours", "rgb")
    ask("onnx", tmp_path / "model.onnx", dataset, *arguments, cwd=tmp_path)
    table = pd.read_csv(output)
    assert len(table) == 6
    assert table[CLASSES].to_numpy() == pytest.approx(1 / 3)  # grey: all colours are the same
    arguments = options(output, "--colours", "rgb", scale="caffe")
    ask("onnx", tmp_path / "model.onnx", dataset, *arguments, cwd=tmp_path)
    blue, red = pd.read_csv(output)[["a", "c"]].to_numpy().T
    assert np.log(blue / red) == pytest.approx(123.68 - 103.939, abs=1e-2)


def test_what_is_no_onnx_file_ends_in_a_sentence(dataset, tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    arguments = [tmp_path / "model.onnx", dataset, *options(tmp_path / "answers.csv")]
    assert "is no ONNX model that can be opened" in ask(
        "onnx", *arguments, succeeds=False, cwd=tmp_path
    )


FUNCTIONS = """
def brighter(path):
    from PIL import Image
    if path.endswith(".txt"):
        return None
    share = sum(Image.open(path).convert("L").histogram()[128:]) / (48 * 64)
    return {"a": share, "b": 1 - share}

def fails(path):
    raise KeyError("no\\nweights")

def changes(path, seen=[]):
    seen.append(path)
    return {"a": 0.5, "b": 0.5} if len(seen) < 3 else {"a": 1.0}
"""


def test_a_function_is_asked(dataset, tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    output = tmp_path / "answers.csv"
    said = ask("callable", "mine.py:brighter", dataset, "--output", output, cwd=tmp_path)
    assert "6 answers in" in said
    assert pd.read_csv(output)[["a", "b"]].sum(axis=1).to_numpy() == pytest.approx(1)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("mine.py:fails", "the function ends with KeyError"),
        ("mine.py:changes", "mine.py:changes gives a for"),
        ("mine.py:absent", "mine.py:absent cannot be imported"),
        ("absent.py:f", "absent.py:f cannot be imported"),
        ("mine.py", "names no function"),
    ],
)
def test_a_function_that_does_not_answer_ends_in_a_sentence(dataset, tmp_path, function, says):
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    arguments = [function, dataset, "--output", tmp_path / "answers.csv"]
    assert says in ask("callable", *arguments, succeeds=False, cwd=tmp_path)


def test_the_example_of_the_study_is_made_by_the_command_of_its_document(tmp_path):
    committed = pd.read_csv(ROOT / "studies/judge/answers/neighbours.csv")
    faults.write_dataset(tmp_path / "set", classes=committed_classes())
    function = ROOT / "studies/judge/example.py:neighbours"
    ask("callable", function, "set", "--output", "answers.csv", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "answers.csv")
    assert list(table) == list(committed)
    assert len(table) == 16


def committed_classes():
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["classes"]
