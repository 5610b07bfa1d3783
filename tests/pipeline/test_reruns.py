"""What a change reruns: no more than what can come out otherwise."""

import pytest
from conftest import stages_run


@pytest.fixture(scope="module")
def shared(reproduced, tmp_path_factory):
    """A copy of the reproduced project, which every test leaves as it found it."""
    project = reproduced.copy(tmp_path_factory.mktemp("reruns") / "my project é")
    yield project
    assert project.git("status", "--short") == ""


@pytest.fixture
def project(shared):
    yield shared
    shared.git("restore", ".")
    shared.git("clean", "--force", "--quiet")


def edit(project, name, old, new):
    path = project.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def to_rerun(project):
    """Give the stages that DVC would run."""
    return stages_run(project.dvc("repro", "--dry"))


def test_nothing_is_rerun_where_nothing_has_changed(project):
    assert to_rerun(project) == set()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("brain_mri/report/words/en.yaml", '"Accuracy"', '"Share right"'),
        ("brain_mri/report/templates/page.css", "body", "/* as wide as can be */ body"),
        ("brain_mri/report/sections/models_section.py", '"#cfe3f5"', '"#cfe3ff"'),
    ],
)
def test_a_word_a_style_or_a_colour_reruns_the_report_alone(project, name, old, new):
    edit(project, name, old, new)
    assert to_rerun(project) == {"report"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size: Annotated[int, Field(ge=64, le=1024)]", "size: Annotated[int, Field(ge=8)]"),
        ('weights: str = "none"', 'weights: str = "imagenet"'),
        ('Literal["relu", "tanh", "sigmoid"]', 'Literal["relu", "tanh", "sigmoid", "gelu"]'),
    ],
    ids=["a bound", "a default", "an activation"],
)
def test_what_a_parameter_may_be_reruns_nothing(project, old, new):
    edit(project, "brain_mri/params.py", old, new)
    assert to_rerun(project) == set()


def test_a_new_architecture_reruns_nothing_and_a_changed_one_the_models_that_have_it(project):
    folder = project.folder / "brain_mri/models/architectures"
    code = (folder / "model_4.py").read_text(encoding="utf-8")
    (folder / "wide.py").write_text(code.replace("model_4", "wide"), encoding="utf-8")
    assert to_rerun(project) == set()
    edit(project, "brain_mri/models/architectures/model_4.py", "(32, 64, 128)", "(32, 64, 96)")
    assert to_rerun(project) == {"train@model_3"}


def test_a_new_strategy_balances_anew_and_retrains_nothing(shared, tmp_path):
    project = shared.copy(tmp_path / "my project é")
    added = "def thrice(labels, generator):\n    return _plain(np.arange(len(labels)))\n"
    with (project.folder / "brain_mri/data/balancing.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{added}")
    assert to_rerun(project) == {"balance"}
    project.dvc("repro", "balance")
    assert to_rerun(project) == set()


def test_another_strategy_of_a_model_retrains_that_model_alone(project):
    project.set(models={"model_3": {"data": "none"}})
    trained = {stage for stage in to_rerun(project) if stage.startswith("train")}
    assert trained == {"train@model_3"}


def test_another_activation_retrains_the_models_that_share_it_and_touches_no_data(project):
    project.set(activation="tanh")
    assert to_rerun(project) == {"train@model_1", "report"}
