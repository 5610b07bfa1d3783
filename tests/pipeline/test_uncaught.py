"""A command that is started without the project's packages says so; a bug stays a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OF_PEERS = {"audit_by_cleanvision.py", "training_in_pytorch.py"}  # have packages of their own
SHARED = {"clones.py", "turns.py", "watching.py"}  # are imported by the others
COMMANDS = [["-m", f"stages.{name}"] for name in ("check", "audit", "train", "report")]
COMMANDS += [
    [path.relative_to(ROOT).as_posix()]
    for folder in ("tools", "docs", "benchmarks")
    for path in sorted(ROOT.glob(f"{folder}/**/*.py"))
    if path.name not in OF_PEERS | SHARED
]


def said_by(*command, **variables):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_its_packages_a_command_says_which_python_lacks_them(command):
    said = said_by("-S", *command)  # without `site`, Python sees no packages
    assert said.startswith("No module named ")
    assert f"{sys.executable} lacks " in said
    assert said.count("\n") == 1
    assert "`source .venv/bin/activate` first, or `make repro`" in said


def test_a_package_that_is_broken_is_shown_as_python_shows_it(tmp_path):
    (tmp_path / "psutil.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    said = said_by("-m", "stages.check", PYTHONPATH=str(tmp_path))
    assert "Traceback" in said
    assert "No module named 'nothing_of_this_name'" in said


@pytest.mark.parametrize("line", ["import stages.nothing", "from stages import nothing"])
def test_a_module_of_our_own_that_is_missing_is_no_missing_package(tmp_path, line):
    (tmp_path / "psutil.py").write_text("class Process:\n    pass\n", encoding="utf-8")
    said = said_by("-S", "-c", line, PYTHONPATH=str(tmp_path))
    assert "Traceback" in said
    assert "nothing" in said
