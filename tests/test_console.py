"""A stage runs alone, and one that is stopped ends quietly and leaves nothing behind."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from conftest import paths_below

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")
# A stage that runs until it is stopped.
HOLDER = """
import time
from brain_mri.console import stage
with stage("prepare"):
    print("runs", flush=True)
    time.sleep(600)
"""

# A stage that tells whether Python looks for garbage, while it is imported and while it works.
COLLECTOR = """
import gc, sys
sys.argv = ["-m"]  # as while Python looks for the module of a stage
import stages
print(gc.isenabled())
from brain_mri.console import stage
with stage("prepare") as done:
    print(gc.isenabled())
    done("all")
"""


@pytest.fixture
def start(tmp_path):
    """Start Python in a folder and a process group of its own, as a terminal gives."""
    started = []

    def start(*arguments, cwd=tmp_path, **variables):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # What runs these tests in the background may have them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(condition):
    for _ in range(2000):  # 100 s, which only what hangs takes
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def busy(process):
    """Tell the workers of a stage from Python's tracker of what they share."""
    return "spawn_main" in " ".join(process.cmdline())


def drawing(start, folder):
    """Start to draw a data set, and give the process once its workers draw."""
    shutil.copy(ROOT / "params.yaml", folder)
    stage = start("-m", "stages.phantom", "data/phantom")
    until(lambda: stage.poll() is not None or paths_below(folder, "*.jpg"))
    assert stage.poll() is None
    return stage


def test_ctrl_c_ends_a_stage_and_its_workers_without_a_word(start, tmp_path):
    stage = drawing(start, tmp_path)
    os.killpg(stage.pid, signal.SIGINT)
    said = stage.communicate()[1]
    assert stage.returncode == 130
    assert said == ""
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at what a process has loaded")
@pytest.mark.parametrize(("module", "library"), [("train", "tensorflow"), ("compare", "scipy")])
def test_ctrl_c_ends_a_stage_without_a_word_while_it_still_imports(start, module, library):
    stage = start("-m", f"stages.{module}", "--help", cwd=ROOT)
    loaded = Path(f"/proc/{stage.pid}/maps")
    until(lambda: stage.poll() is not None or library in loaded.read_text())
    os.killpg(stage.pid, signal.SIGINT)
    assert stage.communicate() == ("", "")
    assert stage.returncode == 130


def test_ctrl_c_ends_a_stage_even_where_python_cannot_raise_it(start):
    """As in the callback of a weak reference, after which it would go on with a traceback shown."""
    script = """
import sys
sys.argv = ["-m"]
import stages
class Interrupted:
    def __del__(self):
        raise KeyboardInterrupt
Interrupted()
print("goes on")
"""
    stage = start("-c", script)
    assert stage.communicate() == ("", "")
    assert stage.returncode == 130


def test_a_second_stage_of_the_same_name_waits_until_the_first_was_killed(start):
    first = start("-c", HOLDER)
    assert first.stdout.readline() == "runs\n"
    second = start("-c", HOLDER)
    assert second.stderr.readline() == f"prepare: waits for prepare of process {first.pid} to end\n"
    assert second.poll() is None
    first.kill()
    assert second.stdout.readline() == "runs\n"


def test_after_a_stage_that_was_ended_from_outside_the_next_says_so_once(start):
    first = start("-c", HOLDER)
    assert first.stdout.readline() == "runs\n"
    first.kill()
    first.wait()
    second, third = (start("-c", HOLDER.replace("600", "0")).communicate()[1] for _ in range(2))
    assert second == (
        "prepare: the last prepare here was ended from outside or crashed, as happens where memory "
        "is short\n"
    )
    assert third == ""


@pytest.mark.skipif(not psutil.LINUX, reason="limits its memory")
def test_a_stage_that_has_too_little_memory_says_what_to_lower(start):
    script = HOLDER.replace("time.sleep(600)", "numpy.ones((30_000, 30_000))")
    limit = "import numpy, resource\nresource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))\n"
    stage = start("-c", limit + script)
    assert stage.communicate()[1] == (
        "prepare: there is not enough memory; end other programs that use it, or lower image_size "
        "or compare.resamples\n"
    )
    assert stage.returncode == 1


def test_a_stage_one_of_whose_workers_is_killed_says_so(start, tmp_path):
    stage = drawing(start, tmp_path)
    workers = [process for process in psutil.Process(stage.pid).children() if busy(process)]
    workers[0].kill()
    assert stage.communicate()[1] == (
        "phantom: a process that worked on the images was killed, as the system does where memory "
        "is short; run it again\n"
    )
    assert stage.returncode == 1
    assert list((tmp_path / "data").iterdir()) == []


def test_stages_in_two_folders_or_of_two_names_do_not_wait(start, tmp_path):
    other = tmp_path / "clone"
    other.mkdir()
    balance = HOLDER.replace("prepare", "balance@none")
    for stage in [start("-c", HOLDER), start("-c", HOLDER, cwd=other), start("-c", balance)]:
        assert stage.stdout.readline() == "runs\n"


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])  # sh may stay above the stage
def test_a_stage_that_dvc_started_ends_once_dvc_was_killed(start, shell):
    command = shlex.join([sys.executable, "-c", HOLDER])
    environment = 'os.environ | {"DVC_STAGE": "prepare"}'
    script = "import os, subprocess\n"
    script += f"subprocess.run([{shell!r}, '-c', {command!r}], env={environment})"
    dvc = start("-c", script)
    assert dvc.stdout.readline() == "runs\n"
    below = psutil.Process(dvc.pid).children(recursive=True)
    dvc.kill()
    until(lambda: all(ended(process.pid) for process in below))
    assert dvc.communicate() == ("", "")


def test_the_workers_of_a_killed_stage_end(start, tmp_path):
    stage = drawing(start, tmp_path)
    workers = psutil.Process(stage.pid).children()
    assert len(workers) > 1
    stage.kill()
    until(lambda: all(ended(worker.pid) for worker in workers))


def test_a_stage_run_outside_of_the_project_says_where_to_stand(start):
    stage = start("-m", "stages.check", "dataset.json", "--strategies", "strategies.json")
    said = stage.communicate()[1]
    assert stage.returncode == 1
    assert said == "check: params.yaml is missing here; run from the project's root\n"


def test_a_stage_that_works_long_does_not_keep_its_garbage(start):
    said, _ = start("-c", COLLECTOR).communicate()
    assert said.splitlines()[:2] == ["False", "True"]
