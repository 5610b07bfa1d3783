"""What a pull request is told: the workflow runs what there is, and its summary fits a comment."""

import json
import re
import shutil
import subprocess
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest
import yaml
from conftest import MODELS, stages_run

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/benchmark.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["benchmark"]["steps"]
COMMANDS = "\n".join(step.get("run", "") for step in STEPS)
LONGEST_COMMENT = 65_536  # characters; GitHub refuses a longer one


def position(part):
    """Give the place of the one step whose command or action contains a text."""
    [place] = [n for n, step in enumerate(STEPS) if part in step.get("run", step.get("uses", ""))]
    return place


def test_it_runs_on_pull_requests_on_main_and_by_hand():
    on = WORKFLOW[True]  # YAML 1.1 reads the key `on` as a truth value
    assert set(on) == {"pull_request", "push", "workflow_dispatch"}
    assert on["push"] == {"branches": ["main"]}


def test_lint_tests_and_pipeline_come_before_the_summary_and_it_before_the_comment():
    parts = ("checkout@", "make lint", "make test", "make repro", "summary.sh", "gh pr comment")
    places = [position(part) for part in parts]
    assert places == sorted(places)
    assert STEPS[position("checkout@")]["with"]["fetch-depth"] == 0


def test_every_make_target_and_every_script_it_names_is_there():
    targets = re.findall(r"\bmake (\S+)", COMMANDS)
    assert len(targets) == 3
    for target in targets:
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    for script in re.findall(r"[\w./]+\.sh\b", COMMANDS):
        assert (ROOT / script).stat().st_mode & 0o100, script


def test_actions_are_pinned_to_a_major_version():
    assert all(
        re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in STEPS if "run" not in step
    )


def test_a_fork_is_neither_commented_on_nor_trusted():
    comment = STEPS[position("gh pr comment")]
    assert "head.repo.full_name == github.repository" in comment["if"]
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "${{" not in COMMANDS  # what a stranger may name would be run as a command


@pytest.fixture
def branch(fresh, tmp_path):
    """A clone on a branch of its own, with main's reports those committed here."""
    project = fresh.copy(tmp_path / "my project é")
    shutil.copytree(ROOT / "reports", project.folder / "reports")
    project.commit("reports")
    project.git("checkout", "--quiet", "-b", "longer")
    return project


def change(project, kind, model, **values):
    path = project.folder / f"reports/{kind}/{model}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content[model] |= values
    path.write_text(json.dumps(content), encoding="utf-8")


def summary(project):
    return project.run(".github/summary.sh", "main")


def table_after(said, heading):
    """Give the rows of the one table that follows a heading, without its header, as lists."""
    lines = said[said.index(heading) :].splitlines()[1:]
    rows = list(takewhile(is_row, dropwhile(lambda line: not is_row(line), lines)))
    assert re.fullmatch(r"[|:-]+", rows[1].replace(" ", ""))
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def is_row(line):
    return line.startswith("|")


def test_the_summary_holds_the_report_and_what_differs_from_main(branch):
    branch.set(train={"epochs": 3})
    change(branch, "metrics", "model_1", accuracy=0.5)
    said = summary(branch)
    assert said.startswith((branch.folder / "reports/report.md").read_text(encoding="utf-8"))
    assert table_after(said, "### Parameters that differ from `main`") == [
        ["params.yaml", "train.epochs", "1", "3"]
    ]
    [row] = table_after(said, "### Metrics that differ from `main`")
    assert row[:2] == ["reports/metrics/model_1.json", "model_1.accuracy"]
    assert row[3] == "0.5"
    assert said.endswith("</details>\n")


