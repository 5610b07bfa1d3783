"""The command answers files and folders, and refuses what is no slice without stopping."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

from brain_mri import predict as command
from brain_mri.use import asking, classifier
from tests.conftest import ROOT, run_here
from tests.use.made_classifier import DATASET, drawn, save, write_classifier


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_classifier(tmp_path_factory.mktemp("models"), farthest=2.0, confidence=0.0)


def predict(*arguments, folder=ROOT):
    """Run the command; give its exit status, or the sentence that it ends with."""
    with pytest.raises(SystemExit) as end:
        run_here(folder, command, *arguments)
    return end.value.code


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder, with an accent and a space, of two slices and what is none."""
    folder = tmp_path_factory.mktemp("à voir") / "patient é"
    save(drawn(2, seed=2), folder / "below")
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "notes.txt").write_text("seen on Monday", encoding="utf-8")
    Image.new("L", (64, 64), 7).save(folder / "blank.png")
    Image.new("L", (1100, 1000)).save(folder / "large.png")
    Image.effect_mandelbrot((64, 64), (-2, -1, 1, 1), 20).convert("L").save(folder / ".hidden.png")
    os.mkfifo(folder / "pipe")
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    return folder


REASONS = {
    "blank.png": "blank: every pixel has the same value",
    "cut.jpg": "truncated or damaged",
    "large.png": "more than 1000000 pixels",
    "notes.txt": "not a JPEG or PNG image",
    "nowhere.png": "unreadable: no such file or directory",
    "pipe": "not a regular file",
}


def test_one_bad_file_stops_nothing_and_has_its_row_with_the_reason(path, mixed, tmp_path, capsys):
    assert predict(path, mixed, "--output", tmp_path / "answers.csv") == 3
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"8 files, 2 answered, 0 abstained, {len(REASONS)} refused")
    )
    answers = pd.read_csv(tmp_path / "answers.csv", keep_default_na=False)
    refused = answers[answers["outcome"] == "refused"]
    assert {os.path.basename(p): r for p, r in refused[["path", "reason"]].values} == REASONS
    answered = answers[answers["outcome"] == "answered"]
    assert [os.path.basename(name) for name in answered["path"]] == ["00.png", "01.png"]
    assert list(answers.columns[:6]) == [
        *("path", "outcome", "reason", "predicted", "decision", "confidence"),
    ]


def test_files_are_answered_from_any_folder_and_shown(path, tmp_path):
    save(drawn(2, seed=2), tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "brain_mri.predict", path, "01.png", "00.png"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stderr
    header, *rows = ended.stdout.splitlines()
    assert header.startswith("path,outcome,reason,predicted")
    assert [row.split(",")[0] for row in rows] == ["01.png", "00.png"]
    assert sorted(os.listdir(tmp_path)) == ["00.png", "01.png"]  # nothing is left behind


def test_a_slice_of_training_is_said_to_be_memory(path, capsys):
    source = "Training/glioma_tumor/0.png"
    assert predict(path, path.parent / DATASET / source) == 0
    said = capsys.readouterr()
    assert "1 seen in training: there the answer is memory" in said.err
    assert said.out.splitlines()[1].endswith(source)


def test_where_all_is_refused_there_are_reasons_alone(path, tmp_path, capsys):
    (tmp_path / "a.txt").touch()
    assert predict(path, tmp_path, tmp_path / "gone.png") == 3
    said = capsys.readouterr()
    assert "0 answered, 0 abstained, 2 refused" in said.err
    assert "unreadable: no such file or directory" in said.out


@pytest.mark.parametrize(
    ("model", "files", "said"),
    [
        ("none.keras", ["."], "predict: none.keras is not there"),
        ("a.txt", ["."], "predict: a.txt is no model with its card"),
        (None, ["empty"], "predict: empty holds no file"),
    ],
)
def test_what_cannot_be_used_ends_in_a_sentence(path, tmp_path, model, files, said):
    (tmp_path / "a.txt").touch()
    (tmp_path / "empty").mkdir()
    ended = predict(model or path, *files, folder=tmp_path)
    assert ended.startswith(said)
    assert "\n" not in ended


def test_many_files_get_the_answers_of_a_few(path, tmp_path, monkeypatch):
    """By other processes and block by block, in the order of their names."""
    slices = save(drawn(asking.FEW + 8, seed=3), tmp_path)
    found = classifier.read(path)
    monkeypatch.setattr(asking, "BLOCK", 7)
    many = asking.answer_files(found, asking.list_slices([tmp_path]))
    few = asking.answer_files(found, [(one, None) for one in slices[-9:]])
    assert list(many["path"]) == [str(one) for one in slices]
    columns = ["path", "outcome", "predicted", "seen"]
    pd.testing.assert_frame_equal(
        many[columns].tail(9).reset_index(drop=True), few[columns], check_exact=True
    )
