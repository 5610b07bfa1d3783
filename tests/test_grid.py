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
ONE_POINT = ("-S", "balance.rotation=5", "balance@augment")
BACK = "git restore --staged --worktree . && dvc checkout --allow-missing"


@pytest.fixture
def clones(benchmark, tmp_path):
    """Two clones that share a Git repository and a remote, with all data."""
    benchmark.run("git", "init", "--quiet", "--bare", "--initial-branch=main", f"{tmp_path}/git")
    benchmark.git("remote", "add", "origin", f"{tmp_path}/git")
    benchmark.git("push", "--quiet", "origin", "main")
    benchmark.dvc("remote", "add", "--local", "--default", "storage", f"{tmp_path}/storage")
    return benchmark, benchmark.copy(tmp_path / "other é")


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


def stop(clone, number):
    """Start a grid, send a signal to all of its processes once the stage runs; what came of it."""
    holder = clone.folder / ".locks/balance@augment.pid"
    holder.unlink(missing_ok=True)
    grid = start(clone, *ONE_POINT)
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
    return tuple(
        {ref.rsplit("/", 1)[1] for ref in refs if ref.startswith(kind)}
        for kind in ("refs/exps/", "refs/grid/")
    )


def test_two_machines_at_once_compute_each_point_once_and_both_see_all(clones):
    grids = [start(clone, "-S", "balance.rotation=4,5,6", "balance@augment") for clone in clones]
    said = [grid.communicate()[0] for grid in grids]
    assert [grid.returncode for grid in grids] == [0, 0], said
    ran = [points(text) for text in said]
    assert all(ran), "one machine had nothing to do"
    assert len({*ran[0], *ran[1]}) == len(ran[0] + ran[1]) == 3
    assert sum(text.count("Running stage 'balance@augment'") for text in said) == 3
    assert shared(clones[0]) == ({*ran[0], *ran[1]}, set())
    for clone in clones:
        assert clone.git("status", "--short") == ""
        assert json.loads(clone.dvc("status", "--json", "dvc.yaml")) == {}
        clone.dvc("exp", "pull", "--no-cache", "origin")
        shown = clone.dvc("exp", "list", "--name-only").split()
        assert {*ran[0], *ran[1]} <= {*shown}
    [again] = {
        clone.run(*GRID, "-S", "balance.rotation=6,5", "balance@augment") for clone in clones
    }
    assert again == "grid: 0 of 2 points ran here; `dvc exp pull origin` brings all\n"


def test_the_claim_of_a_machine_that_died_is_seen_and_can_be_taken_back(clones):
    dead, other = clones
    status, said = stop(dead, signal.SIGKILL)
    [point] = points(said)
    assert status == -signal.SIGKILL
    assert shared(other) == (set(), {point})
    said = other.run(*GRID, *ONE_POINT)
    assert points(said) == []
    claim = (
        rf"{point} on \S+:{re.escape(str(dead.folder))}, .* ago: params.yaml:balance.rotation=5\n"
    )
    assert re.search(f"^grid: claimed is {claim}", said, re.MULTILINE)
    assert re.fullmatch(claim, other.run(*GRID, "--list"))
    assert other.run(*GRID, "--release", point) == ""
    assert points(other.run(*GRID, *ONE_POINT)) == [point]
    assert shared(other) == ({point}, set())


def test_a_machine_that_was_killed_goes_on_with_its_point(clones):
    project, _ = clones
    _, said = stop(project, signal.SIGKILL)
    said_again = project.run(*GRID, *ONE_POINT, succeeds=False)
    assert re.fullmatch(r"grid: all machines .* params.yaml is changed here; .*\n", said_again)
    assert BACK in said_again
    project.run("bash", "-c", BACK)
    assert points(project.run(*GRID, *ONE_POINT)) == points(said)
    assert shared(project) == ({*points(said)}, set())


def test_ctrl_c_ends_a_grid_quietly_and_leaves_neither_claim_nor_change(clones):
    project, _ = clones
    status, said = stop(project, signal.SIGINT)
    assert status == 130, said
    assert "Traceback" not in said
    assert shared(project) == (set(), set())
    assert project.git("status", "--short") == ""


def test_a_point_that_fails_ends_the_grid_and_is_free_again(clones):
    project, _ = clones
    said = project.run(*GRID, "-S", "balance.rotation=-1", "balance@augment", succeeds=False)
    assert "balance.rotation is -1" in said
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
