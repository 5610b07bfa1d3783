"""The stage compares what the models answered on these images, and refuses anything else."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import softmax

from brain_mri.assessment.references import REFERENCES
from brain_mri.storage import read_json, read_table, write_images, write_table
from tests.conftest import manifest_of

ROOT = Path(__file__).parents[2]
CLASSES = ["01", "NA", "no_tumor"]  # names that a table would take for a number and for nothing
TABLES = ("differences", "intervals", "reliability")
OUTPUTS = ("comparison.json", "comparison/figures.json")
OUTPUTS += tuple(f"comparison/{name}.csv" for name in TABLES)


def write_set(folder, labels, generator, twins=0):
    """Write an image set whose images are nearly plain, darker or brighter by class."""
    pixels = generator.integers(0, 60, (len(labels), 32, 32)) + 90 * np.array(labels)[:, None, None]
    index = pd.DataFrame(
        {
            "source": [
                f"{'Testing' if folder.name == 'test' else 'Training'}/"
                f"{CLASSES[label]}/{folder.name}{row}.png"
                for row, label in enumerate(labels)
            ],
            "label": [CLASSES[label] for label in labels],
            "group": np.arange(len(labels)) // 2,
            "patient": "",
            "weight": 1.0,
            "transform": "",
            "twin": np.arange(len(labels)) < twins,
            "same_patient": np.arange(len(labels)) < twins,
        }
    )
    write_images(folder, index, pixels.astype(np.uint8), shard_mb=1)
    return index


def write_answers(path, index, skill, generator):
    """Write what a model that knows so much answered."""
    actual = pd.Index(CLASSES).get_indexer(index["label"])
    logits = generator.normal(size=(len(index), len(CLASSES)))
    logits[np.arange(len(index)), actual] += skill
    probabilities = softmax(logits, axis=1)
    answers = {
        "path": index["source"],
        "group": index["group"],
        "actual": index["label"],
        "predicted": np.array(CLASSES)[probabilities.argmax(axis=1)],
    }
    table = pd.DataFrame(answers | dict(zip(CLASSES, probabilities.T, strict=True)))
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


@pytest.fixture
def project(tmp_path):
    """Image sets and answers of two models, as prepare and evaluate write them."""
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    models = dict.fromkeys(("good", "poor"), parameters["models"]["model_1"])
    parameters |= {"classes": CLASSES, "healthy_class": "no_tumor", "models": models}
    parameters["compare"] |= {"resamples": 500}
    change(tmp_path, parameters)
    generator = np.random.default_rng(0)
    training = write_set(tmp_path / "train", [0] * 20 + [1] * 30 + [2] * 10, generator)
    sets = {
        "validation": write_set(tmp_path / "val", np.arange(60) % 3, generator),
        "predictions": write_set(tmp_path / "test", np.arange(90) % 3, generator, twins=30),
    }
    write_table(tmp_path / "manifest.csv", manifest_of([training, *sets.values()]))
    for name, skill in (("good", 4), ("poor", 1)):
        for kind, index in sets.items():
            path = tmp_path / f"reports/{kind}/{name}.csv"
            write_answers(path, index, skill, generator)
    return tmp_path


def change(folder, parameters):
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")


def run(folder, **environment):
    sets = ["--training", "train", "--validation", "val", "--testing", "test"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "stages.compare",
            *sets,
            "--manifest",
            "manifest.csv",
            "--reports",
            "reports",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def result(folder):
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return read_json(folder / "reports/comparison/figures.json")


def refusal(folder):
    """Give the sentence that the stage ends with, having written nothing."""
    done = run(folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not any((folder / "reports" / name).exists() for name in OUTPUTS)
    return done.stderr


def edit(path, edited):
    """Change a table of answers, by a function of it."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    edited(table).to_csv(path, index=False)


def test_the_comparison_has_every_classifier_and_names_what_was_compared(project):
    found = result(project)
    assert found["images"] == 90
    assert found["groups"] == 45
    assert list(found["classifiers"]) == ["good", "poor", *REFERENCES]
    wanted = [f"{model} - {other}" for model in ("good", "poor") for other in REFERENCES]
    assert list(found["pairs"]) == ["good - poor", *wanted]
    assert found["recommended"]["model"] == "good"
    assert found["threshold"]["target_sensitivity"] == 0.99
    assert found["threshold"]["models"]["good"]["validation_sensitivity"] >= 0.99


def test_what_metrics_show_is_the_recommended_model_and_what_needs_none(project):
    found = result(project)["classifiers"]
    shown = read_json(project / "reports/comparison.json")
    others = {name: {"accuracy": found[name]["accuracy"]["value"]} for name in REFERENCES}
    assert shown == {"recommended": "good"} | others


