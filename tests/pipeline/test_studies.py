"""A study trains every arm with every seed, each once, and tells what it found."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import commands, stages_run

from brain_mri import params
from brain_mri.errors import InputError

ROOT = Path(__file__).parents[2]
STUDY = "studies/mine"
ARMS = ["none", "augment_only"]


@pytest.fixture(scope="module")
def studied(reproduced, tmp_path_factory):
    """The small project with a study that is added as README says, after README's commands on it.

    It has two arms and two seeds.
    """
    project = reproduced.copy(tmp_path_factory.mktemp("st") / "my project é")
    folder = project.folder / STUDY
    shutil.copytree(project.folder / "studies/balancing", folder)
    for result in ("contrasts.csv", "dvc.lock", "figure.svg", "report.md", "results.json"):
        (folder / result).unlink()
    (folder / "runs.csv").unlink()
    pipeline = folder / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8").replace("studies/balancing", STUDY)
    text = text.replace("stages.study balancing", "stages.study mine")
    assert "balancing/" not in text
    pipeline.write_text(text, encoding="utf-8")
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content |= {"question": "Does a third arm help?", "seeds": [1, 2], "factors": {}}
    content["train"] = {"epochs": 1, "steps_per_epoch": 2}
    content["models"] = {arm: content["models"][arm] for arm in ARMS}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    project.commit("a small study")
    project.said = []
    for line in commands("Does balancing help", "docs/studies.md"):
        if line.startswith("git commit"):
            project.git("add", STUDY)  # whose first results these are
        project.said.append(project.type_in(line.replace("studies/balancing", STUDY)))
    return project


def runs(seeds):
    stages = ("balance", "train", "evaluate")
    return {f"{stage}@{arm}-{seed}" for stage in stages for arm in ARMS for seed in seeds}


def test_every_arm_is_trained_with_every_seed_and_a_new_seed_alone_later(studied):
    prepared, first, _, more, back = studied.said
    assert stages_run(prepared) == set()
    assert stages_run(first) == runs([1, 2]) | {"study"}
    assert stages_run(more) == runs([3]) | {"study"}
    assert "models/none-3.keras" in back
    table = pd.read_csv(studied.folder / STUDY / "runs.csv")
    assert set(zip(table["arm"], table["seed"], strict=True)) == {
        (arm, seed) for arm in ARMS for seed in (1, 2)
    }


def test_after_a_study_dvc_is_content_with_the_benchmark_and_the_study(studied):
    assert studied.git("status", "--short") == ""
    for project in (".", STUDY):
        for command in (["checkout"], ["commit"], ["repro"], ["gc", "--workspace", "--force"]):
            assert stages_run(studied.dvc("--cd", project, *command)) == set()
        assert json.loads(studied.dvc("--cd", project, "status", "--json")) == {}
    assert (studied.folder / STUDY / "models/none-1.keras").is_file()


def test_damage_to_a_study_is_named_and_mended_by_the_commands_shown(studied):
    folder = studied.folder / STUDY
    model = hashlib.md5((folder / "models/none-1.keras").read_bytes()).hexdigest()
    (folder / ".dvc/cache/files/md5" / model[:2] / model[2:]).unlink()
    (folder / "runs/metrics/none-1.json").unlink()
    (folder / "runs.csv").write_text("arm")
    verify = (sys.executable, "tools/verify.py")
    said = studied.run(*verify, succeeds=False)
    found = re.findall(r"^(.*); to restore it: (.*)$", said, re.MULTILINE)
    assert [what for what, _ in found] == [
        f"missing in the cache: {STUDY}/models/none-1.keras",
        f"damaged: {STUDY}/runs.csv",
    ]
    for _, command in found:
        studied.type_in(command)
    studies = list(studied.folder.glob("studies/*/dvc.yaml"))
    assert studied.run(*verify).count(" 0 damaged or missing") == 1 + len(studies)
    assert (folder / "runs/metrics/none-1.json").is_file()
    assert studied.git("status", "--short") == ""


def test_without_what_it_is_trained_on_a_study_ends_and_dvc_names_that(fresh, tmp_path):
    project = fresh.copy(tmp_path / "my project é")
    said = project.dvc("--cd", "studies/activation", "repro", succeeds=False)
    assert "data/prepared/train" in said
    assert stages_run(said) == set()


def test_all_arms_make_the_same_number_of_updates(studied):
    sizes, updates = set(), set()
    for arm in ARMS:
        path = studied.folder / STUDY / f"runs/training/{arm}-1.json"
        record = json.loads(path.read_text(encoding="utf-8"))[arm]
        sizes.add(record["images"]["training"])
        updates.add(record["updates"])
    assert len(sizes) == 2
    assert updates == {2}


def test_a_study_ends_in_a_table_a_figure_and_a_verdict(studied):
    folder = studied.folder / STUDY
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Does a third arm help?")
    assert "figure.svg" in report
    contrasts = pd.read_csv(folder / "contrasts.csv")
    row = contrasts[contrasts["measure"] == "macro_f1"].iloc[0]
    words = {"higher": "above", "lower": "below", "undecided": "not told apart"}
    assert words[row["verdict"]] in report
    assert f"{abs(row['difference']):.3f}" in report
    means = pd.read_csv(folder / "runs.csv").groupby("arm")["macro_f1"].mean()
    shown = json.loads(studied.dvc("--cd", STUDY, "metrics", "show", "--json"))
    found = shown[""]["data"]["results.json"]["data"]["mine"]
    for arm in ARMS:
        assert found[arm]["macro_f1"]["mean"] == pytest.approx(means[arm])
        assert f"{means[arm]:.3f}" in report


def test_another_parameter_of_an_arm_retrains_that_arm_alone(studied):
    path = studied.folder / STUDY / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["models"]["none"]["dropout"] = 0.1
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    said = studied.dvc("--cd", STUDY, "repro", "--dry")
    studied.git("restore", ".")
    trained = {stage for stage in stages_run(said) if stage.startswith("train")}
    assert trained == {"train@none-1", "train@none-2"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": [1]}, "seeds is"),
        ({"seeds": [1, 1]}, "seeds names a seed twice"),
        ({"seeds": [1, -2]}, "greater than or equal to 0"),
        ({"reference": "nobody"}, "names 'nobody', which is not among its models"),
        ({"factors": {"x": ["nobody"]}}, "names 'nobody'"),
        ({"seed": 1}, "seed is not a parameter"),
    ],
)
def test_a_wrong_value_of_a_study_is_named(tmp_path, changes, says):
    content = {
        "question": "Which?",
        "seeds": [1, 2],
        "reference": "a",
        "models": {"a": {}, "b": {}},
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content | changes), encoding="utf-8")
    with pytest.raises(InputError, match=says):
        params.load_study(path)


def test_a_studys_training_goes_over_the_benchmarks_and_its_arms_over_that(tmp_path):

    content = {
        "question": "Which?",
        "seeds": [1, 2],
        "reference": "a",
        "train": {"epochs": 3, "batch_size": 8},
        "models": {
            "a": {"architecture": "model_4", "data": "none", "epochs": 5},
            "b": {"architecture": "model_4", "data": "none"},
        },
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    loaded = params.load(ROOT / "params.yaml", study=path)
    assert list(loaded.models) == ["a", "b"]
    assert (loaded.models["a"].epochs, loaded.models["b"].epochs) == (5, 3)
    assert loaded.models["b"].batch_size == 8
    assert loaded.models["b"].learning_rate == loaded.train.learning_rate
