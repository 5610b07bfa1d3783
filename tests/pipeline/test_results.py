"""The figures in the documents are those of the committed runs."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = [
    (document, give)
    for script in ("results/readme.py", "benchmarks/table.py")
    for document, parts in runpy.run_path(str(ROOT / script))["PARTS"].items()
    for give in parts.values()
]


@pytest.mark.parametrize(("document", "give"), PARTS)
def test_a_document_prints_what_the_committed_runs_say(document, give):
    assert give() in (ROOT / document).read_text(encoding="utf-8")


def test_readmes_picture_is_of_the_committed_runs():
    picture = runpy.run_path(str(ROOT / "results/readme.py"))["picture"]()
    assert picture == (ROOT / "docs/published.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("run", "dropped"), [("keep", 0), ("drop", 267), ("patients", 452)]
)  # twins alone; twins and patients
def test_the_committed_runs_are_of_the_whole_public_set_under_every_policy(run, dropped):
    folder = ROOT / "results" / f"sartaj-128-{run}"
    audit = json.loads((folder / "audit/findings.json").read_text(encoding="utf-8"))
    images = json.loads((folder / "splits.json").read_text(encoding="utf-8"))["images"]
    assert audit["files"] == 3264
    assert audit["identical_across"] == {"files": 88, "pixels": 251}
    assert images["test"] == 394
    assert images["dropped"] == dropped


def test_every_model_of_the_committed_run_that_learned_in_training_is_above_a_constant_answer():
    """A normalised model once learned in training and answered one class in use."""
    path = ROOT / "reports/comparison/figures.json"
    classifiers = json.loads(path.read_text(encoding="utf-8"))["classifiers"]
    constant = classifiers["majority"]["accuracy"]["high"]
    for name in ("baseline", "model_1", "model_2", "model_4", "efficientnet", "resnet"):
        assert classifiers[name]["accuracy"]["low"] > constant, name
