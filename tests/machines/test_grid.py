"""Machines that share a grid of experiments: each point is computed once, whoever dies."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, SEARCH, Project, blocks

pytestmark = [pytest.mark.machines, pytest.mark.skipif(os.name == "nt", reason="sends signals")]
GRID = (sys.executable, "tools/grid.py")
COMMITTED = "0.25"  # of another length than what is tried, so that Git sees any change at once
ONE_POINT = ("-S", "prepare.validation=0.1", "prepare")
# The benchmark's own stages have an end of their own: this one ends when the test lets it, so that
# what happens meanwhile does not depend on how fast the machine is.
STAGE = """\
echo "$1" > prepared
touch "../runs/$(basename "$PWD") $1"
until [ -e ../go ]; do sleep 0.05; done
[ "$1" != bad ]
"""
PIPELINE = {
    "prepare": {
        "cmd": "sh prepare.sh ${prepare.validation}",
        "params": ["prepare.validation"],
        "deps": ["prepare.sh"],
        "outs": ["prepared"],
    }
}
LONG = 900  # seconds, after which what a test waits for will not come


class Team:
    """Two clones, `first` and `second`, that share a Git repository and a remote."""

    def __init__(self, folder):
        self.folder = folder
        self.first, self.second = (Project(folder / name) for name in ("first", "second"))
        self.started = []

    def let_stages_end(self):
        (self.folder / "go").touch()

    def runs(self):
        """Give which clone has run the stage with which value."""
        return {tuple(path.name.split()) for path in (self.folder / "runs").iterdir()}

    def shared(self):
        """Give the names that the shared repository holds, of experiments and of claims."""
        refs = self.first.git("ls-remote", "origin").split()[1::2]
        return tuple(
            {ref.rsplit("/", 1)[1] for ref in refs if ref.startswith(kind)}
            for kind in ("refs/exps/", "refs/grid/")
        )

    def start(self, clone, *command):
        """Start a grid in a process group of its own, as a terminal does."""
        grid = subprocess.Popen(
            command,
            cwd=clone.folder,
            env=os.environ | SEARCH,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(grid)
        return grid

    def wait_for_a_run(self, grid, clone):
        """Wait until a clone's grid runs the stage, which then waits until it may end."""
        end = time.monotonic() + LONG
        while clone.folder.name not in {name for name, _ in self.runs()}:
            assert grid.poll() is None, grid.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self, clone, number):
        """Start a grid, and signal all its processes while the stage runs; what came of it."""
        grid = self.start(clone, *GRID, *ONE_POINT)
        self.wait_for_a_run(grid, clone)
        os.killpg(grid.pid, number)
        said = grid.communicate(timeout=LONG)[0]
        return grid.returncode, said


