"""The figures in README are those of the runs committed beside the script that writes them."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "docs/results/table.py"))


@pytest.mark.parametrize("part", ["audit", "table", "meaning"])
def test_readme_prints_what_the_committed_runs_say(part):
    assert SCRIPT[part]() in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("run", "dropped"), [("keep", False), ("drop", True)])
def test_the_committed_runs_are_of_the_whole_public_set_under_both_policies(run, dropped):
    folder = ROOT / "docs/results" / f"sartaj-128-{run}"
    audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))["audit"]
    splits = json.loads((folder / "splits.json").read_text(encoding="utf-8"))["splits"]
    assert audit["files"] == 3264
    assert audit["identical_across"] == {"files": 88, "pixels": 251}
    assert splits["test"]["all"] == 394
    assert (splits["dropped"]["all"] > 0) == dropped
