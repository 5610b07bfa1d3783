"""Machines that share a grid of experiments: each point is computed once, whoever dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SEARCH

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")
GRID = (sys.executable, "tools/grid.py")
BACK = "git restore --staged --worktree . && dvc checkout --allow-missing"


@pytest.fixture
def clones(project, tmp_path):
    """Two clones that share a Git repository and a remote, with all data."""
    project.run("git", "init", "--quiet", "--bare", "--initial-branch=main", f"{tmp_path}/git")
    project.git("remote", "add", "origin", f"{tmp_path}/git")
    project.git("push", "--quiet", "origin", "main")
    project.dvc("remote", "add", "--local", "--default", "storage", f"{tmp_path}/storage")
    return project, project.copy(tmp_path / "other é")


def start(clone, *arguments):
    """Start a grid in a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [*GRID, *arguments],
        cwd=clone.folder,
        env=os.environ | SEARCH,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # What runs these tests in the background may have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def stop_while_a_stage_runs(clone, stage, number, *arguments):
    """Start a grid, send a signal to all of its processes while they run a stage; what it said."""
    holder = clone.folder / f".locks/{stage}.pid"
    holder.unlink(missing_ok=True)
    grid = start(clone, *arguments)
    while grid.poll() is None and not holder.exists():
        time.sleep(0.02)
    os.killpg(grid.pid, number)
    said = grid.communicate()[0]
    return grid.returncode, said


def points(said):
    """Give the points that a grid says it runs."""
    return re.findall(r"^grid: (grid-[0-9a-f]{10}): ", said, re.MULTILINE)


def shared(clone):
    """Give what the shared repository holds: names of experiments, and of claims."""
    refs = clone.git("ls-remote", "origin").split()[1::2]
    names = [ref.rsplit("/", 1)[1] for ref in refs]
    return tuple(
        {name for name, ref in zip(names, refs, strict=True) if ref.startswith(kind)}
        for kind in ("refs/exps/", "refs/grid/")
    )


def test_two_machines_at_once_compute_each_point_once_and_both_see_all(clones):
    grids = [start(clone, "-S", "compare.bins=4,5,6", "compare") for clone in clones]
    said = [grid.communicate()[0] for grid in grids]
    assert [grid.returncode for grid in grids] == [0, 0], said
    ran = [points(text) for text in said]
    assert all(ran), "one machine had nothing to do"
    assert len({*ran[0], *ran[1]}) == len(ran[0] + ran[1]) == 3
    assert sum(text.count("Running stage 'compare'") for text in said) == 3
    assert shared(clones[0]) == ({*ran[0], *ran[1]}, set())
    for clone in clones:
        assert clone.git("status", "--short") == ""
        assert json.loads(clone.dvc("status", "--json", "dvc.yaml")) == {}
        clone.dvc("exp", "pull", "--no-cache", "origin")
        shown = clone.dvc("exp", "show", "--csv")
        assert all(name in shown for name in (*ran[0], *ran[1]))
    [again] = {clone.run(*GRID, "-S", "compare.bins=6,5", "compare") for clone in clones}
    assert again == "grid: 0 of 2 points ran here; `dvc exp pull origin` brings all\n"


def test_the_claim_of_a_machine_that_died_is_seen_and_can_be_taken_back(clones):
    dead, other = clones
    setting = ("-S", "compare.bins=5", "compare")
    status, said = stop_while_a_stage_runs(dead, "compare", signal.SIGKILL, *setting)
    [point] = points(said)
    assert status == -signal.SIGKILL
    assert shared(other) == (set(), {point})
    said = other.run(*GRID, *setting)
    assert points(said) == []
    [claim] = [line for line in said.splitlines() if line.startswith("grid: claimed is ")]
    assert str(dead.folder) in claim
    assert "params.yaml:compare.bins=5" in claim
    assert f"{claim.removeprefix('grid: claimed is ')}\n" == other.run(*GRID, "--list")
    assert other.run(*GRID, "--release", point) == ""
    assert points(other.run(*GRID, *setting)) == [point]
    assert shared(other) == ({point}, set())


def test_a_machine_that_was_killed_goes_on_with_its_point(clones):
    project, _ = clones
    setting = ("-S", "compare.bins=5", "compare")
    _, said = stop_while_a_stage_runs(project, "compare", signal.SIGKILL, *setting)
    said_again = project.run(*GRID, *setting, succeeds=False)
    assert re.fullmatch(r"grid: all machines .* params.yaml is changed here; .*\n", said_again)
    assert BACK in said_again
    project.run("bash", "-c", BACK)
    assert points(project.run(*GRID, *setting)) == points(said)
    assert shared(project) == ({*points(said)}, set())


def test_ctrl_c_ends_a_grid_quietly_and_leaves_neither_claim_nor_change(clones):
    project, _ = clones
    setting = ("-S", "compare.bins=5", "compare")
    status, said = stop_while_a_stage_runs(project, "compare", signal.SIGINT, *setting)
    assert status == 130, said
    assert "Traceback" not in said
    assert shared(project) == (set(), set())
    assert project.git("status", "--short") == ""


def test_a_point_that_fails_ends_the_grid_and_is_free_again(clones):
    project, _ = clones
    said = project.run(*GRID, "-S", "compare.bins=-1", "compare", succeeds=False)
    assert "compare.bins is -1" in said
    assert re.search(r"^grid: `dvc exp run .*` ended with status \d+$", said, re.MULTILINE)
    assert shared(project) == (set(), set())
    assert project.git("status", "--short") == ""


def test_what_a_user_can_mend_is_said_in_one_sentence(clones):
    project, _ = clones
    assert grid_fails(project, "-S", "seed") == (
        "grid: Error parsing override 'seed' missing EQUAL at '<EOF>' "
        "See https://hydra.cc/docs/1.2/advanced/override_grammar/basic for details"
    )
    assert "no machine has grid-0123456789" in grid_fails(project, "--release", "grid-0123456789")
    project.git("remote", "set-url", "origin", "nowhere")
    assert grid_fails(project, "-S", "seed=1,2").startswith("grid: `git ls-remote` failed: fatal: ")
    project.dvc("config", "--local", "--unset", "core.remote")
    assert "docs/team.md" in grid_fails(project, "-S", "seed=1,2")


def grid_fails(project, *arguments):
    said = project.run(*GRID, *arguments, succeeds=False)
    assert said.count("\n") == 1, said
    return said.strip()


def test_a_shared_repository_that_takes_no_claim_is_an_error_not_an_end(clones):
    """Who may read but not write would otherwise find every point taken."""
    project, _ = clones
    hook = Path(project.git("remote", "get-url", "origin").strip(), "hooks/pre-receive")
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    said = grid_fails(project, "-S", "seed=1,2")
    assert said.startswith("grid: Git could not claim a point: ! [remote rejected]")
