"""Damage to an output or to DVC's cache is named, with the command that repairs it."""

import hashlib
import json
import re
import shutil
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


def follow(project, said):
    """Run every command that is shown, in order, each once; give what was found."""
    found = re.findall(r"^(.*); to restore it: (.*)$", said, re.MULTILINE)
    for command in dict.fromkeys(command for _, command in found):
        project.type_in(command)
    return {what for what, _ in found}


def test_a_lock_that_is_lost_is_no_all_clear_and_brought_back_by_the_command_shown(project):
    (project.folder / "dvc.lock").unlink()
    said = project.run(*VERIFY, succeeds=False)
    assert "dvc.lock says nothing of" in said
    assert "train@model_1" in said
    project.type_in(re.search(r"they wrote; `(.*)` brings it back", said)[1])
    assert "0 damaged or missing" in project.run(*VERIFY)


def test_a_stage_that_the_lock_does_not_name_yet_is_no_all_clear_either(project):
    project.add_model("model_9", architecture="model_4", data="none")
    said = project.run(*VERIFY, succeeds=False)
    assert "dvc.lock says nothing of evaluate@model_9, train@model_9, so nothing tells" in said
    assert "`make repro` runs them" in said


def test_whatever_is_damaged_is_named_and_mended_by_the_command_shown(project):
    assert "0 damaged or missing" in project.run(*VERIFY)
    lock = (project.folder / "dvc.lock").read_bytes()
    here = project.folder
    damage(cached(project, "models/model_1.keras"))
    cached(project, "models/model_3.keras").unlink()
    damage(listed(project, "balance"))
    damage(here / "reports/pictures/grad_cam/model_3/000.png")
    (here / "data/prepared/test/index.csv").unlink()
    damage(cached(project, "data/dataset.json"))
    damage(here / "data/dataset.json")
    damage(here / "reports/comparison.json")
    said = project.run(*VERIFY, succeeds=False)
    assert follow(project, said) == {
        "damaged in the cache: models/model_1.keras",
        "missing in the cache: models/model_3.keras",
        "damaged in the cache: data/balanced",
        "damaged: reports/pictures/grad_cam/model_3/000.png",
        "missing: data/prepared/test/index.csv",
        "damaged: data/dataset.json",
        "damaged in the cache: data/dataset.json",
        "damaged: reports/comparison.json",
    }
    assert "0 damaged or missing" in project.run(*VERIFY)
    assert (here / "dvc.lock").read_bytes() == lock
    assert json.loads(project.dvc("status", "--json")) == {}


def test_what_is_shown_mends_all_outputs_of_a_stage_and_those_made_of_it(project):
    """Damage at once to what a stage reads, to one of its outputs, and to another in the cache."""
    lock = (project.folder / "dvc.lock").read_bytes()
    cached(project, "data/prepared/test/index.csv").unlink()
    cached(project, "data/prepared/val/index.csv").unlink()
    damage(project.folder / "data/prepared/test/index.csv")
    shutil.rmtree(project.folder / "data/prepared/train")
    damage(project.folder / "reports/roc/model_1.csv")
    cached(project, "reports/pictures/grad_cam/model_1/000.png").unlink()
    follow(project, project.run(*VERIFY, succeeds=False))
    assert "0 damaged or missing" in project.run(*VERIFY)
    assert (project.folder / "dvc.lock").read_bytes() == lock


def test_what_is_shown_works_where_parameters_and_code_have_changed_since(project):
    project.set(models={"model_1": {"batch_size": 16}})
    cached(project, "models/model_1.keras").unlink()
    cached(project, "reports/pictures/grad_cam/model_1/000.png").unlink()
    (project.folder / "stages/evaluate.py").open("a", encoding="utf-8").write("# more\n")
    follow(project, project.run(*VERIFY, succeeds=False))
    assert "0 damaged or missing" in project.run(*VERIFY)


def test_what_is_shown_works_where_another_machines_run_is_the_last_commit(project):
    lock = project.folder / "dvc.lock"
    digest = hashlib.md5((project.folder / "models/model_1.keras").read_bytes()).hexdigest()
    lock.write_text(lock.read_text(encoding="utf-8").replace(digest, digest[::-1]))
    follow(project, project.run(*VERIFY, succeeds=False))
    assert "0 damaged or missing" in project.run(*VERIFY)
    assert digest in lock.read_text(encoding="utf-8")


def test_what_was_never_pulled_is_no_damage(project, tmp_path):
    project.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    said = type(project)(tmp_path / "clone").run(*VERIFY)
    studies = list(project.folder.glob("studies/*/dvc.yaml"))
    assert said.count("0 damaged or missing") == 1 + len(studies)  # of the benchmark and of each
    assert "outputs are not here; `make repro` brings them" in said
    assert "outputs are not here; `make studies` brings them" in said


def test_a_damaged_file_of_an_older_commit_is_found_too(project):
    project.set(seed=2)
    project.dvc("repro", "--single-item", "balance")
    damage(cached(project, "data/balanced/augment/index.csv"))
    project.git("checkout", "--quiet", "dvc.lock", "params.yaml")
    project.dvc("checkout", "data/balanced", "reports/pictures/samples")
    said = project.run(*VERIFY, succeeds=False)
    [command] = re.findall("a file of another commit; to restore it: (.*)", said)
    project.run("sh", "-c", command)
    assert "0 damaged or missing" in project.run(*VERIFY)


def test_three_runs_are_found_to_be_the_same(project):
    said = project.run(*REPRODUCE, "prepare")
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
