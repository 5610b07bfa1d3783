"""The recommended model in one file: what its card says is what the stages before found."""

import json
import shutil

import pytest
import yaml
from conftest import Project, stages_run

from brain_mri.data.decoding import file_digest


def read(project, name):
    return json.loads((project.folder / name).read_text(encoding="utf-8"))


def test_the_card_says_what_the_stages_before_found(project):
    card, compared = (
        read(project, name) for name in ("models/best.json", "reports/comparison/figures.json")
    )
    name = compared["recommended"]["model"]
    assert card["name"] == name
    assert card["sha256"] == file_digest(project.folder / "models/best.keras")
    found = compared["classifiers"][name]
    assert card["figures"]["testing"]["accuracy"] == found["accuracy"]
    assert card["threshold"] == compared["threshold"]["models"][name]["threshold"]
    assert card["temperature"] == compared["calibration"][name]["temperature"]
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    trained = {dep["path"]: dep["md5"] for dep in lock["stages"][f"train@{name}"]["deps"]}
    assert card["code"] | card["data"] == trained
    assert all(path.endswith(".py") for path in card["code"])
    assert set(card["abstains"]) == {"validation", "testing"}


def test_when_it_abstains_reruns_neither_training_nor_comparison(project):
    said = project.dvc("exp", "run", "-S", "select.confidence=0.9")
    assert stages_run(said) == {"select", "report"}
    assert read(project, "models/best.json")["confidence"] == 0.9


def test_figures_by_folds_stand_in_the_card_where_there_are_some(project):
    name = read(project, "models/best.json")["name"]
    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    figures = {"classifiers": {name: {"accuracy": interval}}}
    (project.folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    project.dvc("exp", "run", "-S", "select.folds=figures.json", "select")
    assert read(project, "models/best.json")["figures"]["folds"] == {"accuracy": interval}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "select.folds is 'figures.json', which is not there"),
        ('{"classifiers": {}}', "select.folds is 'figures.json', which has no figures of model_"),
        ("{", "figures.json is damaged"),
    ],
    ids=["missing", "of other models", "damaged"],
)
def test_figures_by_folds_that_cannot_be_read_end_in_a_sentence(project, content, said):
    if content:
        (project.folder / "figures.json").write_text(content, encoding="utf-8")
    project.set(select={"folds": "figures.json"})
    ended = project.dvc("repro", "select", succeeds=False)
    assert f"select: {said}" in ended


def test_another_clone_gets_the_model_from_the_remote_alone(project, tmp_path):
    project.dvc("remote", "add", "--default", "shared", str(tmp_path / "shared"))
    project.dvc("push", "models/best.keras")
    project.commit("a remote")
    project.git("tag", "--annotate", "classifier@v1.0.0", "--message", "first")
    shutil.rmtree(project.folder / ".dvc/cache")
    best = project.folder / "models/best.keras"
    sent = best.read_bytes()
    best.unlink()
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.dvc("artifacts", "get", str(project.folder), "classifier", "--out", "got.keras")
    assert (elsewhere.folder / "got.keras").read_bytes() == sent


def test_a_model_that_was_not_trained_is_not_selected(project):
    name = read(project, "models/best.json")["name"]
    path = project.folder / f"models/{name}.keras"
    path.write_bytes(path.read_bytes() + b"0")
    command = (project.folder / "dvc.yaml").read_text(encoding="utf-8").split("  select:\n")[1]
    command = yaml.safe_load(command.split("    params:")[0])["cmd"]
    said = project.run("bash", "-c", command.replace("${dataset}", "data/phantom"), succeeds=False)
    assert f"models/{name}.keras is not the model that was trained" in said
