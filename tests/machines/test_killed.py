"""A kill at any moment, or a full disk, leaves nothing half-written that a later run believes."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from conftest import paths_below

from brain_mri.storage import read_images, write_images

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.machines, pytest.mark.skipif(os.name == "nt", reason="sends signals")]
PAGE = "reports/index.html"  # shows how long training took, by the clock


def lock_of(project):
    """Give what dvc.lock says, but of the page."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    outs = lock["stages"]["report"]["outs"]
    lock["stages"]["report"]["outs"] = [out for out in outs if out["path"] != PAGE]
    return lock


def leftovers(folder):
    return [path for path in paths_below(folder, ".*.partial*") if ".dvc" not in path.parts]


def alive(pid):
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


VICTIMS = {  # a stage: what is killed, the stage, its DVC or both; and when
    "phantom": ("both", "writes"),
    "audit": ("stage", "starts"),
    "prepare": ("dvc", "writes"),
    "balance": ("stage", "writes"),
    "evaluate@model_1": ("both", "starts"),
    "compare": ("dvc", "starts"),
    "select": ("stage", "starts"),
    "report": ("both", "starts"),
}


def kill_first(project, stages):
    """Run `dvc repro`, kill the first of some stages that comes up, and give which; None if none.

    DVC's own order is partly chance.
    """
    holders = {stage: project.folder / f".locks/{stage}.pid" for stage in stages}
    dvc = project.start_repro("--quiet")
    while dvc.poll() is None:
        for stage, holder in holders.items():
            if holder.exists() and (pid := holder.read_text()):
                kill(dvc, int(pid), *VICTIMS[stage], project.folder)
                dvc.wait()
                return stage
        time.sleep(0.01)
    return None


def kill(dvc, pid, victim, moment, folder):
    if moment == "starts":
        time.sleep(random.uniform(0, 0.2))
    while moment == "writes" and alive(pid) and not leftovers(folder):
        pass
    if alive(pid):  # else DVC may be about to write dvc.lock, which is its own
        match victim:
            case "stage":
                os.kill(pid, signal.SIGKILL)
            case "dvc":
                dvc.kill()
            case "both":
                os.killpg(dvc.pid, signal.SIGKILL)


def test_however_a_stage_is_killed_the_next_repro_ends_as_if_nothing_had_been(
    fresh, reproduced, tmp_path
):
    project = fresh.copy(tmp_path / "killed é")
    left = set(VICTIMS)
    while stage := kill_first(project, left):
        left.remove(stage)
    assert left == set()
    project.dvc("repro")
    assert leftovers(project.folder) == []
    assert lock_of(project) == lock_of(reproduced)


def test_what_a_killed_stage_leaves_behind_is_no_dependency_of_another(project):
    for folder in ("reports/metrics", "data/prepared/train"):
        (project.folder / folder / ".metrics.json.partial.json").write_text("{")
    assert json.loads(project.dvc("status", "--json", "dvc.yaml")) == {}
    assert project.git("status", "--short") == ""


def test_a_folder_that_is_being_replaced_is_whole_or_not_there(tmp_path):
    def images(turn):
        row = {"source": "x", "label": str(turn), "group": 0, "patient": "", "weight": 1.0}
        row |= {"transform": "", "same_patient": False}
        index = pd.DataFrame([row | {"twin": False}] * 40)
        write_images(tmp_path / "set", index, np.full((40, 200, 200), turn, np.uint8), shard_mb=1)

    images(0)
    states = set()
    for turn in count():
        if turn >= 60 and "leftovers" in states:
            break
        if not (child := os.fork()):
            try:
                for number in count(turn % 100):
                    images(number % 100)
            finally:
                os._exit(1)  # whatever fails, there is no second pytest
        time.sleep(random.uniform(0.001, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        states.add("leftovers" if leftovers(tmp_path) else "none")
        if (tmp_path / "set").exists():
            stored = read_images(tmp_path / "set")
            assert (stored.images(range(40)) == int(stored.index["label"].iloc[0])).all()
    images(0)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


SETS = "--training data/prepared/train --validation data/prepared/val --testing data/prepared/test"
# What each stage writes to the folder `full`; its inputs are those of the project.
COMMANDS = {
    "phantom": "full/phantom",
    "check": "full/dataset.json --strategies full/strategies.json",
    "audit": "data/phantom --manifest full/manifest.csv --patients full/patients.csv "
    "--reports full",
    "prepare": "data/phantom --manifest data/audit/manifest.csv --output full --reports full",
    "balance": "--in-use data/strategies.json --training data/prepared/train "
    "--output full/balanced",
    "train": "model_1 --activation relu --training data/balanced/none "
    "--validation data/prepared/val --model full/model_1.keras --reports full",
    "evaluate": "model_1 --model models/model_1.keras --validation data/prepared/val "
    "--testing data/prepared/test --reports full --pictures full/pictures",
    "compare": f"{SETS} --manifest data/audit/manifest.csv --reports full",
    "select": f"data/phantom {SETS} --reports reports --models models --output full/best.keras",
    "report": "--reports full",
}
ROOM = {"phantom": 200, "check": 0, "train": 300, "evaluate": 40, "report": 300}  # KiB; else 8


@pytest.fixture(scope="module")
def small_disk(reproduced, tmp_path_factory):
    """A project with a small file system of its own below `full`."""
    project = reproduced.copy(tmp_path_factory.mktemp("di") / "my project é")
    disk = project.folder / "full"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system is mounted by root alone")
    yield project
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk, leave):
    """Fill a file system but for some KiB, and give the file to remove to have room again."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - leave * 1024)
    return filler


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_full_disk_ends_a_stage_with_a_sentence_and_it_runs_once_there_is_room(small_disk, stage):
    disk = small_disk.folder / "full"
    if stage in ("compare", "report"):  # they write beside what they read
        shutil.copytree(small_disk.folder / "reports", disk, dirs_exist_ok=True)
        (disk / "index.html").unlink()
    command = ("python", "-m", f"stages.{stage}", *COMMANDS[stage].split())
    filler = fill(disk, ROOM.get(stage, 8))
    said = small_disk.run(*command, succeeds=False)
    pattern = (
        rf"{stage}(@\w+)?: No space left on device: full/[\w./]+; make room and run it again\n"
    )
    assert re.fullmatch(pattern, said), said
    filler.unlink()
    assert leftovers(disk) == []
    written = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    small_disk.run(*command)
    for path, content in written.items():
        assert path.read_bytes() == content  # it was whole
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.skipif(not shutil.which("unshare"), reason="hides the folders for temporary files")
def test_without_room_for_temporary_files_a_sentence_says_so():
    """Python looks for a place in $TMPDIR, /tmp, /var/tmp and where it runs."""
    places = "/tmp /var/tmp /usr/tmp"
    script = f"""
        for place in {places}; do
          if [ -d $place ]; then
            mount --bind $place $place && mount -o remount,bind,ro $place || exit 77
          fi
        done
        cd /proc && exec "$0" -m stages.train --help
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("a file system is mounted by root alone")
    assert done.returncode == 1
    assert done.stderr == (
        "No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/proc']; "
        "make room there, or name another folder in TMPDIR\n"
    )
