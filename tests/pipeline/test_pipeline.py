"""DVC as its users use it: each command of README, run by the real DVC on small data."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import MODELS, stages_run
from PIL import Image

from brain_mri.assessment.references import REFERENCES
from tests.faults import write_dataset


def of(stage, models):
    return {f"{stage}@{name}" for name in models}


def test_the_committed_lock_is_that_of_the_committed_code():
    """A change of code or parameters without a new `dvc repro` would leave old figures in Git."""
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for stage, changes in json.loads(said).items():
        for change in changes:
            assert change != "changed command", stage
            # In a clean clone data, models and pictures are not there yet, and that is all.
            found = {**change.get("changed deps", {}), **change.get("changed outs", {})}
            assert set(found.values()) <= {"deleted", "not in cache"}, (stage, change)


def test_repro_runs_every_stage_once_and_then_nothing(reproduced):
    ran = stages_run(reproduced.said)
    once = {"phantom", "check", "audit", "prepare", "balance", "compare", "select", "report"}
    assert ran == once | of("train", MODELS) | of("evaluate", MODELS)
    assert stages_run(reproduced.dvc("repro")) == set()
    assert json.loads(reproduced.dvc("status", "--json")) == {}


def test_every_stage_says_what_it_did_in_one_line_and_tensorflow_says_nothing(reproduced):
    own = re.compile(r"^[a-z]+(@\w+)?: .* \(\d+\.\d s\)$")
    dvcs = (
        "Running stage",
        "> python",
        "Updating lock",
        "Generating lock",
        "To track",
        "\tgit add",
    )
    dvcs += ("To enable auto", "\tdvc config", "Use `dvc push`")
    lines = [line for line in reproduced.said.splitlines() if line and not line.startswith(dvcs)]
    assert [line for line in lines if not own.match(line)] == []
    assert len(lines) == len(stages_run(reproduced.said))


def test_the_audit_finds_the_planted_twins(reproduced):
    truth = pd.read_csv(reproduced.folder / "data/phantom/truth.csv", keep_default_na=False)
    manifest = pd.read_csv(reproduced.folder / "data/audit/manifest.csv").set_index("path")
    clusters = manifest["cluster"]
    planted = {
        frozenset(pair) for pair in truth.loc[truth["source"] != "", ["path", "source"]].values
    }
    found = {
        frozenset(group) for group in clusters.groupby(clusters).groups.values() if len(group) > 1
    }
    assert found == planted
    audit = json.loads((reproduced.folder / "reports/audit/findings.json").read_text())
    assert audit["label_conflicts"] == {"clusters": 2, "images": 4}
    assert audit["twins"]["testing_with_twin_in_training"] == 12


def test_no_twin_of_testing_is_trained_on_and_none_is_split_by_validation(reproduced):
    sets = {
        name: pd.read_csv(reproduced.folder / f"data/prepared/{name}/index.csv")
        for name in ("train", "val", "test")
    }
    clusters = {name: set(index["group"]) for name, index in sets.items()}
    assert not clusters["train"] & clusters["test"]
    assert not clusters["val"] & clusters["test"]
    assert not clusters["train"] & clusters["val"]
    assert len(sets["test"]) == 40  # Testing is never dropped from
    assert sets["test"]["twin"].sum() == 12


def test_a_synthetic_image_names_its_source(reproduced):
    index = pd.read_csv(
        reproduced.folder / "data/balanced/augment/index.csv", keep_default_na=False
    )
    synthetic = index[index["transform"] != ""]
    originals = set(index.loc[index["transform"] == "", "source"])
    assert len(synthetic) > 0
    assert set(synthetic["source"]) <= originals
    assert synthetic["transform"].str.startswith("rotation=").all()
    assert index["label"].value_counts().nunique() == 1


def test_no_wall_clock_time_is_an_output_of_a_stage(reproduced):
    assert "timing" not in (reproduced.folder / "dvc.lock").read_text()
    shown = json.loads(reproduced.dvc("metrics", "show", "--json"))[""]["data"]
    for name in MODELS:
        assert shown[f"reports/timing/{name}.json"]["data"][name]["seconds"] > 0


def test_metrics_are_the_few_figures_that_a_person_compares(reproduced):
    shown = json.loads(reproduced.dvc("metrics", "show", "--json"))[""]["data"]
    names = {key for found in shown.values() for key in flat(found["data"])}
    figures = ("accuracy", "macro_f1", "loss", "macro_auc", "sensitivity", "seconds")
    data = {"data.files", "data.refused", "data.twins_across", "data.patients_across"}
    images = {f"images.{name}" for name in ("train", "val", "test", "dropped")}
    others = {"recommended", *(f"{name}.accuracy" for name in REFERENCES)}
    assert names == {f"{m}.{f}" for m in MODELS for f in figures} | data | images | others
    predictions = pd.read_csv(reproduced.folder / "reports/predictions/model_1.csv")
    right = (predictions["actual"] == predictions["predicted"]).mean()
    metrics = shown["reports/metrics/model_1.json"]["data"]["model_1"]
    assert metrics["accuracy"] == pytest.approx(right)
    assert list(predictions.columns[:4]) == ["path", "group", "actual", "predicted"]
    assert np.allclose(predictions.iloc[:, 4:].sum(axis=1), 1)


def flat(content, prefix=""):
    """Name nested values as DVC does."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_the_mistakes_shown_are_those_that_a_model_was_surest_of(reproduced):
    for name in MODELS:
        answers = pd.read_csv(reproduced.folder / f"reports/predictions/{name}.csv")
        wrong = answers[answers["actual"] != answers["predicted"]]
        surest = wrong.iloc[:, 4:].max(axis=1).sort_values(ascending=False)
        folder = reproduced.folder / f"reports/pictures/mistakes/{name}"
        shown = pd.read_csv(folder / "index.csv")
        assert (shown["actual"] != shown["predicted"]).all()
        assert shown["confidence"].tolist() == pytest.approx(surest.head(8).tolist())
        assert set(shown["path"]) <= set(wrong["path"])
        assert all((folder / file).is_file() for file in shown["file"])


