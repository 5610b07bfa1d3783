"""The pipeline reruns what changed code touches, and the house keeps its plan."""

import ast
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
MODULES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("stages/**/*.py"))
# They speak to the user alone and cannot change what a stage writes.
SPEECH = {"stages/console.py", "stages/errors.py"}
ROOMS_BELOW = {  # an import goes downwards only
    "imaging": {"imaging", "storage"},
    "modeling": {"modeling", "storage"},
    "assessment": {"assessment", "storage"},
    "reporting": {"reporting", "assessment", "storage"},
    "storage": set(),
    "params": set(),
    "parallel": set(),
    "console": set(),
    "errors": set(),
}


def imports(path):
    """Give the modules of stages/ that a module imports itself, as paths below the root."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stages":
            base = node.module.replace(".", "/")
            names = [f"{base}/{alias.name}" for alias in node.names]
            for name in [base, *names]:
                found |= {p for p in (f"{name}.py",) if (ROOT / p).is_file()}
            if "/" in base or (ROOT / base).is_dir():
                package = base if (ROOT / base).is_dir() else str(Path(base).parent)
                if package != "stages":
                    found.add(f"{package}/__init__.py")
    return found


def reached(path):
    """Give the modules that a module imports, directly or through others, and itself."""
    found, waiting = set(), {path}
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= imports(module) - found
    return {path for path in found - SPEECH if has_code(path)}


def has_code(path):
    """Tell whether a module holds more than a docstring."""
    return len(ast.parse((ROOT / path).read_text(encoding="utf-8")).body) > 1


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_stage_depends_on_the_code_it_imports(name, stage):
    module = f"stages/{name}.py"
    assert f"python -m stages.{name} " in stage["cmd"]
    below_root = {dep.removeprefix("../../") for dep in stage["deps"]}  # a study names it so
    code = {dep for dep in below_root if dep.startswith("stages/") and dep.endswith(".py")}
    assert code == reached(module)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_every_stage_says_what_it_does(name, stage):
    assert stage["desc"]


@pytest.mark.parametrize("path", MODULES)
def test_imports_go_from_stages_to_rooms_and_downwards(path):
    room = Path(path).parts[1].removesuffix(".py")
    if room == "__init__":
        return
    below = ROOMS_BELOW.get(room, set(ROOMS_BELOW))  # a stage may use every room
    for imported in imports(path) - SPEECH - {path}:
        assert Path(imported).parts[1].removesuffix(".py") in below


def test_tensorflow_is_imported_by_modeling_alone():
    for path in ROOT.glob("stages/**/*.py"):
        if "modeling" not in path.parts:
            names = {
                name.split(".")[0]
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
                + [alias.name for alias in node.names]
            }
            assert not names & {"tensorflow", "keras"}, path