@pytest.fixture(scope="session")
def made_team(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team") / "team é"
    first = Project(folder / "first")
    (first.folder / "tools").mkdir(parents=True)
    (folder / "runs").mkdir()
    (folder / "go").touch()
    shutil.copy2(ROOT / "tools/grid.py", first.folder / "tools")
    pycache = shutil.ignore_patterns("__pycache__")
    for name in ("brain_mri", "stages"):
        shutil.copytree(ROOT / name, first.folder / name, ignore=pycache)
    (first.folder / "prepare.sh").write_text(STAGE)
    (first.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": PIPELINE}))
    (first.folder / "params.yaml").write_text(f"prepare:\n  validation: {COMMITTED}\n")
    first.git("init", "--quiet", "--initial-branch=main")
    first.dvc("init", "--quiet")
    (first.folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (first.folder / ".dvc/config.local").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"
    )
    first.dvc("repro", "--quiet")
    first.commit("results")
    first.git("init", "--quiet", "--bare", "--initial-branch=main", "../git")
    first.git("remote", "add", "origin", "../git")
    first.git("push", "--quiet", "origin", "main")
    first.copy(folder / "second")
    shutil.rmtree(folder / "runs")
    (folder / "runs").mkdir()
    (folder / "go").unlink()
    return folder


@pytest.fixture
def team(made_team, tmp_path):
    team = Team(shutil.copytree(made_team, tmp_path / "team é"))
    yield team
    for grid in team.started:
        with suppress(ProcessLookupError):
            os.killpg(grid.pid, signal.SIGKILL)
        grid.communicate()


def points(said):
    """Give the points that a grid says it runs."""
    return re.findall(r"^grid: (grid-[0-9a-f]{10}): ", said, re.MULTILINE)


def is_as_committed(clone):
    prepared = clone.folder / "prepared"
    return clone.git("status", "--short") == "" and prepared.read_text() == f"{COMMITTED}\n"


def test_two_machines_at_once_compute_each_point_once_and_both_see_all(team):
    clones = (team.first, team.second)
    [(_, command), (_, list_claims)] = [
        block for block in blocks("docs/team.md") if "grid" in block
    ]
    grids = [team.start(clone, *command.split()) for clone in clones]
    for grid, clone in zip(grids, clones, strict=True):
        team.wait_for_a_run(grid, clone)
    claimed = team.second.run("sh", "-c", list_claims)
    team.let_stages_end()
    said = [grid.communicate(timeout=LONG)[0] for grid in grids]
    assert [grid.returncode for grid in grids] == [0, 0], said
    assert {name for name, _ in team.runs()} == {"first", "second"}
    assert sorted(value for _, value in team.runs()) == ["0.1", "0.2"]
    ran = {*points(said[0]), *points(said[1])}
    assert len(ran) == 2
    assert {*re.findall(r"^grid-\w+", claimed, re.MULTILINE)} == ran
    assert team.shared() == (ran, set())
    for clone in clones:
        assert is_as_committed(clone)
    team.second.dvc("exp", "pull", "--no-cache", "origin")
    assert ran <= {*team.second.git("for-each-ref", "--format=%(refname:lstrip=4)").split()}
    again = team.second.run(*GRID, "-S", "prepare.validation=0.2,0.1", "prepare")
    assert again == "grid: 0 of 2 points ran here; `dvc exp pull origin` brings all\n"


def test_the_claim_of_a_machine_that_died_is_seen_and_can_be_taken_back(team):
    status, said = team.stop(team.first, signal.SIGKILL)
    assert status == -signal.SIGKILL
    [point] = points(said)
    assert team.shared() == (set(), {point})
    who = re.escape(str(team.first.folder))
    claim = rf"{point}, .* ago, on \S+:{who}: params.yaml:prepare.validation=0.1\n"
    said = team.second.run(*GRID, *ONE_POINT)
    assert re.fullmatch(rf"grid: 0 of 1 points ran here; .*\ngrid: claimed is {claim}", said)
    assert re.fullmatch(claim, team.second.run(*GRID, "--list"))
    assert team.second.run(*GRID, "--release", point) == ""
    _, said = team.stop(team.second, signal.SIGKILL)
    assert points(said) == [point]


def test_a_machine_that_was_killed_goes_on_with_its_point(team):
    _, said = team.stop(team.first, signal.SIGKILL)
    team.let_stages_end()
    refused = team.first.run(*GRID, *ONE_POINT, succeeds=False)
    [back] = re.fullmatch(
        r"grid: all .*, but params.yaml is changed here; `(.*)` drops .*\n", refused
    ).groups()
    team.first.run("sh", "-c", back)
    assert is_as_committed(team.first)
    assert points(team.first.run(*GRID, *ONE_POINT)) == points(said)
    assert team.shared() == ({*points(said)}, set())


def test_ctrl_c_ends_a_grid_quietly_and_leaves_neither_claim_nor_change(team):
    status, said = team.stop(team.first, signal.SIGINT)
    assert status == 130, said
    assert "Traceback" not in said
    assert team.shared() == (set(), set())
    assert is_as_committed(team.first)


def test_a_point_that_fails_is_told_and_free_again_and_the_others_run(team):
    team.let_stages_end()
    said = team.first.run(*GRID, "-S", "prepare.validation=bad,0.1", "prepare", succeeds=False)
    bad, good = points(said)
    assert said.endswith(f"\ngrid: failed here: {bad}\n")
    assert team.shared() == ({good}, set())
    assert is_as_committed(team.first)


def test_a_point_whose_push_failed_is_pushed_the_next_time_and_not_run_again(team):
    team.let_stages_end()
    storage = team.folder / "storage"
    storage.touch()  # a file can hold no files
    said = team.first.run(*GRID, *ONE_POINT, succeeds=False)
    [point] = points(said)
    assert re.search(r"^grid: `dvc push .*` ended with status \d+$", said, re.MULTILINE)
    assert team.shared() == (set(), set())
    assert is_as_committed(team.first)
    storage.unlink()
    said = team.first.run(*GRID, *ONE_POINT)
    assert f"grid: {point} ran here before, and is pushed\n" in said
    assert "Running stage" not in said
    assert team.shared() == ({point}, set())
    assert [path.read_text() for path in storage.glob("files/md5/*/*")] == ["0.1\n"]


def test_what_a_user_can_mend_is_said_in_one_sentence(team):
    def refusal(*arguments):
        said = team.first.run(*GRID, *arguments, succeeds=False)
        assert said.count("\n") == 1, said
        return said

    assert refusal("-S", "seed").startswith("grid: Error parsing override 'seed' missing EQUAL")
    assert "no machine has grid-0123456789" in refusal("--release", "grid-0123456789")
    # Who may read but not write would otherwise find every point taken.
    hook = Path(team.folder / "git/hooks/pre-receive")
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert "Git could not claim a point: ! [remote rejected]" in refusal(*ONE_POINT)
    team.first.git("remote", "set-url", "origin", "nowhere")
    assert refusal(*ONE_POINT).startswith("grid: Git failed: fatal: 'nowhere' ")
    (team.first.folder / ".dvc/config.local").unlink()
    assert "docs/team.md" in refusal(*ONE_POINT)
