"""Storage that a team shares: docs/team.md as it stands, against real servers on this machine."""

import getpass
import json
import logging
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, SEARCH, Project, blocks, stages_run

from tests.faults import write_dataset

pytestmark = pytest.mark.machines

boto3 = pytest.importorskip("boto3", reason="`make test` installs it")
moto = pytest.importorskip("moto.server", reason="`make test` installs it")

# Each is for one of two clones, sets up a kind of remote, is for one of two that share a set of
# their own, of a merge, or of a grid: test_grid.py runs these.
BLOCKS = blocks("docs/team.md")
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
}
SECRET = secrets.token_hex()
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
LONG = 900  # seconds, after which what a test waits for will not come


class SSHStorage:
    """A folder that an sshd of the test's own serves."""

    kind = "ssh"
    config = None  # what the document's commands wrote, once they have

    def __init__(self, folder, port):
        self.folder, self.port = folder / "storage", port
        self.env = {
            "REMOTE": f"ssh://{getpass.getuser()}@127.0.0.1:{port}{self.folder}",
            "KEY": str(folder / "key"),
        }

    def objects(self):
        """Give the keys of all whole objects; one that is being written begins with a dot."""
        return {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.glob("files/md5/??/*")
            if not path.name.startswith(".")
        }

    def write(self, key, content):
        path = self.folder / key
        path.chmod(0o644)
        path.write_bytes(content)

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class S3Storage:
    """A bucket of an S3 server of the test's own."""

    kind = "s3"
    config = None

    def __init__(self, port):
        self.port = port
        self.env = {
            "REMOTE": "s3://storage/folder",
            "ENDPOINT": f"http://127.0.0.1:{port}",
            "ACCESS_KEY": "someone",
            "SECRET_KEY": SECRET,
        }
        self.bucket = boto3.resource(
            "s3",
            endpoint_url=self.env["ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id="someone",
            aws_secret_access_key=SECRET,
        ).create_bucket(Bucket="storage")

    def objects(self):
        found = self.bucket.objects.filter(Prefix="folder/files/md5/")
        return {each.key.removeprefix("folder/") for each in found}

    def write(self, key, content):
        self.bucket.put_object(Key=f"folder/{key}", Body=content)

    def clear(self):
        self.bucket.objects.delete()


@pytest.fixture(scope="session")
def ssh(tmp_path_factory):
    """Run an ordinary sshd, with a configuration and keys of its own, as whoever runs the test."""
    if not SSHD:
        pytest.skip("openssh-server is not installed")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # wanted of root; Debian's service makes it
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(make, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "key.pub",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",  # a folder above is everybody's: /tmp
        "UsePAM": "no",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
    try:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        assert server.poll() is None, (folder / "log").read_text()
        yield SSHStorage(folder, port)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def s3():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield S3Storage(server.get_host_and_port()[1])
    finally:
        server.stop()


@pytest.fixture(params=["ssh", "s3"])
def storage(request, monkeypatch):
    """Storage of each kind, empty."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    storage = request.getfixturevalue(request.param)
    storage.clear()
    return storage


class FailingLink:
    """A link to a server that carries so many bytes to it, and then no more, but stays open."""

    def __init__(self, port, capacity):
        self.server, self.left, self.counting = port, capacity, threading.Lock()
        self.failed = threading.Event()
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self.sockets[0].getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):  # closed
            while True:
                client, _ = self.sockets[0].accept()
                server = socket.create_connection(("127.0.0.1", self.server))
                self.sockets += [client, server]
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source, target, there):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if there:
                    with self.counting:
                        data = data[: self.left]
                        self.left -= len(data)
                target.sendall(data)
                if there and not self.left:
                    self.failed.set()
                    return
            target.shutdown(socket.SHUT_WR)

    def close(self):
        for each in self.sockets:
            with suppress(OSError):  # it has gone already
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def sh(project, storage, text):
    """Run a block of the document."""
    return project.run("bash", "-euo", "pipefail", "-c", text, env=storage.env)


def connect(project, storage):
    """Set up the remote as the document says; once, since it is the same file each time."""
    config = project.folder / ".dvc/config.local"
    if storage.config is None:
        [text] = [text for name, text in BLOCKS if name == storage.kind]
        sh(project, storage, text)
        storage.config = config.read_text()
    config.write_text(storage.config)


def clone_of(project, folder):
    project.run("git", "clone", "--quiet", ".", str(folder))
    return Project(folder)


@pytest.fixture
def benchmark(project):
    """The stages that make the benchmark's data: no step of the document needs a training."""
    for name in ("dvc.yaml", "dvc.lock"):
        path = project.folder / name
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        head = {key: content[key] for key in ("schema", "vars") if key in content}
        kept = {
            stage: content["stages"][stage] for stage in ("phantom", "check", "audit", "prepare")
        }
        path.write_text(yaml.safe_dump(head | {"stages": kept}, sort_keys=False))
    project.commit("data alone")
    return project


@pytest.fixture(scope="session")
def pictures_alone(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("pictures") / "first")
    (project.folder / "pictures").mkdir(parents=True)
    for n in range(8):
        (project.folder / f"pictures/{n}").write_bytes(random.Random(n).randbytes(200_000))
    project.git("init", "--quiet", "--initial-branch=main")
    project.dvc("init", "--quiet")
    project.dvc("add", "--quiet", "pictures")
    project.commit("pictures")
    return project


@pytest.fixture
def pictures(pictures_alone, tmp_path):
    """A project that is a folder of eight files, of 200 kB each."""
    return pictures_alone.copy(tmp_path / "pictures é")


def contents(project):
    return {path.name: path.read_bytes() for path in (project.folder / "pictures").iterdir()}


def test_every_command_of_the_document_is_in_a_block_that_is_run():
    text = (ROOT / "docs/team.md").read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(BLOCKS)
    assert {name for name, _ in BLOCKS} == {
        *("ssh", "s3", "first", "second", "owner", "colleague", "grid", "merge")
    }


def test_results_and_experiments_go_between_clones_as_the_document_says(
    benchmark, storage, tmp_path
):
    shared = tmp_path / "shared é.git"
    benchmark.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(shared))
    benchmark.git("remote", "add", "origin", str(shared))
    storage.env["GIT"] = str(shared)
    elsewhere = tmp_path / "elsewhere é"
    elsewhere.mkdir()
    clones = {"first": benchmark, "second": Project(elsewhere)}
    connect(benchmark, storage)
    said = {}
    for name, text in BLOCKS:
        if name in clones:
            said[text.split("\n")[0]] = sh(clones[name], storage, text)
        if text.startswith("git clone"):
            clones["second"] = Project(elsewhere / "brain-mri")
            connect(clones["second"], storage)

    assert stages_run(said["dvc pull"]) == set()
    assert "Data and pipelines are up to date." in said["dvc pull"]
    assert stages_run(said["dvc exp run --name leaky -S leakage=keep prepare"]) == {"prepare"}
    compared = said["dvc exp pull --no-cache origin"]
    assert re.search(r"splits\.json .* +\d+ +\d+ +-?\d+", compared)
    assert "data/prepared/train/" in said["dvc exp branch leaky try-leaky"]
    for clone in clones.values():
        assert clone.git("status", "--short") == ""
        assert clone.git("log", "--all", "--oneline", "-S", SECRET) == ""
        assert "storage" not in (clone.folder / ".dvc/config").read_text()


def test_a_set_of_ones_own_goes_between_clones_as_the_document_says(benchmark, tmp_path):
    shared = tmp_path / "shared é.git"
    benchmark.run("git", "clone", "--quiet", "--bare", ".", str(shared))
    benchmark.git("remote", "add", "origin", str(shared))
    clones = {"owner": benchmark, "colleague": clone_of(benchmark, tmp_path / "colleague é")}
    clones["colleague"].git("remote", "set-url", "origin", str(shared))
    for clone in clones.values():
        clone.dvc("remote", "add", "--local", "--default", "storage", str(tmp_path / "storage"))
    write_dataset(benchmark.folder / "data/mine", classes=("cat", "dog"))
    benchmark.git("add", ".")
    assert benchmark.git("status", "--short") == ""  # nothing of it can be committed by accident
    said = {}
    for name, text in BLOCKS:
        if name in clones:
            said[name] = clones[name].run("bash", "-euo", "pipefail", "-c", text, env=AUTHOR)
    assert stages_run(said["colleague"]) == {"check", "audit", "prepare"}
    assert "20 files, 0 refused" in said["colleague"]
    for clone in clones.values():
        clone.git("restore", ".")
        clone.dvc("checkout", "--quiet", "dvc.yaml")
        assert (clone.folder / "data/mine/Training/cat/0.png").is_file()
        assert clone.git("status", "--short") == ""


def test_two_branches_that_both_ran_are_merged_and_nothing_is_trained_twice(project):
    project.git("config", "user.name", "Test")
    project.git("config", "user.email", "test@example.org")
    for branch, model in (("other", "model_1"), ("main", "model_3")):
        project.git("switch", "--quiet", *(["--create"] if branch == "other" else []), branch)
        project.dvc("checkout")
        project.set(models={model: {"epochs": 2}})
        project.dvc("repro")
        project.git("commit", "--quiet", "--all", "--message", f"train {model} longer")
    first, second = (text for name, text in BLOCKS if name == "merge")
    said = project.type_in(first)
    assert "CONFLICT (content): Merge conflict in dvc.lock" in said
    assert project.git("diff", "--name-only", "--diff-filter=U") == ""
    said = project.type_in(second)
    assert stages_run(said) == {"check", "compare", "select", "report"}
    assert project.git("status", "--short") == ""
    assert json.loads(project.dvc("status", "--json")) == {}
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    for model in ("model_1", "model_3"):
        path = project.folder / f"reports/training/{model}.json"
        assert json.loads(path.read_text(encoding="utf-8"))[model]["epochs"] == 2
        trained = lock[f"train@{model}"]["params"]["params.yaml"]
        assert trained[f"models.{model}"]["epochs"] == 2
    assert len(project.git("log", "-1", "--format=%p").split()) == 2
    project.type_in("git restore . && dvc checkout")


def test_a_push_that_is_killed_and_repeated_loses_nothing(pictures, storage, tmp_path):
    connect(pictures, storage)
    link = FailingLink(storage.port, 1_000_000)  # bytes: five of the eight files, or less
    config = pictures.folder / ".dvc/config.local"
    config.write_text(storage.config.replace(f":{storage.port}", f":{link.port}"))
    push = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push", "--quiet", "--jobs", "1"],
        cwd=pictures.folder,
        env=os.environ | SEARCH,
    )
    try:
        end = time.monotonic() + LONG
        while not link.failed.wait(0.1):
            assert push.poll() is None
            assert time.monotonic() < end
    finally:
        push.kill()
        push.wait()
        link.close()
    partial = storage.objects()
    connect(pictures, storage)
    pictures.dvc("push")
    assert 0 < len(partial) < len(storage.objects()) == 9
    assert partial < storage.objects()
    other = clone_of(pictures, tmp_path / "other é")
    connect(other, storage)
    other.dvc("pull")
    assert contents(other) == contents(pictures)


@pytest.mark.parametrize("storage", ["ssh"], indirect=True)
def test_a_file_that_is_not_what_was_pushed_is_refused(pictures, storage, tmp_path):
    connect(pictures, storage)
    pictures.dvc("push")
    storage.write(min(key for key in storage.objects() if "." not in key), b"another picture")
    other = clone_of(pictures, tmp_path / "other é")
    connect(other, storage)
    assert "pictures" in other.dvc("pull", succeeds=False)
    assert not (other.folder / "pictures").exists()


def versions(name):
    """Give the packages of a lock, each with its versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("name", ["requirements-team.txt", "requirements-test.txt"])
def test_an_extra_lock_changes_no_version_of_the_lock(name):
    main, extra = versions("requirements.txt"), versions(name)
    assert "dvc" in main
    assert len(extra.keys() & main.keys()) > 10
    assert {
        package for package in extra.keys() & main.keys() if extra[package] - main[package]
    } == set()
