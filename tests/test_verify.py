"""Damage to an output or to DVC's cache is named, and mended by the command that is named too."""

import hashlib
import json
import re
import sys

import yaml

VERIFY = (sys.executable, "tools/verify.py")
REPRODUCE = (sys.executable, "tools/reproduce.py")


def cached(project, path):
    """Give the cache's file of what an output holds."""
    return in_cache(project, hashlib.md5((project.folder / path).read_bytes()).hexdigest())


def in_cache(project, digest):
    return project.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def listed(project, stage):
    """Give the cache's list of the folder that a stage writes."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    return in_cache(project, lock["stages"][stage]["outs"][0]["md5"])


def damage(path):
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_lock_that_is_lost_is_no_all_clear(project):
    (project.folder / "dvc.lock").unlink()
    said = project.run(*VERIFY, succeeds=False)
    assert "dvc.lock says nothing of" in said
    assert "train@model_1" in said


def test_whatever_is_damaged_is_named_and_mended_by_the_command_shown(project):
    assert "0 damaged or missing" in project.run(*VERIFY)
    lock = (project.folder / "dvc.lock").read_bytes()
    here = project.folder
    damage(cached(project, "models/model_1.keras"))
    cached(project, "models/model_2.keras").unlink()
    damage(listed(project, "balance@augment"))
    damage(here / "reports/model_2/grad_cam/000.png")
    (here / "data/prepared/test/index.csv").unlink()
    damage(cached(project, "data/dataset.json"))
    damage(here / "data/dataset.json")
    damage(here / "reports/comparison.json")
    said = project.run(*VERIFY, succeeds=False)
    found = re.findall(r"^(.*); to restore it: (.*)$", said, re.MULTILINE)
    assert {what for what, _ in found} == {
        "damaged in the cache: models/model_1.keras",
        "missing in the cache: models/model_2.keras",
        "damaged in the cache: data/balanced/augment",
        "damaged: reports/model_2/grad_cam/000.png",
        "missing: data/prepared/test/index.csv",
        "damaged: data/dataset.json",
        "damaged in the cache: data/dataset.json",
        "damaged: reports/comparison.json",
    }
    for command in dict.fromkeys(command for _, command in found):
        project.run("sh", "-c", command)
    assert "0 damaged or missing" in project.run(*VERIFY)
    assert (here / "dvc.lock").read_bytes() == lock
    assert json.loads(project.dvc("status", "--json", "dvc.yaml")) == {}


def test_what_was_never_pulled_is_no_damage(project, tmp_path):
    project.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    said = type(project)(tmp_path / "clone").run(*VERIFY)
    assert "0 damaged or missing" in said
    assert "outputs are not here; `dvc checkout` or `dvc repro` brings them" in said


def test_a_damaged_file_of_an_older_commit_is_found_too(project):
    project.set(seed=2)
    project.dvc("repro", "--single-item", "balance@augment")
    damage(cached(project, "data/balanced/augment/index.csv"))
    project.git("checkout", "--quiet", "dvc.lock", "params.yaml")
    project.dvc("checkout", "data/balanced/augment")
    said = project.run(*VERIFY, succeeds=False)
    [command] = re.findall("a file of another commit; to restore it: (.*)", said)
    project.run("sh", "-c", command)
    assert "0 damaged or missing" in project.run(*VERIFY)


def test_three_runs_are_found_to_be_the_same(project):
    said = project.run(*REPRODUCE, "evaluate@model_4")
    assert re.search(r"reproduce: \d+ files of outputs and dvc.lock are the same in three", said)


def test_a_stage_that_writes_something_else_each_time_is_found(project):
    check = project.folder / "stages/check.py"
    code = check.read_text(encoding="utf-8").replace(
        '{"dataset"', '{"now": __import__("time").time_ns(), "dataset"'
    )
    check.write_text(code, encoding="utf-8")
    project.commit("a stage that notes the time")
    said = project.run(*REPRODUCE, "check", succeeds=False)
    for runs in ("a clone and another", "a clone and the same run again"):
        assert f"data/dataset.json differs between {runs}" in said
        assert f"dvc.lock differs between {runs}" in said
    assert "data/phantom" not in re.findall(r"^(\S+) differs", said, re.MULTILINE)
