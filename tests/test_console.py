"""A stage that is stopped ends quietly and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a process group")
def test_ctrl_c_ends_a_stage_and_its_workers_without_a_word(tmp_path):
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.phantom", str(tmp_path / "phantom")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as a terminal gives
        # What runs these tests in the background may have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while stage.poll() is None and not any(tmp_path.rglob("*.jpg")):
        time.sleep(0.05)
    os.killpg(stage.pid, signal.SIGINT)
    said = stage.communicate()[1]
    assert stage.returncode == 130
    assert said == ""
    assert list(tmp_path.iterdir()) == []


def test_a_stage_run_outside_of_the_project_says_where_to_stand(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "stages.check", "dataset.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == "check: params.yaml is missing here; run from the project's root\n"