def test_the_graph_is_drawn(reproduced):
    said = reproduced.dvc("dag")
    for name in ("phantom", "audit", "prepare", "balance", "train@model_3", "report"):
        assert name in said


def test_names_that_look_like_other_types_stay_names_by_hand_by_override_and_in_the_queue(
    reproduced, tmp_path
):
    project = reproduced.copy(tmp_path / "my project")  # DVC's queue fails below an accent
    write_dataset(project.folder / "data/mine", classes=("yes", "no", "1", "2"))
    project.dvc("add", "data/mine")
    project.set(dataset="data/mine", patients=None, classes=["yes", "no"], healthy_class="no")
    check = ("exp", "run", "--single-item", "--force", "check")

    def checked():
        return json.loads((project.folder / "data/dataset.json").read_text("utf-8"))["classes"]

    parameters = project.folder / "params.yaml"
    quoted = re.sub(r"(- |class: )(yes|no)$", r"\1'\2'", parameters.read_text("utf-8"), flags=re.M)
    assert quoted.count("'") == 6
    parameters.write_text(quoted, "utf-8")
    project.commit("a folder of one's own")
    project.dvc(*check, "-S", "seed=2")
    assert "- yes\n" in parameters.read_text("utf-8")  # DVC has written it anew
    assert checked() == ["yes", "no"]
    project.dvc(*check, "-S", "classes=['1','2']", "-S", "healthy_class='2'")
    assert checked() == ["1", "2"]
    said = project.dvc(*check, "-S", "classes=[1,2]", succeeds=False)
    assert "classes.0 is 1, but takes text" in said
    project.git("restore", ".")
    project.dvc("exp", "run", "--queue", "-S", "classes=['2',no]", "audit")
    assert "audit: 40 files, 20 refused" in project.dvc("exp", "run", "--run-all")


def test_the_report_is_written_in_french_by_one_parameter(project):
    said = project.dvc("exp", "run", "--set-param", "language=fr")
    assert stages_run(said) == {"report"}
    page = (project.folder / "reports/index.html").read_text(encoding="utf-8")
    assert '<html lang="fr"' in page
    assert "intervalle" in page


def test_the_comparison_is_of_every_classifier(reproduced):
    path = reproduced.folder / "reports/comparison/figures.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["recommended"]["model"] in MODELS
    assert list(found["classifiers"]) == [*MODELS, *REFERENCES]
    for name in MODELS:
        path = reproduced.folder / f"reports/metrics/{name}.json"
        metrics = json.loads(path.read_text(encoding="utf-8"))[name]
        accuracy = found["classifiers"][name]["accuracy"]
        assert accuracy["value"] == pytest.approx(metrics["accuracy"])
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert len(found["pairs"]) == 1 + 2 * len(REFERENCES)


def test_folds_test_every_slice_once_and_no_patient_is_on_two_sides(project):
    tested = []
    for fold in (1, 2):
        project.set(split="folds", folds=2, fold=fold)
        assert "prepare" in stages_run(project.dvc("repro", "prepare"))
        sets = {
            name: pd.read_csv(project.folder / f"data/prepared/{name}/index.csv")
            for name in ("train", "val", "test")
        }
        groups = [set(index["group"]) for index in sets.values()]
        assert sum(map(len, groups)) == len(set.union(*groups))
        tested += sets["test"]["source"].tolist()
    manifest = pd.read_csv(project.folder / "data/audit/manifest.csv")
    labels = manifest.groupby("cluster")["class"].nunique()
    assert len(tested) == len(set(tested)) == (labels == 1).sum()


