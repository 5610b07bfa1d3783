"""A Dask cluster gives the same bytes, and where it cannot work a sentence says why.

Schedulers and workers are the real ones, processes of their own on this machine.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import paths_below

from brain_mri.data.twins import find_twins
from brain_mri.errors import InputError
from brain_mri.parallel import map_in_order

distributed = pytest.importorskip("distributed", reason="`make cluster` installs Dask")
pytestmark = [pytest.mark.machines, pytest.mark.skipif(os.name == "nt", reason="sends signals")]

ROOT = Path(__file__).parents[2]
AUDIT = (
    "audit data/phantom --manifest made/manifest.csv --patients made/patients.csv --reports made"
)


@contextmanager
def dask(*arguments, cwd, before=()):
    """Run a command of Dask as a user types it, and end it and what it started."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "dask", *arguments],
        cwd=cwd,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(condition):
    for _ in range(4000):  # 200 s, which only what hangs takes
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError


class Cluster:
    """A scheduler on a free port, its workers in order of their start, and a client to look in."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.workers = folder, stack, []
        told = Path(stack.enter_context(TemporaryDirectory())) / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        start = dask("scheduler", *options, "--scheduler-file", str(told), cwd=folder)
        self.scheduler = stack.enter_context(start)
        self.address = until(lambda: told.exists() and told.stat().st_size and self._read(told))
        self.client = distributed.Client(self.address, timeout=100, set_as_default=False)
        stack.callback(self.client.close)

    def _read(self, told):
        with suppress(ValueError):
            return json.loads(told.read_text(encoding="utf-8"))["address"]

    def start_worker(self, threads=1, cwd=None, before=(), nanny="--no-nanny"):
        """Start a worker of one process, and wait until the scheduler knows it."""
        options = ("--nthreads", str(threads), nanny, "--no-dashboard")
        start = dask("worker", self.address, *options, cwd=cwd or self.folder, before=before)
        self.workers.append(self.stack.enter_context(start))
        self.client.wait_for_workers(len(self.workers), timeout=100)

    def kill_workers(self):
        """Kill every worker, and wait until the scheduler has noticed."""
        for worker in self.workers:
            worker.kill()
        until(lambda: not self.client.nthreads())
        self.workers.clear()

    def holds(self, state=None):
        """Count the tasks that the scheduler holds, of any state or of one."""

        def count(dask_scheduler):
            return sum(state in (None, task.state) for task in dask_scheduler.tasks.values())

        return self.client.run_on_scheduler(count)

    def done(self):
        """Count what has happened to tasks."""
        return self.client.run_on_scheduler(
            lambda dask_scheduler: dask_scheduler.transition_counter
        )


@contextmanager
def cluster_in(folder, workers):
    with ExitStack() as stack:
        cluster = Cluster(folder, stack)
        for _ in range(workers):
            cluster.start_worker()
        yield cluster


@pytest.fixture(scope="module")
def cluster(reproduced, tmp_path_factory):
    """A scheduler and two workers in a copy of the reproduced project, for tests that kill none."""
    project = reproduced.copy(tmp_path_factory.mktemp("cl") / "my project é")
    with cluster_in(project.folder, workers=2) as cluster:
        cluster.project = project
        project.set(compute=cluster.address)
        yield cluster


@pytest.fixture
def impatient(tmp_path, monkeypatch):
    """Wait a second only, in a folder where a test can leave its files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("brain_mri.cluster.CONNECT", 1)
    monkeypatch.setattr("brain_mri.cluster.LOST", 1)


@pytest.fixture
def bare(impatient):
    """A scheduler without workers yet; those start in the project itself."""
    with cluster_in(ROOT, workers=0) as bare:
        yield bare


@pytest.fixture
def breakable(cluster, tmp_path):
    """A scheduler and two workers in a project of their own, to be killed."""
    project = cluster.project.copy(tmp_path / "my project é")
    with cluster_in(project.folder, workers=2) as breakable:
        breakable.project = project
        project.set(compute=breakable.address)
        yield breakable


