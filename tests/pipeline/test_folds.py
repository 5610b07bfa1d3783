"""Folds together: every image once, by models that never saw it, with labels that may be wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score

from brain_mri.assessment.references import REFERENCES
from brain_mri.storage import read_json, write_images, write_table
from stages import folds
from tests.conftest import manifest_of, run_here

ROOT = Path(__file__).parents[2]
CLASSES = ["glioma", "none"]
MODELS = {"good": 5.0, "poor": 0.3}
WRONG = (4, 17, 30)  # images of the first fold's test set whose label is wrong


def write_set(folder, start, count, generator, wrong=()):
    """Write an image set of patients with two slices each, whose classes differ in brightness."""
    labels = np.arange(count) // 2 % 2
    pixels = generator.integers(0, 60, (count, 32, 32)) + 90 * labels[:, None, None]
    labels = np.where(np.isin(np.arange(count), wrong), 1 - labels, labels)
    patients = [f"p{(start + n) // 2}" if n % 10 else "" for n in range(count)]
    index = pd.DataFrame(
        {
            "source": [f"Training/{CLASSES[k]}/{start + n}.png" for n, k in enumerate(labels)],
            "label": [CLASSES[label] for label in labels],
            "group": start + np.arange(count) // 2,
            "patient": patients,
            "weight": 1.0,
            "transform": "",
            "twin": False,
            "same_patient": False,
        }
    )
    write_images(folder, index, pixels.astype(np.uint8), shard_mb=1)
    return index, np.arange(count) // 2 % 2


def write_answers(path, index, true, skill, generator):
    logits = generator.normal(size=(len(index), 2))
    logits[np.arange(len(index)), true] += skill
    probabilities = softmax(logits, axis=1)
    answers = {"path": index["source"], "group": index["group"], "actual": index["label"]}
    answers |= {"predicted": np.array(CLASSES)[probabilities.argmax(axis=1)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, pd.DataFrame(answers | dict(zip(CLASSES, probabilities.T, strict=True))))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two folds as prepare and evaluate write them, and what the stage makes of them."""
    folder = tmp_path_factory.mktemp("folds")
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    models = dict.fromkeys(MODELS, parameters["models"]["model_1"])
    parameters |= {"classes": CLASSES, "healthy_class": "none", "models": models, "folds": 2}
    parameters["compare"]["resamples"] = 500
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
    generator, indices = np.random.default_rng(0), []
    for fold in (1, 2):
        start = 1000 * fold
        sets = {"train": (start, 80, ()), "val": (start + 200, 40, ())}
        sets["test"] = (start + 400, 60, WRONG if fold == 1 else ())
        for name, (first, count, wrong) in sets.items():
            index, true = write_set(folder / f"data/{fold}/{name}", first, count, generator, wrong)
            indices.append(index)
            kind = {"val": "validation", "test": "predictions"}.get(name)
            for model, skill in MODELS.items() if kind else ():
                path = folder / f"runs/{kind}/{model}-{fold}.csv"
                write_answers(path, index, true, skill, generator)
    write_table(folder / "manifest.csv", manifest_of(indices))
    tested = pd.concat([indices[2], indices[5]])
    origin = np.where(tested["source"].isin(indices[2]["source"].iloc[list(WRONG)]), "x", "")
    table = pd.DataFrame({"path": tested["source"], "patient": tested["patient"]})
    write_table(folder / "patients.csv", table.assign(origin_label=origin))
    run(folder)
    return folder


def run(folder):
    options = ["--data", "data", "--runs", "runs", "--manifest", "manifest.csv"]
    options += ["--patients", "patients.csv", "--output", "out"]
    run_here(folder, folds, *options)


def test_every_image_of_every_test_set_is_counted_once(project):
    found = read_json(project / "out/figures.json", text=("recommended",))
    answers = pd.read_csv(project / "out/answers.csv")
    assert found["images"] == len(answers) == answers["path"].nunique() == 120
    assert list(found["classifiers"]) == [*MODELS, *REFERENCES]
    for name in MODELS:
        figures = found["classifiers"][name]
        expected = accuracy_score(answers["actual"], answers[name])
        assert figures["accuracy"]["value"] == pytest.approx(expected)
        expected = f1_score(answers["actual"], answers[name], average="macro")
        assert figures["macro_f1"]["value"] == pytest.approx(expected)


def test_each_fold_has_its_figures_and_validation_stands_beside_test(project):
    table = pd.read_csv(project / "out/folds.csv").set_index(["fold", "classifier"])
    answers = pd.read_csv(project / "out/answers.csv")
    for fold, rows in answers.groupby("fold"):
        expected = accuracy_score(rows["actual"], rows["good"])
        assert table.loc[(fold, "good"), "accuracy"] == pytest.approx(expected)
    assert table["val_accuracy"].notna().sum() == 4
    gap = read_json(project / "out/figures.json", text=("recommended",))["gaps"]["good"]
    own = table.xs("good", level="classifier")
    assert gap["gap"] == pytest.approx((own["val_accuracy"] - own["accuracy"]).mean())
    assert gap["low"] < gap["gap"] < gap["high"]


def test_labels_that_are_wrong_are_ranked_first_and_nothing_is_relabelled(project):
    suspects = pd.read_csv(project / "out/suspects.csv", keep_default_na=False)
    assert len(suspects) == 120
    assert set(suspects["origin_label"].head(3)) == {"x"}
    assert suspects.head(3)["suspect"].all()
    found = read_json(project / "out/figures.json", text=("recommended",))
    assert found["recommended"] == "good"
    assert found["contradicted"] == {
        "known": 3,
        "images": 3,
        "suspect": 3,
        "first": 3,
        "median_rank": 2,
        "of": 120,
    }
    apart = found["without_suspects"]["good"]["accuracy"]["value"]
    assert apart > found["classifiers"]["good"]["accuracy"]["value"]


def test_the_report_tells_of_models_folds_origins_and_labels(project):
    report = (project / "out/report.md").read_text(encoding="utf-8")
    for said in ("120 images of 60 groups", "2 folds", "Validation less test", "Patient unknown"):
        assert said in report
    assert "recommends **good**" in report
    assert "gives another label than the folder to 3 of 3 images: 3 of these are suspects" in report
    assert "| 1 | ![Training/" in report
    assert Image.open(project / "out/suspects/000.png").size == (32, 32)
    assert (project / "out/figure.svg").read_text().startswith("<?xml")