def test_the_patients_table_decides_what_is_left_out_and_a_change_of_it_reruns_the_audit(project):
    def dropped():
        splits = json.loads((project.folder / "reports/splits.json").read_text("utf-8"))
        return splits["images"]["dropped"]

    by_patient = dropped()
    project.set(patients=None)
    said = project.dvc("repro", "prepare")
    assert "(patients are not known)" in said
    assert dropped() < by_patient
    own = pd.read_csv(project.folder / "data/phantom/patients.csv")
    own.to_csv(project.folder / "data/mine.csv", index=False)
    project.set(patients="data/mine.csv")
    project.dvc("repro", "prepare")
    assert dropped() == by_patient
    own[own["path"].str.startswith("Training")].to_csv(
        project.folder / "data/mine.csv", index=False
    )
    assert {"audit", "prepare"} <= stages_run(project.dvc("repro", "prepare"))
    assert dropped() < by_patient


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("activation=sigmod", "activation is 'sigmod', but should be 'relu', 'tanh' or 'sigmoid'"),
        ("train.epochs=-1", "train.epochs is -1, but should be greater than or equal to 1"),
        ("dataset=nowhere", "dataset is 'nowhere', but there is no such folder"),
        ("dataset=data/sartaj", "`make sartaj` brings the public set"),
    ],
)
def test_a_mistyped_value_ends_before_any_work(project, override, says):
    said = project.dvc("exp", "run", "--set-param", override, succeeds=False)
    assert says in said
    assert len(stages_run(said)) == 1


def test_a_mistyped_key_is_refused_by_dvc(project):
    said = project.dvc("exp", "run", "--set-param", "activaton=relu", succeeds=False)
    assert "activaton" in said
    assert stages_run(said) == set()


def test_a_folder_of_ones_own_with_other_classes_is_benchmarked(project):
    generator = np.random.default_rng(0)
    for split, count in (("Training", 12), ("Testing", 5)):
        for number, name in enumerate(["cat", "dog & bird"]):
            folder = project.folder / "data/my slices é" / split / name
            folder.mkdir(parents=True)
            for image in range(count):
                pixels = generator.integers(0, 100, (8, 10), np.uint8) + 100 * number
                enlarged = Image.fromarray(pixels.astype(np.uint8)).resize((50, 40))
                enlarged.save(folder / f"{image}.png")
    (project.folder / "data/my slices é/Training/cat/notes.txt").write_text("of the scanner")
    (project.folder / "data/my slices é/Training/horse").mkdir()
    enlarged.save(project.folder / "data/my slices é/Training/horse/0.png")
    project.set(
        dataset="data/my slices é", patients=None, classes=["cat", "dog & bird"], healthy_class=None
    )
    project.dvc("add", "data/my slices é")
    ran = stages_run(project.dvc("repro", "prepare"))
    assert ran == {"check", "audit", "prepare"}
    audit = json.loads((project.folder / "reports/audit/findings.json").read_text())
    assert audit["refused_by_reason"] == {
        "its folder is not one of the classes": 1,
        "not a JPEG or PNG image": 1,
    }
    splits = pd.read_csv(project.folder / "reports/splits.csv").set_index(["set", "class"])
    assert splits.loc[("test", "dog & bird"), "images"] == 5


def test_the_public_set_is_brought_by_make_from_a_repository_and_bothers_dvc_no_more(
    project, tmp_path
):
    """A local repository stands in for the public one."""
    public = tmp_path / "public"
    for split in ("Training", "Testing"):
        (public / split / "glioma_tumor").mkdir(parents=True)
        (public / split / "glioma_tumor" / "gg (1).jpg").write_bytes(split.encode())
    stand_in = type(project)(public)
    stand_in.git("init", "--quiet")
    stand_in.commit("the set")
    revision = stand_in.git("rev-parse", "HEAD").strip()
    (stand_in.folder / "Testing/glioma_tumor/gg (1).jpg").unlink()
    stand_in.commit("later, one less")
    make = ("make", "--old-file=.venv/installed", "sartaj", f"SARTAJ_URL=file://{public}")
    assert "nowhere" in project.run(*make, "SARTAJ_REV=nowhere", succeeds=False)
    assert not (project.folder / "data/sartaj").exists()
    project.run(*make, f"SARTAJ_REV={revision}")
    assert (project.folder / "data/sartaj/Testing/glioma_tumor/gg (1).jpg").is_file()
    project.run(*make, f"SARTAJ_REV={revision}")
    assert json.loads(project.dvc("status", "--json")) == {}
    assert project.git("status", "--short") == ""