def test_the_summary_says_first_on_what_else_main_was_trained(branch):
    for path in (branch.folder / "reports/training").iterdir():
        changes = {"device": "A (R) 9 @ 2 GHz", "switches": {"TF_X": "1"}, "seed": 7}
        change(branch, "training", path.stem, **changes)
    change(branch, "training", "model_1", threads=64, instruction_set=["avx", "sve"])
    main = json.loads((ROOT / "reports/training/model_1.json").read_text())["model_1"]
    first, empty, rest = summary(branch).split("\n", 2)
    assert first.startswith(
        "**Not trained on the same as `main`; metrics may differ for that alone:**"
    )
    assert f"device `{main['device']}` → `A (R) 9 @ 2 GHz`" in first
    assert "switches.TF_X `unknown` → `1`" in first
    assert f"threads of model_1 `{main['threads']}` → `64`" in first
    assert f"instruction_set of model_1 `{' '.join(main['instruction_set'])}` → `avx sve`" in first
    assert "seed" not in first
    assert empty == ""
    assert rest.startswith((branch.folder / "reports/report.md").read_text(encoding="utf-8"))


def test_of_a_model_that_main_does_not_have_no_machine_is_compared(branch):
    folder = branch.folder / "reports/training"
    record = (folder / "model_1.json").read_text(encoding="utf-8")
    (folder / "model_5.json").write_text(record.replace('"model_1"', '"model_5"'), "utf-8")
    assert summary(branch).startswith("### ")


def test_the_base_is_run_on_this_machine_and_of_it_only_what_the_branch_changed(project):
    project.git("switch", "--quiet", "--create", "of-another-machine")
    for name in MODELS:
        change(project, "training", name, device="of somebody else")
        change(project, "metrics", name, accuracy=0.123)
    project.commit("a run of another machine")
    project.git("switch", "--quiet", "--create", "longer", "main")
    project.set(models={"model_1": {"learning_rate": 0.01}})
    project.dvc("repro")
    said = project.run(".github/base.sh", "of-another-machine")
    trained = {stage for stage in stages_run(said) if stage.startswith("train")}
    assert trained == {"train@model_1"}
    tag = said.splitlines()[0]
    assert "somebody else" in project.run(".github/summary.sh", "of-another-machine")
    said = project.run(".github/summary.sh", tag)
    assert said.startswith("### ")
    [parameter] = table_after(said, f"### Parameters that differ from `{tag}`")
    assert parameter[1] == "models.model_1.learning_rate"
    assert parameter[3] == "0.01"
    rows = table_after(said, f"### Metrics that differ from `{tag}`")
    changed = {row[0] for row in rows}
    assert "reports/metrics/model_1.json" in changed
    assert "reports/metrics/model_3.json" not in changed


def test_a_base_that_cannot_be_run_is_compared_with_as_it_is_committed(project):
    project.git("switch", "--quiet", "--create", "broken")
    (project.folder / "stages/compare.py").write_text("raise SystemExit('broken')\n")
    project.commit("a broken stage")
    project.git("switch", "--quiet", "main")
    said = project.run(".github/base.sh", "broken")
    assert said.splitlines()[0] == "broken"
    assert "broken could not be run here" in said
    assert project.git("status", "--short") == project.git("tag") == ""
    assert project.run(".github/base.sh", "nowhere", succeeds=False)


def test_the_summary_says_where_nothing_differs(branch):
    said = summary(branch)
    assert said.count("\nNone.\n") == 2


def test_a_summary_too_long_for_a_comment_is_cut_with_a_note(branch):
    change(branch, "metrics", "model_1", **{f"figure_{n:04} é": n / 1000 for n in range(2000)})
    said = summary(branch)
    assert LONGEST_COMMENT - 3000 < len(said.encode()) < LONGEST_COMMENT
    rows = table_after(said, "### Metrics that differ from `main`")
    cut = int(re.search(r"Cut here, (\d+) lines before the end; `dvc metrics diff main`", said)[1])
    uncut = branch.dvc("metrics", "diff", "--md", "main").splitlines()
    assert len(rows) + cut == len([line for line in uncut if is_row(line)]) - 2
    assert said.endswith("</details>\n")


def test_a_revision_that_is_not_there_is_an_error(branch):
    said = branch.run(".github/summary.sh", "nowhere", succeeds=False)
    assert "nowhere" in said
