"""Bad input is accepted rightly or refused with its reason; it never ends in a traceback."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from ruamel.yaml import YAML
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from brain_mri.data.dataset import list_files
from brain_mri.data.decoding import decode
from brain_mri.report.language import Language
from stages import audit, balance, check, compare, prepare, report
from tests import faults
from tests.conftest import run_here
from tests.faults import CLASSES, HEALTHY

ROOT = Path(__file__).parents[2]
MINE = "data/mine"
PREPARED = [f"--{a}=data/prepared/{b}" for a, b in
            (("training", "train"), ("validation", "val"), ("testing", "test"))]  # fmt: skip
MANIFEST = f"--manifest={faults.MANIFEST}"
STAGES = {
    "check": (check, ["data/dataset.json", "--strategies=data/strategies.json"]),
    "audit": (audit, [MINE, MANIFEST, "--patients=data/audit/patients.csv", "--reports=reports"]),
    "prepare": (prepare, [MINE, MANIFEST, "--output=data/prepared", "--reports=reports"]),
    "balance": (
        balance,
        [
            *("--in-use=data/strategies.json", "--training=data/prepared/train"),
            *("--output=data/balanced", "--pictures=reports/pictures"),
        ],
    ),
    "compare": (compare, [*PREPARED, MANIFEST, "--reports=reports"]),
    "report": (report, ["--reports=reports"]),
}


def of(listed):
    return [pytest.param(fault, id=fault.what) for fault in listed]


def said_by(name):
    """Run a stage here; give the sentence that it ended with, None if it did its work."""
    module, arguments = STAGES[name]
    try:
        run_here(".", module, *arguments)
    except SystemExit as end:
        return end.code
    return None


def assert_ends(said, fault):
    """Compare what a stage ended with to what a fault is to end with."""
    assert said is not None, "accepted"
    assert "\n" not in said
    assert len(said) < 700
    kind, wanted = fault.happens.split(": ", 1)
    assert kind == "ends"
    before, _, after = wanted.partition(".csv")  # a file is named by its path
    for part in (before, after) if after else (wanted,):
        assert part in said


def write_params(folder, **changes):
    parameters = YAML(typ="safe").load(ROOT / "params.yaml")
    small = {
        "dataset": MINE,
        "patients": None,
        "classes": ["a", "b"],
        "healthy_class": None,
        "image_size": 32,
    }
    YAML().dump(parameters | small | changes, folder / "params.yaml")


def digest(folder):
    """Give a digest of every name, link and byte below a folder."""
    found = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*"), key=os.fsencode):
        found.update(os.fsencode(path) + b"\0")
        if path.is_symlink():
            found.update(os.fsencode(os.readlink(path)))
        elif path.is_file() and os.access(path, os.R_OK):
            found.update(path.read_bytes())
    return found.hexdigest()


def write_mine(folder, listed):
    """Write a data set that holds all these faults among slices without one."""
    faults.write_dataset(folder, training=6, testing=5, classes=CLASSES[:2])
    faults.write_dataset(folder, training=4, testing=1, classes=CLASSES[2:], first=2)
    for path in (folder / "Testing" / CLASSES[2]).iterdir():
        path.unlink()  # a class that Testing does not have
    for path in sorted((folder / "Training" / CLASSES[3]).iterdir())[1:]:
        path.unlink()  # a class of one image
    # More slices, to be twins of nothing else: a copy, one under two labels, a leak.
    same, two, leak = (faults.encoded(faults.slice_of(seed)) for seed in (90, 91, 92))
    for path, content in {
        f"Training/{CLASSES[0]}/copy 1.png": same,
        f"Training/{CLASSES[0]}/copy 2.png": same,
        f"Training/{CLASSES[0]}/conflict.png": two,
        f"Training/{CLASSES[1]}/conflict.png": two,
        f"Training/{CLASSES[1]}/leak.png": leak,
        f"Testing/{CLASSES[1]}/leak.png": leak,
        "Training/no class.png": same,
        "Training/unknown class/1.png": faults.encoded(faults.slice_of(93)),
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    for split in ("Training", "Testing"):
        for fault in listed:
            path = folder / split / CLASSES[0] / fault.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if split == "Training" or "refused" in fault.happens:
                fault.make(path)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """Every faulty file in one data set, after an audit of its own."""
    folder = tmp_path_factory.mktemp("audited")
    listed = faults.CONTENTS + faults.UNTRACKABLE
    listed += [] if os.geteuid() == 0 else faults.UNREADABLE
    write_mine(folder / MINE, listed)
    write_params(folder, classes=CLASSES, audit={"max_pixels": 50_000_000, "max_refused": 1.0})
    before = digest(folder / MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert said_by("audit") is None
        assert said_by("prepare") is None
    assert digest(folder / MINE) == before
    return folder


def row_of(folder, fault):
    """Give a file's row in the manifest, None if it has none."""
    name = os.fsencode(fault.name).decode(errors="backslashreplace")
    name = re.sub(r"[\x00-\x1f]", lambda found: f"\\x{ord(found[0]):02x}", name)
    manifest = pd.read_csv(folder / faults.MANIFEST, keep_default_na=False)
    rows = manifest[manifest["path"] == f"Training/{CLASSES[0]}/{name}"].to_dict("records")
    return rows[0] if rows else None


