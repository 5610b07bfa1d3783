"""Storage that a team shares: docs/team.md as it stands, against real servers on this machine."""

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import yaml
from conftest import SEARCH, Project, stages_run
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parent.parent
# A block's fence names the clone that it is for, or the kind of remote that it sets up.
BLOCKS = re.findall(
    r"^```sh (\w+)\n(.*?)^```$",
    (ROOT / "docs/team.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
SECRET = "S3cretOfTheTest"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


class SSHStorage:
    """A folder that an sshd of the test's own serves."""

    kind = "ssh"

    def __init__(self, folder, port):
        self.folder = folder / "storage"
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


class S3Storage:
    """A bucket of an S3 server of the test's own."""

    kind = "s3"

    def __init__(self, endpoint, bucket):
        self.env = {
            "REMOTE": f"s3://{bucket}",
            "ENDPOINT": endpoint,
            "ACCESS_KEY": "someone",
            "SECRET_KEY": SECRET,
        }
        self.bucket = boto3.resource(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="someone",
            aws_secret_access_key=SECRET,
        ).create_bucket(Bucket=bucket)

    def objects(self):
        return {found.key for found in self.bucket.objects.filter(Prefix="files/md5/")}

    def write(self, key, content):
        self.bucket.put_object(Key=key, Body=content)


@pytest.fixture(params=["ssh", "s3"])
def storage(request, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    if request.param == "ssh":
        yield from serve_ssh(tmp_path / "server")
    else:
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            yield S3Storage("http://{}:{}".format(*server.get_host_and_port()), "storage")
        finally:
            server.stop()


def serve_ssh(folder):
    """Run an ordinary sshd, with a configuration and keys of its own, as whoever runs the test."""
    if not SSHD:
        pytest.skip("openssh-server is not installed")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # wanted of root; Debian's service makes it
    folder.mkdir()
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


def sh(project, storage, text):
    """Run a block of the document."""
    return project.run("bash", "-euo", "pipefail", "-c", text, env=storage.env)


def connect(project, storage):
    [text] = [text for name, text in BLOCKS if name == storage.kind]
    sh(project, storage, text)


def clone_of(project, folder):
    project.run("git", "clone", "--quiet", ".", str(folder))
    return Project(folder)


def test_every_command_of_the_document_is_in_a_block_that_is_run():
    text = (ROOT / "docs/team.md").read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(BLOCKS)
    assert {name for name, _ in BLOCKS} == {"ssh", "s3", "first", "second"}


def test_results_experiments_and_grids_go_between_clones_as_the_document_says(
    project, storage, tmp_path
):
    shared = tmp_path / "shared é.git"
    project.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(shared))
    project.git("remote", "add", "origin", str(shared))
    storage.env["GIT"] = str(shared)
    elsewhere = tmp_path / "elsewhere é"
    elsewhere.mkdir()
    clones = {"first": project, "second": Project(elsewhere)}
    connect(project, storage)
    said = {}
    for name, text in BLOCKS:
        if name not in clones:
            continue
        said[text.split("\n")[0]] = sh(clones[name], storage, text)
        if text.startswith("git clone"):
            clones["second"] = Project(elsewhere / "brain-mri")
            connect(clones["second"], storage)

    [repro] = [text for command, text in said.items() if command == "dvc pull dvc.yaml"]
    assert stages_run(repro) == set()
    assert "Data and pipelines are up to date." in repro
    [compared] = [text for text in said.values() if "Metric " in text]
    assert re.search(r"metrics\.json +model_1\.loss +[\d.]+ +[\d.]+ +-?[\d.]+", compared)
    assert said["dvc exp apply faster"].count("fetched") == 1
    last = project.dvc("exp", "show", "--json", "--no-pager")
    [grid] = [
        text for command, text in said.items() if command.startswith("python tools/grid.py -S")
    ]
    assert "2 of 2 points ran here" in grid
    assert len(set(re.findall(r"\bgrid-[0-9a-f]{10}\b", last))) == 2
    assert said["python tools/grid.py --list"] == "grid: no point is claimed\n"
    for clone in clones.values():
        assert clone.git("status", "--short") == ""
        assert SECRET not in clone.git("log", "--all", "--patch")
        assert "storage" not in (clone.folder / ".dvc/config").read_text()


def test_a_push_that_is_killed_and_repeated_loses_nothing(project, storage, tmp_path):
    connect(project, storage)
    push = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push", "--quiet", "--jobs", "1", "dvc.yaml"],
        cwd=project.folder,
        env=os.environ | SEARCH,
        start_new_session=True,
    )
    while push.poll() is None and len(storage.objects()) < 20:
        time.sleep(0.01)
    os.killpg(push.pid, signal.SIGKILL)
    assert push.wait() == -signal.SIGKILL
    partial = storage.objects()
    project.dvc("push", "dvc.yaml")
    assert 20 <= len(partial) < len(storage.objects())
    other = clone_of(project, tmp_path / "other é")
    connect(other, storage)
    other.dvc("pull", "dvc.yaml")
    assert json.loads(other.dvc("status", "--json", "dvc.yaml")) == {}
    assert "0 damaged or missing" in other.run(sys.executable, "tools/verify.py")


def test_a_file_that_is_not_what_was_pushed_is_refused(project, storage, tmp_path):
    connect(project, storage)
    model = "models/model_1.keras"
    project.dvc("push", model)
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    outs = lock["stages"]["train@model_1"]["outs"]
    [digest] = [out["md5"] for out in outs if out["path"] == model]
    storage.write(f"files/md5/{digest[:2]}/{digest[2:]}", b"another model")
    other = clone_of(project, tmp_path / "other é")
    connect(other, storage)
    assert model in other.dvc("pull", model, succeeds=False)
    assert not (other.folder / model).exists()


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