def start_stage(command, folder, **variables):
    return subprocess.Popen(
        [sys.executable, "-m", *f"stages.{command}".split()],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What runs these tests in the background may have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def same_as_committed(project):
    """Tell whether what audit and prepare made is what the pipeline has made on this machine."""
    pairs = {
        "made/manifest.csv": "data/audit/manifest.csv",
        "made/audit.json": "reports/audit.json",
        "made/audit/findings.json": "reports/audit/findings.json",
    }
    return all(
        (project.folder / one).read_bytes() == (project.folder / other).read_bytes()
        for one, other in pairs.items()
    )


def left(folder):
    return [path for path in paths_below(folder, ".*.partial*") if ".dvc" not in path.parts]


def test_where_the_work_is_done_changes_no_byte_and_reruns_nothing(cluster):
    """`dvc.lock` has the digests of all that phantom, audit and prepare wrote."""
    project = cluster.project
    assert json.loads(project.dvc("status", "--json", "dvc.yaml")) == {}
    for stage in ("phantom", "audit", "prepare"):
        before = cluster.done()
        project.dvc("repro", "--single-item", "--force", stage)
        assert cluster.done() > before
    assert project.git("status", "--short") == " M params.yaml\n"
    assert left(project.folder) == []
    until(lambda: cluster.holds() == 0)


def test_a_killed_worker_costs_time_and_nothing_else(breakable):
    stage = start_stage(AUDIT, breakable.folder)
    until(lambda: stage.poll() is not None or breakable.holds("processing"))
    breakable.workers[0].kill()
    _, said = stage.communicate()
    assert (stage.returncode, said) == (0, "")
    assert same_as_committed(breakable.project)
    assert len(breakable.client.nthreads()) == 1


def test_results_that_a_killed_worker_held_are_made_again(bare):
    bare.start_worker()
    bare.start_worker()

    def slowly(n):
        time.sleep(0.02)
        return n, os.getpid()

    found = map_in_order(slowly, range(200), "test", chunksize=2, compute=bare.address)
    results = [next(found)]
    os.kill(results[0][1], signal.SIGKILL)
    results += found
    assert [n for n, _ in results] == list(range(200))
    assert len({pid for _, pid in results}) > 1


def test_the_scheduler_holds_no_more_than_is_in_flight(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("brain_mri.parallel.IN_FLIGHT", 12)
    found = map_in_order(lambda n: n, range(500), "test", chunksize=2, compute=cluster.address)
    taken = []
    for n in found:
        taken.append(n)
        if n % 50 == 0:
            until(lambda: cluster.holds() <= 12 / 2)  # it may not have heard yet what was taken
    assert taken == list(range(500))
    until(lambda: cluster.holds() == 0)


def test_a_cluster_finds_the_twins_that_one_process_finds(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    one = rng.integers(0, 256, (6, 2, 64, 64), np.uint8)
    fingerprints = np.concatenate([one, one[:2], one[3:4, ..., ::-1]])
    apply = partial(map_in_order, title="twins", chunksize=1, compute=cluster.address)
    alone, together = find_twins(fingerprints, 4), find_twins(fingerprints, 4, apply, tmp_path)
    assert len(alone.pairs) == 3
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()
    assert left(tmp_path) == []


def test_ctrl_c_ends_a_stage_without_a_word_and_cancels_its_tasks(breakable):
    stage = start_stage(AUDIT, breakable.folder)
    until(lambda: stage.poll() is not None or breakable.holds("processing"))
    os.killpg(stage.pid, signal.SIGINT)
    assert stage.communicate() == ("", "")
    assert stage.returncode == 130
    until(lambda: breakable.holds() == 0)
    assert left(breakable.folder) == []


def test_what_a_killed_twin_search_leaves_behind_is_cleared_by_the_next(breakable):
    made = breakable.folder / "made"
    stage = start_stage(AUDIT, breakable.folder)
    until(lambda: stage.poll() is not None or left(made))
    stage.kill()
    stage.communicate()
    assert [path.name for path in left(made)] == [".manifest.csv.partial.scratch"]
    until(lambda: breakable.holds() == 0)
    breakable.project.run(sys.executable, "-m", *f"stages.{AUDIT}".split())
    assert left(made) == []
    assert same_as_committed(breakable.project)
    assert breakable.project.git("status", "--short", "--", "made/.*") == ""


def sentence(address, function=lambda n: n, items=range(40), **options):
    """Give the sentence that a use of a cluster ends with."""
    with pytest.raises(InputError) as error:
        list(map_in_order(function, items, "test", chunksize=1, compute=address, **options))
    return str(error.value)


@pytest.mark.parametrize("who", ["no one", "someone else", "someone without TLS"])
def test_where_no_scheduler_answers_a_sentence_says_so(impatient, who):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if who != "no one":
            listening.listen()
        scheme = "tls" if who == "someone without TLS" else "tcp"
        address = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        said = sentence(address)
    assert said.startswith(f"compute is '{address}', but no Dask scheduler answers there (")
    assert "\n" not in said


def test_a_stage_gives_an_absent_scheduler_ten_seconds_and_ends_with_one_line(cluster, tmp_path):
    from brain_mri.cluster import CONNECT  # not above, since it needs Dask

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        project = cluster.project.copy(tmp_path / "my project é")
        project.set(compute=address)
        assert CONNECT == 10
        said = project.run(*f"python -m stages.{AUDIT}".split(), succeeds=False)
    assert said.count("\n") == 1
    assert said.startswith(f"audit: compute is '{address}', but no Dask scheduler answers there (")


def test_a_cluster_that_loses_its_workers_ends_with_a_sentence(bare):
    bare.start_worker()

    def slowly(n):
        time.sleep(0.05)

    found = map_in_order(slowly, range(400), "test", chunksize=1, compute=bare.address)
    next(found)
    bare.workers[0].kill()
    none = f"the Dask scheduler at {bare.address} has no workers; start some, as docs/"
    with pytest.raises(InputError, match=none):
        list(found)
    bare.kill_workers()
    assert sentence(bare.address).startswith(none)  # nor has it any at the start


def test_a_scheduler_that_is_killed_ends_a_stage_with_one_line(breakable):
    stage = start_stage(AUDIT, breakable.folder)
    until(lambda: stage.poll() is not None or breakable.holds("processing"))
    breakable.scheduler.kill()
    said = f"audit: the Dask scheduler at {breakable.address} is gone, and its work with it; "
    assert stage.communicate() == ("", f"{said}run it again\n")
    assert stage.returncode == 1


def test_an_item_that_kills_its_workers_ends_with_a_sentence(bare, monkeypatch):
    monkeypatch.setattr("brain_mri.cluster.LOST", 60)
    bare.start_worker(nanny="--nanny")  # which starts it anew
    said = sentence(bare.address, lambda n: os._exit(1), [0])
    assert "4 workers of " in said
    assert "were killed at the same images" in said


def test_an_error_of_a_function_comes_through_as_it_is(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fails(n):
        raise InputError(f"{n} is not as the audit saw it")

    assert sentence(cluster.address, fails) == "0 is not as the audit saw it"
    assert list(map_in_order(str, range(3), "test", compute=cluster.address)) == ["0", "1", "2"]


def test_a_worker_with_more_threads_or_other_code_is_named(bare, tmp_path):
    bare.start_worker(threads=2)
    assert "has 2 threads; start it with --nthreads 1" in sentence(bare.address)
    bare.kill_workers()
    for name in ("brain_mri", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name)
    with (tmp_path / "brain_mri/data/decoding.py").open("a") as file:
        file.write("# as it was last week\n")
    bare.start_worker(cwd=tmp_path)
    said = sentence(bare.address)
    assert f"the Dask worker {next(iter(bare.client.nthreads()))} has the code brain_mri/ " in said
    assert "start it anew, in this project's folder and environment" in said


def test_a_worker_that_cannot_import_the_project_ends_with_a_sentence(bare, tmp_path):
    bare.start_worker(cwd=tmp_path)
    assert f"a Dask worker of {bare.address} cannot import brain_mri; " in sentence(bare.address)


def test_a_worker_that_does_not_share_the_folder_is_named(bare, tmp_path):
    hide = f'mount -t tmpfs tmpfs "{tmp_path}" && exec "$@"'
    before = ("unshare", "--mount", "sh", "-c", hide, "sh")
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("a file system is mounted by root alone")
    bare.start_worker(before=before)
    assert f"does not see the folder {tmp_path}; all machines" in sentence(bare.address)


def test_without_dask_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "brain_mri.cluster", raising=False)
    said = sentence("tcp://127.0.0.1:8786")
    assert said == "compute is 'tcp://127.0.0.1:8786', which needs Dask; `make cluster` installs it"


def test_dask_is_not_imported_for_local_work(tmp_path):
    script = """
import sys
from stages import audit, phantom, prepare
from brain_mri.parallel import map_in_order
if __name__ == "__main__":
    assert list(map_in_order(str, [1, 2], "test")) == ["1", "2"]
    assert not {"dask", "distributed", "cloudpickle"} & set(sys.modules)
"""
    (tmp_path / "script.py").write_text(script)
    root = str(Path(__file__).parents[2])
    subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        check=True,
    )