@pytest.mark.parametrize("fault", of(faults.CONTENTS + faults.UNTRACKABLE))
def test_a_faulty_file_is_accepted_or_refused_with_its_reason(audited, fault):
    row = row_of(audited, fault)
    if fault.outcome == "left out":
        assert row is None
        return
    assert row["accepted"] == (fault.outcome == "accepted")
    if fault.outcome != "accepted":
        assert f"refused: {row['reason']}" == fault.happens
        return
    index = pd.concat(
        pd.read_csv(audited / f"data/prepared/{name}/index.csv", keep_default_na=False)
        for name in ("train", "val", "test")
    )
    assert row["path"] in set(index["source"])
    if fault.shows:
        wanted = fault.shows()
        found = decode(audited / MINE / row["path"], 50_000_000).pixels
        assert found.shape == wanted.shape
        assert np.abs(found.astype(int) - wanted).mean() < 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("fault", of(faults.UNREADABLE))
def test_what_one_may_not_read_is_refused(audited, fault):
    assert f"refused: {row_of(audited, fault)['reason']}" == fault.happens


def test_every_reason_is_translated_and_every_file_that_is_not_hidden_has_a_row(audited):
    manifest = pd.read_csv(audited / faults.MANIFEST)
    reasons = set(manifest["reason"].dropna())
    assert len(reasons) > 12
    french = Language("fr")
    assert {reason for reason in reasons if french.reason(reason) == reason} == set()
    assert len(manifest) == len(list_files(audited / MINE))
    assert manifest["path"].is_unique


def test_the_classes_of_a_folder_that_is_none_and_no_folder_are_refused(audited):
    manifest = pd.read_csv(audited / faults.MANIFEST).set_index("path")["reason"]
    assert manifest["Training/no class.png"] == "not in the folder of a class"
    assert manifest["Training/unknown class/1.png"] == "its folder is not one of the classes"


@pytest.mark.parametrize("fault", of(faults.UNTRACKABLE))
def test_what_stops_dvc_is_named_before_dvc_reads_it(tmp_path, monkeypatch, fault):
    write_params(tmp_path)
    faults.write_dataset(tmp_path / MINE, 1, 1)
    fault.make(tmp_path / MINE / "Training/a" / fault.name)
    monkeypatch.chdir(tmp_path)
    said = said_by("check")
    name = os.fsencode(fault.name).decode(errors="backslashreplace")
    reason = fault.happens.removeprefix("refused: ")
    assert f"DVC cannot read 'data/mine/Training/a/{name}' ({reason})" in said


@pytest.mark.parametrize("fault", of(faults.DATASETS))
def test_a_faulty_data_set_ends_in_a_sentence(tmp_path, monkeypatch, fault):
    write_params(tmp_path)
    faults.write_dataset(tmp_path / MINE)
    monkeypatch.chdir(tmp_path)
    fault.make(tmp_path / MINE)
    before = digest(tmp_path / MINE)
    said = next(filter(None, (said_by(name) for name in ("check", "audit", "prepare"))))
    assert_ends(said, fault)
    assert digest(tmp_path / MINE) == before


