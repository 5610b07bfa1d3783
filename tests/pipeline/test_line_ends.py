"""A clone has the bytes that were committed, however Git is told to end lines."""

import json
import sys

import pytest
from conftest import Project

CONFIGURED = {
    "autocrlf": ("core.autocrlf=true",),
    "crlf": ("core.autocrlf=false", "core.eol=crlf"),
}


@pytest.fixture(scope="module", params=CONFIGURED)
def cloned(request, reproduced, tmp_path_factory):
    """A clone by a Git that is told to write Windows' line ends."""
    folder = tmp_path_factory.mktemp("cloned") / "my project é"
    told = [part for setting in CONFIGURED[request.param] for part in ("--config", setting)]
    reproduced.run("git", "clone", "--quiet", *told, ".", str(folder))
    return Project(folder)


def test_no_text_file_of_a_clone_has_a_carriage_return(cloned):
    listed = cloned.git("ls-files", "--eol", "-z").split("\0")
    ends = {line.split("\t")[1]: line.split()[1] for line in listed if line}
    assert "stages/audit.py" in ends
    assert {name for name, end in ends.items() if end not in ("w/lf", "w/-text", "w/none")} == set()
    assert {name for name, end in ends.items() if end == "w/-text"} == {
        name for name in ends if name.endswith(".png")
    }


def test_a_clone_counts_no_code_as_changed_and_no_report_as_damaged(cloned):
    status = json.loads(cloned.dvc("status", "--json", "dvc.yaml"))
    modified = {
        path
        for changes in status.values()
        for change in changes
        for paths in change.values()
        for path, how in paths.items()
        # Folders of reports/ lack the pictures that DVC's cache has.
        if how == "modified" and not (cloned.folder / path).is_dir()
    }
    assert modified == set()
    assert "0 damaged or missing" in cloned.run(sys.executable, "tools/verify.py")


def test_every_shell_script_of_a_clone_is_read_by_bash(cloned):
    scripts = [
        path
        for name in cloned.git("ls-files", "-z").split("\0")
        if name and (path := cloned.folder / name).read_bytes().startswith(b"#!")
        if b"bash" in path.read_bytes().split(b"\n")[0]
    ]
    assert {path.name for path in scripts} >= {"summary.sh", "run"}
    for path in scripts:
        assert b"\r" not in path.read_bytes()
        cloned.run("bash", "-n", str(path))


def test_what_an_editor_of_windows_saves_is_committed_with_unix_line_ends(cloned):
    path = cloned.folder / "params.yaml"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"\n", b"\r\n"))
    cloned.git("add", "params.yaml")
    assert cloned.git("diff", "--cached", "--name-only") == ""
    path.unlink()
    cloned.git("checkout", "--quiet", "HEAD", "--", "params.yaml")
    assert path.read_bytes() == before
