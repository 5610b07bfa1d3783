"""Somebody else's model is put through what ours go through, on the images that it answered."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import softmax
from sklearn.metrics import accuracy_score, brier_score_loss, recall_score

from brain_mri.assessment import judging
from brain_mri.errors import InputError
from brain_mri.storage import read_images, read_json, write_images, write_json, write_table
from stages import judge
from tests import faults
from tests.conftest import manifest_of, run_here

ROOT = Path(__file__).parents[2]
CLASSES = ["a", "b"]
OURS = {"good": 1.0, "poor": 0.2}
TWINS = 30  # of 60 images of Testing, the first of them
ARGUMENTS = "--answers answers --study study.yaml --training train --testing test "
ARGUMENTS += "--manifest manifest.csv --patients patients.csv --reports reports --output out"


def write_set(folder, split, count, first, generator):
    """Write an image set whose images differ by noise alone; a group has two images."""
    labels = np.arange(count) // 2 % 2
    twin = np.arange(count) < TWINS
    index = pd.DataFrame(
        {
            "source": [f"{split}/{CLASSES[k]}/{n}.png" for n, k in enumerate(labels)],
            "label": [CLASSES[label] for label in labels],
            "group": np.where(twin, np.arange(count) // 2, first + np.arange(count) // 2),
            "patient": [f"p{n // 2}" if n % 4 else "" for n in range(count)],
            "weight": 1.0,
            "transform": "",
            "twin": twin,
            "same_patient": twin,
        }
    )
    pixels = generator.integers(0, 255, (count, 32, 32)).astype(np.uint8)
    write_images(folder, index, pixels, shard_mb=1)
    return index


def answers_of(index, generator, skill, remembers=0.0):
    """Give a model's probabilities: of this skill, and surer of the images that have a twin."""
    true = index["label"].map(CLASSES.index).to_numpy()
    logits = generator.normal(size=(len(index), 2))
    logits[np.arange(len(index)), true] += skill + remembers * index["twin"]
    return softmax(logits, axis=1)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What audit, prepare, evaluate and compare write, and the answers of one other model."""
    folder, generator = tmp_path_factory.mktemp("judge"), np.random.default_rng(0)
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    parameters |= {"classes": CLASSES, "healthy_class": "b"}
    parameters["models"] = dict.fromkeys(OURS, parameters["models"]["model_1"])
    parameters["compare"]["resamples"] = 300
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
    (folder / "study.yaml").write_text("names: {B: b}\n", encoding="utf-8")
    training = write_set(folder / "train", "Training", 80, 1000, generator)
    testing = write_set(folder / "test", "Testing", 60, 2000, generator)
    write_table(folder / "manifest.csv", manifest_of([training, testing]))
    patients = {"path": testing["source"], "patient": "p", "origin_label": testing["label"]}
    write_table(folder / "patients.csv", pd.DataFrame(patients))
    for name, skill in OURS.items():
        probabilities = answers_of(testing, generator, skill)
        own = {"path": testing["source"], "group": testing["group"], "actual": testing["label"]}
        own |= {"predicted": np.array(CLASSES)[probabilities.argmax(axis=1)]}
        table = pd.DataFrame(own | dict(zip(CLASSES, probabilities.T, strict=True)))
        write_table(folder / f"reports/predictions/{name}.csv", table)
    write_json(folder / "reports/comparison.json", {"recommended": "good"})
    probabilities = answers_of(testing, generator, 0.0, remembers=6.0)
    table = {"path": testing["source"], **dict(zip(CLASSES, probabilities.T, strict=True))}
    write_table(folder / "answers/theirs.csv", pd.DataFrame(table))
    run(folder)
    return folder


def run(folder):
    run_here(folder, judge, *ARGUMENTS.split())


def figures_of(folder, name="theirs"):
    found = read_json(folder / "out/figures.json")
    return found["models"][name]


def test_its_figures_are_those_of_scikit_learn(project):
    found, testing = figures_of(project), read_images(project / "test").index
    table = pd.read_csv(project / "answers/theirs.csv")
    predicted, twin = table[CLASSES].idxmax(axis=1), testing["twin"]
    own = found["classifiers"]["theirs"]
    right = accuracy_score(testing["label"], predicted)
    assert own["accuracy"]["value"] == pytest.approx(right)
    for kind, chosen in (("with", twin), ("without", ~twin)):
        right = accuracy_score(testing["label"][chosen], predicted[chosen])
        assert own[f"{kind}_twin_accuracy"]["value"] == pytest.approx(right)
        recall = recall_score(testing["label"][chosen], predicted[chosen], average=None)
        by_class = found["recalls"]["theirs"]
        assert [by_class[c][kind]["value"] for c in CLASSES] == pytest.approx(recall.tolist())
    brier = 2 * brier_score_loss(testing["label"] == "b", table["b"])
    assert found["calibration"]["theirs"]["brier"]["value"] == pytest.approx(brier)


def test_a_model_that_remembers_twins_is_found_out_by_one_of_ours_that_never_saw_them(project):
    gaps = figures_of(project)["gaps"]
    assert gaps["verdict"] == "higher"
    assert gaps["beyond_verdict"] == "higher"
    own = gaps["classifiers"]
    assert own["theirs"]["value"] - own["good"]["value"] == pytest.approx(gaps["beyond"]["value"])
    report = (project / "out/report.md").read_text(encoding="utf-8")
    assert "of the 30 slices whose twin is in the public Training folder" in report
    assert "is more than chance: the figure on all of Testing does not hold" in report
    assert "that is what memory of the twins looks like" in report


def test_its_look_up_has_every_twin_of_the_public_training_folder(project):
    look_up = figures_of(project)["classifiers"]["look_up"]
    assert look_up["with_twin_accuracy"]["value"] == 1


def test_it_is_tested_against_each_of_ours_and_each_reference_and_no_other_pair_is(project):
    pairs = figures_of(project)["pairs"]
    others = [*OURS, "look_up", "majority", "header", "statistics"]
    assert list(pairs) == [f"theirs - {other}" for other in others]


def test_every_label_is_ranked_by_its_answers(project):
    suspects = pd.read_csv(project / "out/suspects.csv")
    assert len(suspects) == 60
    assert suspects["judged"].unique().tolist() == ["theirs"]
    assert suspects["rank"].tolist() == list(range(1, 61))


def test_the_page_needs_no_other_file_and_holds_the_sentences_of_the_report(project):
    page = (project / "out/index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    for said in ("whose twin is in the public Training folder", "What cannot be told"):
        assert said in page
    assert (project / "out/figures/theirs.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_on_missing_answers_all_that_stands_beside_is_on_the_others(project, tmp_path):
    folder = copied(project, tmp_path)
    table = pd.read_csv(folder / "answers/theirs.csv")
    write_table(folder / "answers/theirs.csv", table.iloc[TWINS // 2 :])
    run(folder)
    found, testing = figures_of(folder), read_images(folder / "test").index
    assert (found["images"], found["missing"]) == (45, 15)
    ours = pd.read_csv(folder / "reports/predictions/good.csv").iloc[TWINS // 2 :]
    right = accuracy_score(testing["label"][TWINS // 2 :], ours["predicted"])
    assert found["classifiers"]["good"]["accuracy"]["value"] == pytest.approx(right)
    assert "15 of the 60 images of Testing have no answer" in (folder / "out/report.md").read_text(
        encoding="utf-8"
    )


def test_few_answers_and_a_class_without_one_still_end_in_a_report(project, tmp_path):
    folder = copied(project, tmp_path)
    table = pd.read_csv(folder / "answers/theirs.csv")
    write_table(folder / "answers/theirs.csv", table[table["path"].str.contains("/a/")].head(3))
    run(folder)
    assert figures_of(folder)["gaps"]["verdict"] == "undecided"


def test_the_report_in_french(project, tmp_path):
    folder = copied(project, tmp_path)
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("language: en", "language: fr"))
    run(folder)
    report = (folder / "out/report.md").read_text(encoding="utf-8")
    assert "coupes dont le jumeau est dans le dossier public Training" in report


def test_under_keep_the_model_of_ours_that_saw_the_twins_is_called_so(project, tmp_path):
    folder = copied(project, tmp_path)
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("leakage: drop", "leakage: keep"))
    run(folder)
    report = (folder / "out/report.md").read_text(encoding="utf-8")
    assert "Our good, trained with those twins" in report


def test_on_folds_nothing_is_judged(project, tmp_path):
    folder = copied(project, tmp_path)
    path = folder / "test/index.csv"
    path.write_text(path.read_text("utf-8").replace("Testing/", "Training/"), encoding="utf-8")
    with pytest.raises(SystemExit, match="split is folds"):
        run(folder)


@pytest.mark.parametrize("names", ["{B: c}", "[B]", "{B: 1}"])
def test_a_name_that_leads_to_no_class_is_named(project, tmp_path, names):
    folder = copied(project, tmp_path)
    (folder / "study.yaml").write_text(f"names: {names}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^judge: study\.yaml: names"):
        run(folder)


@pytest.mark.parametrize("fault", faults.JUDGED, ids=lambda fault: fault.what)
def test_answers_that_are_wrong_end_in_a_sentence(project, tmp_path, fault):
    path = tmp_path / "answers/theirs.csv"
    path.parent.mkdir()
    path.write_bytes((project / "answers/theirs.csv").read_bytes())
    fault.make(path)
    index = read_images(project / "test").index
    manifest = pd.read_csv(project / "manifest.csv")
    read = path.parent, OURS, CLASSES, {"B": "b"}, index, manifest
    if fault.outcome == "accepted":
        [judged] = judging.read_all(*read).values()
        assert judged.answers.probabilities.sum(axis=1) == pytest.approx(1)
        return
    with pytest.raises(InputError) as error:
        judging.read_all(*read)
    assert fault.outcome.removeprefix("ends: ") in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_answers_end_the_stage_in_a_sentence_before_any_work(project, tmp_path):
    folder = copied(project, tmp_path)
    faults._many(folder / "answers/theirs.csv")
    with pytest.raises(SystemExit, match=r"^judge: answers/theirs\.csv is of other images: 99"):
        run(folder)
    assert not (folder / "out").exists()


def test_an_answer_on_a_file_that_the_audit_refused_is_left_out_and_counted(project, tmp_path):
    index = read_images(project / "test").index
    manifest = pd.read_csv(project / "manifest.csv")
    refused = {"path": "Testing/a/cut.png", "split": "Testing", "accepted": False}
    manifest = pd.concat([manifest, pd.DataFrame([refused])]).astype({"accepted": bool})
    path = tmp_path / "theirs.csv"
    table = pd.read_csv(project / "answers/theirs.csv")
    write_table(path, pd.concat([table, pd.DataFrame([{"path": refused["path"], "a": 1, "b": 0}])]))
    [judged] = judging.read_all(tmp_path, OURS, CLASSES, {}, index, manifest).values()
    assert (judged.refused, judged.answered.sum()) == (1, 60)


def copied(project, tmp_path):
    """Give a copy of the project without what the stage wrote."""
    for name in ("train", "test", "reports/predictions", "answers"):
        (tmp_path / name).mkdir(parents=True)
        for path in (project / name).iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    for path in project.glob("*.*"):
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    path = project / "reports/comparison.json"
    (tmp_path / "reports/comparison.json").write_bytes(path.read_bytes())
    return tmp_path