def test_the_look_up_and_the_majority_class_come_from_training(project):
    found = result(project)["classifiers"]
    assert found["look_up"]["accuracy"]["value"] == 1  # the classes differ in brightness
    assert found["majority"]["per_class"]["NA"]["recall"]["value"] == 1
    assert found["majority"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert not found["good"]["beats"]["look_up"]
    assert found["good"]["beats"]["majority"]


def test_files_that_do_not_differ_tell_nothing_and_brightness_does(project):
    found = result(project)
    assert found["classifiers"]["header"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["classifiers"]["statistics"]["accuracy"]["value"] == 1
    shift = read_table(project / "reports/comparison/shift.csv", ["class", "features", "told"])
    assert not shift["told"].any()
    assert not found["header_tells_tumour"]["told"]


def test_a_class_whose_files_have_their_own_size_is_told_by_the_header(project):
    manifest = pd.read_csv(project / "manifest.csv", keep_default_na=False)
    manifest.loc[manifest["class"] == "no_tumor", "width"] = 48
    write_table(project / "manifest.csv", manifest)
    found = result(project)
    assert found["classifiers"]["header"]["per_class"]["no_tumor"]["recall"]["value"] == 1
    assert found["header_tells_tumour"]["told"]


def test_the_tables_hold_the_figures_of_the_comparison(project):
    found = result(project)
    read = {"keep_default_na": False, "na_values": [""], "dtype": {"class": str}}
    tables = {
        name: pd.read_csv(project / f"reports/comparison/{name}.csv", **read) for name in TABLES
    }
    pairs = tables["differences"].set_index(["a", "b", "measure"])
    row = pairs.loc["good", "look_up", "macro_f1"]
    expected = found["pairs"]["good - look_up"]["macro_f1"]
    assert row["difference"] == expected["value"]
    assert row[["low", "high", "p", "p_holm"]].to_dict() == {
        name: expected[name] for name in ("low", "high", "p", "p_holm")
    }
    assert len(pairs) == (1 + 2 * len(REFERENCES)) * 5
    assert pairs.loc["good", "poor", "mcnemar"][["difference", "low", "high"]].isna().all()

    table = tables["intervals"].fillna({"class": ""}).set_index(["classifier", "measure", "class"])
    assert table.loc["good", "accuracy", ""].to_dict() == found["classifiers"]["good"]["accuracy"]
    recall = found["classifiers"]["poor"]["per_class"]["01"]["recall"]
    assert table.loc["poor", "recall", "01"].to_dict() == recall

    counted = tables["reliability"].groupby(["model", "scaled"])["images"].sum()
    assert counted.to_dict() == {
        (name, scaled): 90 for name in ("good", "poor") for scaled in (False, True)
    }


def test_the_same_inputs_give_the_same_bytes_on_one_thread_or_two(project):
    outputs = []
    for threads in ("1", "2"):
        assert run(project, OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads).returncode == 0
        outputs.append([(project / "reports" / name).read_bytes() for name in OUTPUTS])
    assert outputs[0] == outputs[1]


def test_without_a_healthy_class_and_scaling_these_sections_are_left_out(project):
    parameters = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    parameters["healthy_class"] = None
    parameters["compare"]["temperature_scaling"] = False
    change(project, parameters)
    found = result(project)
    assert "threshold" not in found
    assert "scaled" not in found["calibration"]["good"]


def test_too_few_resamples_for_so_many_pairs_are_said_to_be(project):
    assert "too few" not in run(project).stdout
    parameters = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    parameters["compare"]["resamples"] = 100
    change(project, parameters)
    assert "100 resamples are too few" in run(project).stdout


def test_answers_of_other_images_are_refused(project):
    path = project / "reports/predictions/poor.csv"
    edit(path, lambda table: table.assign(path=table["path"].str.replace("test", "old")))
    assert "reports/predictions/poor.csv is of other images" in refusal(project)


def test_answers_of_fewer_images_are_refused(project):
    edit(project / "reports/validation/good.csv", lambda table: table[:-1])
    assert "reports/validation/good.csv is of other images" in refusal(project)


@pytest.mark.parametrize(
    ("column", "value"), [("NA", "much"), ("01", ""), ("no_tumor", "1.5"), ("predicted", "cat")]
)
def test_damaged_answers_are_refused(project, column, value):
    edit(project / "reports/predictions/good.csv", lambda table: table.assign(**{column: value}))
    assert "reports/predictions/good.csv is damaged" in refusal(project)


def test_answers_without_a_class_are_refused(project):
    edit(project / "reports/predictions/good.csv", lambda table: table.drop(columns="NA"))
    assert "it lacks NA" in refusal(project)


def test_a_model_by_the_name_of_the_look_up_is_refused(project):
    parameters = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    parameters["models"]["look_up"] = parameters["models"]["good"]
    change(project, parameters)
    assert "look_up needs another name" in refusal(project)
