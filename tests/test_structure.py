"""The pipeline reruns what changed code touches, and the house keeps its plan."""

import ast
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PIPELINES = [ROOT / "dvc.yaml", *sorted(ROOT.glob("studies/*/dvc.yaml"))]
STAGES = [
    pytest.param(name, stage.get("do", stage), id=f"{path.parent.name}-{name}")
    for path in PIPELINES
    for name, stage in yaml.safe_load(path.read_text(encoding="utf-8"))["stages"].items()
]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for top in ("brain_mri", "stages")
    for path in ROOT.glob(f"{top}/**/*.py")
)
# They speak to the user alone and cannot change what a stage writes; and of what params.yaml holds
# DVC compares the values, so that a new name or a wider bound reruns nothing.
SPEECH = {"brain_mri/console.py", "brain_mri/errors.py", "brain_mri/params.py"}
ARCHITECTURES = {m for m in MODULES if "/architectures/" in m and "__init__" not in m}
SECTIONS = {m for m in MODULES if "/sections/" in m and "__init__" not in m}
BY_NAME = {  # what a module imports without saying so in an import
    "brain_mri/models/building.py": ARCHITECTURES,
    "brain_mri/report/sections/__init__.py": SECTIONS,
}
ROOMS_BELOW = {  # an import goes downwards only; a room of one module stands for itself
    "app": {"app", "data", "models", "params", "report", "use"},
    "predict": {"storage", "use"},
    "use": {"assessment", "data", "models", "parallel", "params", "storage", "use"},
    "report": {"report", "assessment", "params", "storage"},
    "assessment": {"assessment", "storage"},
    "models": {"models", "gallery", "params", "storage"},  # params for the type of settings
    "phantom": {"phantom", "storage"},
    "data": {"data", "parallel", "storage"},
    "params": {"data", "phantom", "storage"},
    "gallery": {"storage"},
    "parallel": {"cluster"},
    "cluster": set(),
    "storage": set(),
    "console": set(),
    "errors": set(),
    "uncaught": set(),
}


def imports(path):
    """Give the modules of ours that a module imports itself, as paths below the root."""
    found = set(BY_NAME.get(path, ()))
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("brain_mri", "stages")
        ):
            base = node.module.replace(".", "/")
            names = [f"{base}/{alias.name}" for alias in node.names]
            for name in [base, *names, *map(str, Path(base).parents)]:
                found |= {p for p in (f"{name}.py", f"{name}/__init__.py") if (ROOT / p).is_file()}
    return found - {"brain_mri/__init__.py", "stages/__init__.py"}


def reached(path):
    """Give the modules that a module imports, directly or through others, and itself."""
    found, waiting = set(), {path}
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= imports(module) - found - SPEECH
        if path != "stages/train.py":  # no other stage builds models
            waiting -= ARCHITECTURES
    return {path for path in found if has_code(path)}


def has_code(path):
    """Tell whether a module holds more than a docstring."""
    return len(ast.parse((ROOT / path).read_text(encoding="utf-8")).body) > 1


def modules_of(dep):
    """Give the modules that a dependency stands for: itself, or all in a folder."""
    return {dep} if dep.endswith(".py") else {m for m in MODULES if m.startswith(f"{dep}/")}


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_stage_depends_on_the_code_it_imports(name, stage):
    module = f"stages/{name}.py"
    assert f"python -m stages.{name} " in stage["cmd"]
    below_root = {dep.removeprefix("../../") for dep in stage["deps"]}  # a study names it so
    own = {dep for dep in below_root if "/architectures/" in dep}  # of the model, or of the arms
    assert bool(own) == (name == "train")
    needed, code = reached(module) - ARCHITECTURES, below_root - own
    assert {dep for dep in code if dep.endswith(".py")} <= needed
    assert needed <= {path for dep in code for path in modules_of(dep)}


@pytest.mark.parametrize(
    "path",
    [path for path in PIPELINES[1:] if "stages.train" in path.read_text(encoding="utf-8")],
    ids=lambda path: path.parent.name,
)
def test_a_study_that_trains_depends_on_the_architectures_of_its_arms(path):
    own = path.parent / "params.yaml"
    parameters = own if own.exists() else ROOT / "params.yaml"
    arms = yaml.safe_load(parameters.read_text(encoding="utf-8"))["models"]
    deps = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]["train"]["deps"]
    named = {Path(dep).stem for dep in deps if "/architectures/" in dep}
    assert named == {arm["architecture"] for arm in arms.values()}


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_every_stage_says_what_it_does(name, stage):
    assert stage["desc"]


@pytest.mark.parametrize("path", [path for path in MODULES if path.startswith("brain_mri/")])
def test_imports_of_a_room_go_downwards_and_never_to_a_stage(path):
    room = Path(path).parts[1].removesuffix(".py")
    if room == "__init__":
        return
    for imported in imports(path) - SPEECH - {path}:
        top, below = Path(imported).parts[:2]
        assert top == "brain_mri"
        assert below.removesuffix(".py") in ROOMS_BELOW[room]


def test_no_two_modules_of_brain_mri_share_a_name():
    paths = [Path(path) for path in MODULES if path.startswith("brain_mri/")]
    names = [path.parent.name if path.stem == "__init__" else path.stem for path in paths]
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_tensorflow_is_imported_by_models_alone():
    for path in map(Path, MODULES):
        if "models" not in path.parts:
            names = {
                name.split(".")[0]
                for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
                + [alias.name for alias in node.names]
            }
            assert not names & {"tensorflow", "keras"}, path