def test_files_of_classes_that_are_not_asked_for_do_not_count_as_refused(tmp_path, monkeypatch):
    write_params(tmp_path, audit={"max_pixels": 50_000_000, "max_refused": 0.0})
    faults.write_dataset(tmp_path / MINE, classes=("a", "b", "c", "d", "e"))
    monkeypatch.chdir(tmp_path)
    assert said_by("audit") is None


@pytest.mark.parametrize("spelt", ["NFC", "NFD"])
def test_an_accent_is_the_same_in_either_way_of_unicode(tmp_path, monkeypatch, spelt):
    """Nobody can see which way a name is written: macOS writes one, most keyboards the other."""
    one, other = (unicodedata.normalize(form, "méningiome") for form in ("NFC", "NFD"))
    name = unicodedata.normalize(spelt, one)
    write_params(tmp_path, classes=[name, "b"], healthy_class=name)
    faults.write_dataset(tmp_path / MINE, classes=(one, "b"))
    (tmp_path / MINE / "Testing" / one).rename(tmp_path / MINE / "Testing" / other)
    monkeypatch.chdir(tmp_path)
    for name in ("check", "audit", "prepare"):
        assert said_by(name) is None
    for split in ("train", "test"):
        index = pd.read_csv(tmp_path / f"data/prepared/{split}/index.csv")
        assert set(index["label"]) == {one, "b"}
    found = json.loads((tmp_path / "reports/audit/findings.json").read_text("utf-8"))
    assert found["refused"] == 0


def test_what_lies_beside_the_splits_and_the_classes_is_named(tmp_path, monkeypatch, capsys):
    write_params(tmp_path)
    mine = tmp_path / MINE
    faults.write_dataset(mine)
    shutil.copytree(mine / "Training", mine / "Validation")
    shutil.copytree(mine / "Training/a", mine / "Training/A")
    (mine / "labels.csv").write_text("of the scanner")
    monkeypatch.chdir(tmp_path)
    assert said_by("audit") is None
    said = capsys.readouterr().out
    assert "files beside Training and Testing, not used: Validation (12), labels.csv (1)" in said
    assert "files of folders that are no class, refused: Training/A (6)" in said
    found = json.loads((tmp_path / "reports/audit/findings.json").read_text("utf-8"))
    assert found["unused"] == {"Validation": 12, "labels.csv": 1}


def test_the_tables_that_come_with_the_phantoms_are_not_said_to_be_unused(
    tmp_path, monkeypatch, capsys
):
    write_params(tmp_path)
    faults.write_dataset(tmp_path / MINE)
    (tmp_path / MINE / "truth.csv").write_text("path,source")
    (tmp_path / MINE / "patients.csv").write_text("path,patient")
    monkeypatch.chdir(tmp_path)
    assert said_by("audit") is None
    assert "not used" not in capsys.readouterr().out
    found = json.loads((tmp_path / "reports/audit/findings.json").read_text("utf-8"))
    assert found["unused"] == {}


@pytest.mark.parametrize("fault", of(faults.PARAMETERS))
def test_faulty_parameters_end_in_a_sentence_before_any_work(tmp_path, monkeypatch, fault):
    write_params(tmp_path)
    faults.write_dataset(tmp_path / MINE, 1, 1)
    monkeypatch.chdir(tmp_path)
    fault.make(tmp_path / "params.yaml")
    assert_ends(said_by("check"), fault)
    assert not (tmp_path / "data/dataset.json").exists()
    assert not (tmp_path / "pwned").exists()


@pytest.fixture(scope="module")
def benchmarked(fresh, tmp_path_factory):
    """Every faulty file that DVC can track in one data set, benchmarked by DVC with one model."""
    project = fresh.copy(tmp_path_factory.mktemp("bad") / "my project é")
    listed = [fault for fault in faults.CONTENTS if "link" not in fault.what]
    write_mine(project.folder / MINE, listed)
    project.keep_models("model_1")
    project.set(dataset=MINE, patients=None, classes=CLASSES, healthy_class=HEALTHY)
    project.set(audit={"max_refused": 0.9}, compare={"resamples": 200})
    project.set(phantom={"training": 20, "testing": 20})  # which is drawn, but not used
    project.commit("one model")
    before = digest(project.folder / MINE)
    project.said = project.dvc("repro")
    assert digest(project.folder / MINE) == before
    return project


