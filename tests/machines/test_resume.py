"""A training that was killed under DVC goes on, and ends with the same bytes."""

import os
import signal
import time

import pytest
from conftest import modified

pytestmark = pytest.mark.machines

# A stage notices within about half a second that its DVC is gone, later on a busy machine; the
# epochs after the kill must take far longer.
EPOCHS = 10


@pytest.fixture(scope="module")
def long(reproduced, tmp_path_factory):
    """The small project, with one model that trains long enough to be killed in between."""
    project = reproduced.copy(tmp_path_factory.mktemp("long") / "my project é")
    slow = {"epochs": EPOCHS, "steps_per_epoch": 30, "schedule": "reduce_on_plateau"}
    project.set(models={"model_1": slow | {"early_stopping": EPOCHS, "dropout": 0.4}})
    project.commit("a longer training")
    return project


@pytest.fixture(scope="module")
def whole(long, tmp_path_factory):
    """The same after a training that nothing interrupted."""
    project = long.copy(tmp_path_factory.mktemp("whole") / "my project é")
    assert "resumed" not in project.dvc("repro", "train@model_1")
    return project


def killed(project, kill, kept=2, env=None):
    """Start a training, and kill it once it has kept some epochs."""
    process = project.start_repro("train@model_1", env=env)
    for _ in range(kept):
        before = state(project)
        while state(project) == before:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
    kill(process)
    process.wait()


def state(project):
    """Tell one checkpoint from the next."""
    return modified(project.folder / "models/.checkpoints/model_1", "*[0-9a-f].npz")


def of_its_group(process):
    os.killpg(process.pid, signal.SIGKILL)


def of_dvc_alone(process):
    process.kill()


# DVC starts a stage through the user's shell: bash makes way for the stage, sh stays above it.
@pytest.mark.parametrize(
    ("kill", "shell"), [(of_its_group, "/bin/bash"), (of_dvc_alone, "/bin/sh")]
)
def test_after_a_kill_repro_resumes_and_ends_with_the_same_bytes(
    long, whole, tmp_path, kill, shell
):
    project = long.copy(tmp_path / "my project é")
    killed(project, kill, env={"SHELL": shell})
    assert "resumed in epoch" in project.dvc("repro", "train@model_1")
    assert not list(project.folder.rglob("*.npz"))
    assert (project.folder / "dvc.lock").read_bytes() == (whole.folder / "dvc.lock").read_bytes()
    for name in ("history/model_1.csv", "signals/model_1.csv", "training/model_1.json"):
        path = f"reports/{name}"
        assert (project.folder / path).read_bytes() == (whole.folder / path).read_bytes()
