"""The commands of README, docs/experiments.md and docs/use.md, in their order, on small data."""

import json
import re
from pathlib import Path

import pytest
import yaml
from conftest import MODELS, ROOT, commands, stages_run

from tests.faults import write_dataset

SHARED = ["model_1"]  # the models that share the top-level activation
SECTIONS = [("Two commands", "README.md"), ("Use the model", "README.md")]
SECTIONS += [("Answers", "docs/use.md"), ("In another clone", "docs/use.md")]
SECTIONS += [("Without Keras", "docs/use.md"), ("Your own data", "README.md")]
SECTIONS += [("Experiments", "README.md"), ("One thing at a time", "docs/experiments.md")]
SKIPPED = "make test"  # these tests
BACK = "git restore . && dvc checkout"


def of(stage, models):
    return {f"{stage}@{name}" for name in models}


def outputs(project):
    """Give every output's path below the project and its content."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    paths = [
        project.folder / out["path"] for each in lock["stages"].values() for out in each["outs"]
    ]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {file.relative_to(project.folder): file.read_bytes() for file in files if file.is_file()}


def of_another_machine(project, model):
    """Let the last commit be of a machine that trained other bytes, which nobody here has."""
    lock = project.folder / "dvc.lock"
    text = lock.read_text(encoding="utf-8")
    [out] = [
        out
        for out in yaml.safe_load(text)["stages"][f"train@{model}"]["outs"]
        if out["path"] == f"models/{model}.keras"
    ]
    lock.write_text(text.replace(out["md5"], out["md5"][::-1]), encoding="utf-8")
    (project.folder / f"models/{model}.keras").unlink()
    project.commit("the run of another machine")


@pytest.fixture(scope="module")
def typed(reproduced, tmp_path_factory):
    """Run every command; give each with what it printed, and what it left.

    What `make` would install is there already. DVC's queue fails below an accent.
    """
    project = reproduced.copy(tmp_path_factory.mktemp("readme") / "my project")
    for name in ("activate", "../installed"):
        path = project.folder / ".venv/bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    project.git("config", "user.name", "Test")
    project.git("config", "user.email", "test@example.org")
    of_another_machine(project, "model_3")
    write_dataset(project.folder / "data/mine", classes=("cat", "dog"))
    project.steps = []
    for section in SECTIONS:
        for line in commands(*section):
            if not line.startswith(SKIPPED):
                said = project.type_in(line)
                if line.startswith('git commit -am "My run"'):
                    project.own = outputs(project)
                changed = project.git("status", "--short")
                project.steps.append((line.split("   # ")[0], said, changed))
                if line == BACK:
                    assert outputs(project) == project.own
                    assert changed == ""
                    assert json.loads(project.dvc("status", "--json")) == {}
    return project


def step(project, beginning):
    """Give what one command printed, and what Git then finds changed."""
    [(_, said, changed)] = [each for each in project.steps if each[0].startswith(beginning)]
    return said, changed


@pytest.mark.parametrize("page", ["README.md", "docs/experiments.md", "docs/use.md"])
def test_every_block_of_a_page_is_run_by_a_test(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    everything = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    run = [line for section in SECTIONS if section[1] == page for line in commands(*section)]
    assert "".join(everything).splitlines() == run


def test_make_repro_ends_with_how_to_keep_a_run_that_git_does_not_have(typed):
    said, _ = step(typed, "make repro")
    assert stages_run(said) == {"train@model_3", "evaluate@model_3"}
    assert said.rstrip().endswith('git commit -am "My run"')


def test_each_experiment_ends_at_the_commit_that_it_started_from(typed):
    lines = [line for line, _, _ in typed.steps]
    assert lines[-1] == BACK
    changes = [
        n for n, line in enumerate(lines) if line.startswith(("dvc exp run -", "dvc exp apply"))
    ]
    assert len(changes) > 5
    for n in changes:
        if "queue" not in lines[n] and "run-all" not in lines[n]:
            # All before it is undone: by the way back, or by the commit that it starts from.
            before = [step for step in typed.steps[:n] if step[0] == BACK or "commit" in step[0]]
            assert before[-1][2] == ""
            assert BACK in lines[n:]


def test_the_model_that_another_clone_gets_answers_as_this_ones_does(typed):
    said = [said for line, said, _ in typed.steps if line.startswith("python -m brain_mri.predict")]
    assert len(said) == 3
    assert set(said) == {said[0]}
    best = typed.folder.parent / "best.keras"
    assert best.read_bytes() == typed.own[Path("models/best.keras")]


def test_a_set_of_ones_own_is_benchmarked(typed):
    said, _ = step(typed, "dvc exp run -S dataset=data/mine")
    assert of("evaluate", MODELS) | {"audit", "report"} <= stages_run(said)
    assert (typed.folder / "data/mine/Training/cat").is_dir()  # the way back leaves it


def test_the_activation_reaches_the_models_that_share_it_and_no_others(typed):
    said, changed = step(typed, "dvc exp run --name sigmoid")
    reports = {"compare", "select", "report"}
    assert stages_run(said) == of("train", SHARED) | of("evaluate", SHARED) | reports
    for name in MODELS:
        assert (f"reports/training/{name}.json" in changed) == (name in SHARED)


def test_a_models_own_parameter_reruns_that_model_alone(typed):
    said, _ = step(typed, "dvc exp run -S models.model_1.data=oversample")
    assert stages_run(said) == {
        "check",
        "balance",
        "train@model_1",
        "evaluate@model_1",
        "compare",
        "select",
        "report",
    }


def test_experiments_are_queued_run_and_shown_and_leave_the_workspace(typed):
    said, changed = step(typed, "make experiments")
    for rate in ("0.0001", "0.005"):
        assert re.search(rf" {rate} ", said), said
    [head] = re.findall(r"^ +(Experiment +.*)$", said, re.MULTILINE)
    columns = re.split(r" {2,}", head.strip())
    assert "train.learning_rate" in columns
    changed_by_hand = {
        "dataset",
        "patients",
        "classes",
        "healthy_class",
        "activation",
        "language",
        "leakage",
    }
    others = {column for column in columns if "." not in column} - changed_by_hand
    assert others <= {"Experiment", "recommended"}
    assert not re.search(r"accuracy|seconds|/", head)
    assert changed == ""


def test_the_published_protocol_is_one_override_away(typed):
    said, _ = step(typed, "dvc exp run -S leakage=keep")
    assert stages_run(said) == {"prepare"}
    differences = [said for line, said, _ in typed.steps if line == "dvc metrics diff"]
    assert re.search(r"images\.dropped +(\d+) +0 +-\1\n", differences[-1])


def test_the_report_is_written_in_french_by_one_parameter(typed):
    said, _ = step(typed, "dvc exp run -S language=fr")
    assert stages_run(said) == {"report"}


def test_an_experiment_is_brought_back_and_drawn_beside_the_last_commit(typed):
    _, changed = step(typed, "dvc exp apply sigmoid")
    assert "reports/training/model_1.json" in changed
    page = (typed.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert page.count("vegaEmbed(") == 7


def test_after_it_all_every_command_of_dvc_on_the_whole_project_ends_well(typed, tmp_path):
    project = typed.copy(tmp_path / "my project")
    project.dvc("install")
    project.dvc("commit")
    project.dvc("exp", "save", "--name", "saved")
    project.git("switch", "--quiet", "--create", "another")
    project.dvc("exp", "apply", "sigmoid")
    project.git("commit", "--quiet", "--all", "--message", "sigmoid")
    project.git("switch", "--quiet", "main")  # DVC's hook brings the outputs
    assert outputs(project) == typed.own
    project.dvc("gc", "--workspace", "--force")
    project.dvc("checkout")
    assert stages_run(project.dvc("repro")) == set()
    assert outputs(project) == typed.own