def test_all_faulty_files_at_once_are_benchmarked_by_dvc(benchmarked):
    folder = benchmarked.folder
    assert re.search(r"audit: \d+ files, \d+ refused", benchmarked.said)
    conflicts = pd.read_csv(folder / "reports/audit/label_conflicts.csv")
    assert list(conflicts["path"].str.rpartition("/")[2]) == ["conflict.png"] * 2
    assert not list(folder.rglob("pwned"))
    splits = pd.read_csv(folder / "reports/splits.csv").set_index(["set", "class"])["images"]
    assert splits["train", CLASSES[3]] == 1
    assert splits["test", CLASSES[2]] == 0
    assert splits["dropped"].to_dict() == dict.fromkeys(CLASSES, 0) | {HEALTHY: 1}


def test_a_class_that_testing_lacks_is_in_no_average_of_any_stage(benchmarked):
    reports = benchmarked.folder / "reports"
    answers = pd.read_csv(reports / "predictions/model_1.csv", keep_default_na=False)
    present = sorted(set(answers["actual"]))
    absent = CLASSES[2]
    assert set(CLASSES) - set(present) == {absent}
    metrics = json.loads((reports / "metrics/model_1.json").read_text("utf-8"))["model_1"]
    comparison = json.loads((reports / "comparison/figures.json").read_text("utf-8"))
    found = comparison["classifiers"]["model_1"]
    expected = precision_recall_fscore_support(
        answers["actual"],
        answers["predicted"],
        labels=present,
        average="macro",
        zero_division=0,
    )
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        assert found[f"macro_{name}"]["value"] == pytest.approx(value)
    assert metrics["macro_f1"] == found["macro_f1"]["value"]
    aucs = [roc_auc_score(answers["actual"] == name, answers[name]) for name in present]
    assert metrics["macro_auc"] == pytest.approx(np.mean(aucs))
    assert found["macro_auc"]["value"] == pytest.approx(np.mean(aucs))
    for name in ("precision", "recall", "f1", "auc"):
        assert found["per_class"][absent][name]["value"] is None
    said = "Testing has no image of {}: that class has no figures here"
    assert said.format(f"<b>{absent}</b>") in (reports / "index.html").read_text("utf-8")
    assert said.format(absent) in (reports / "report.md").read_text("utf-8")
    assert "model_1.macro_f1" in benchmarked.dvc("metrics", "show")


def test_names_are_escaped_in_the_page_and_in_markdown(benchmarked):
    html = (benchmarked.folder / "reports/index.html").read_text("utf-8")
    assert "<img src=x" not in html
    assert "<b>no|" not in html
    assert "&lt;b&gt;no|tumour é" in html
    markdown = (benchmarked.folder / "reports/report.md").read_text("utf-8")
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(widths) == {9, 7}  # of all classes, and by class


def test_dvc_makes_again_what_was_edited_between_stages(benchmarked, tmp_path):
    project = benchmarked.copy(tmp_path / "my project é")
    for path in (faults.MANIFEST, faults.SHARD, faults.ANSWERS, faults.TRAINING, faults.COMPARISON):
        with open(project.folder / path, "ab") as file:
            file.write(b" ")
    status = yaml.safe_load(project.dvc("status", "--json", "dvc.yaml"))
    changed = {name for name, found in status.items() if "changed outs" in str(found)}
    assert changed == {"audit", "prepare", "train@model_1", "evaluate@model_1", "compare"}


@pytest.mark.parametrize("fault", of(faults.RESULTS))
def test_what_was_edited_between_stages_ends_in_a_sentence(
    benchmarked, tmp_path, monkeypatch, fault
):
    stage, name = fault.name.split(" ", 1)
    project = benchmarked.copy(tmp_path / "project")
    fault.make(project.folder / name)
    monkeypatch.chdir(project.folder)
    assert_ends(said_by(stage), fault)
    assert not list(project.folder.rglob("pwned"))


def test_the_table_of_the_document_is_that_of_the_corpus():
    document = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- faults -->\n(.*?)\n<!-- /faults -->", document, re.DOTALL)[1]
    command = [sys.executable, "-m", "tests.faults"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, encoding="utf-8")
    assert found == said.stdout.rstrip("\n")
