"""A small copy of the project in a folder of its own, run by the real DVC."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from coverage import Coverage
from filelock import FileLock
from hypothesis import settings
from ruamel.yaml import YAML

settings.register_profile("whatever else the machine does", deadline=None)
settings.load_profile("whatever else the machine does")

ROOT = Path(__file__).parent.parent
# Seconds instead of minutes: few small images, one epoch, and two models, which differ in whether
# they share the top-level activation, and in their strategy. InceptionV3 takes longest to build
# whatever its size; tests/models trains that one.
MODELS = ["model_1", "model_3"]
SMALL = {
    "image_size": 32,
    "phantom": {"training": 80, "testing": 40, "size": 128}
    | {"reencoded": 5, "rescaled": 2, "brightened": 2, "turned": 2, "mislabelled": 2},
    "train": {"epochs": 1},
    "models": {"model_1": {"epochs": 1}, "model_3": {"architecture": "model_4", "data": "augment"}},
}


# Of the `make` that runs these tests, so that one which a test runs speaks as a user's does.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)
# The stages call `python`, which is to be this one.
SEARCH = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
# Where coverage is measured, the stages of one pipeline are too. Python 3.11 traces slowly: all
# processes of all tests would take half as long again.
MEASURED = {
    "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
    "COVERAGE_FILE": str(ROOT / ".coverage"),
}


def run_here(folder, module, *arguments):
    """Run a command's module in a folder, in this process, which coverage sees.

    Python and TensorFlow need not start again for it. An end that is no success raises SystemExit.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        module.main()


HANGS = 3600  # seconds, which only what hangs takes
DAY = 86_400  # seconds


def paths_below(folder, pattern):
    """List what is below a folder, by a pattern for its name, while others change the folder.

    What goes away meanwhile is left out; `Path.rglob` ends with an error.
    """
    return [
        Path(top) / name
        for top, folders, files in os.walk(folder)
        for name in fnmatch.filter([*folders, *files], pattern)
    ]


def modified(folder, pattern):
    """Give the time at which each file of :func:`paths_below` was written, by its path."""
    times = {}
    for path in paths_below(folder, pattern):
        with suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime_ns
    return times


def pytest_collection_modifyitems(items):
    """Run the files that take long first, so that no process has one left when the others end."""
    items.sort(key=lambda item: item.path.parent.name not in ("pipeline", "machines"))


def pytest_terminal_summary(terminalreporter):
    """Say how many of the tests that need several processes or servers ran, and how many not."""
    reports = {
        how: sum("machines" in report.keywords for report in terminalreporter.stats.get(how, []))
        for how in ("passed", "failed", "error", "skipped")
    }
    if any(reports.values()):
        said = ", ".join(f"{count} {how}" for how, count in reports.items() if count)
        terminalreporter.write_line(f"Of several processes, clusters and servers: {said}.")


class Project:
    """A copy of the project, and the commands its users type."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *command, succeeds=True, env=None):
        """Run a command and give what it printed; fail if it does not end as expected."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | SEARCH | {"COLUMNS": "200"} | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=HANGS,
        )
        said = result.stdout + result.stderr
        assert (result.returncode == 0) == succeeds, said
        assert "Traceback" not in said, said
        return said

    def dvc(self, *arguments, **options):
        return self.run("dvc", *arguments, **options)

    def type_in(self, line):
        """Run a line of a document, as it stands, in a shell."""
        return self.run("bash", "-euo", "pipefail", "-c", line)

    def start_repro(self, *arguments, env=None):
        """Start `dvc repro` in a process group of its own, to be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", *arguments],
            cwd=self.folder,
            env=os.environ | SEARCH | (env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def git(self, *arguments):
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return self.run("git", *identity, *arguments)

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def set(self, **sections):
        """Change parameters in params.yaml, nested as there."""
        path = self.folder / "params.yaml"
        content = YAML(typ="safe").load(path)
        _merge(content, sections)
        YAML().dump(content, path)

    def keep_models(self, *names):
        """Remove every other model from the two files that name models."""
        path = self.folder / "params.yaml"
        content = YAML(typ="safe").load(path)
        content["models"] = {name: content["models"][name] for name in names}
        YAML().dump(content, path)
        path = self.folder / "dvc.yaml"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        row = re.compile(r" +(\w+): \{activation: ")
        kept = [line for line in lines if not (found := row.match(line)) or found[1] in names]
        path.write_text("".join(kept), encoding="utf-8")

    def add_model(self, name, **settings):
        """Add a model as README says: its parameters, and its line in dvc.yaml."""
        self.set(models={name: settings})
        path = self.folder / "dvc.yaml"
        table = "    foreach: # a model that shares the top-level activation says so here\n"
        line = f'      {name}: {{activation: "${{activation}}", of: "${{models.{name}}}"}}\n'
        text = path.read_text(encoding="utf-8")
        assert table in text
        path.write_text(text.replace(table, table + line), encoding="utf-8")

    def copy(self, folder):
        return Project(shutil.copytree(self.folder, folder, symlinks=True))


def _merge(content, changes):
    for name, value in changes.items():
        if isinstance(value, dict) and name in content:
            _merge(content[name], value)
        else:
            content[name] = value


def stages_run(said):
    """Give the stages that DVC says it ran."""
    return {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")}


def blocks(page):
    """Give a page's blocks of commands: the word after `sh`, which says whose it is, and text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh (\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(section, page="README.md"):
    """Give the lines of the blocks of commands in a section of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    [found] = re.findall(rf"^## {section}.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^```sh\n(.*?)^```$", found, re.MULTILINE | re.DOTALL)
    return "".join(found).splitlines()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """The project as committed or about to be, small, in a path with a space and an accent."""
    project = Project(tmp_path_factory.mktemp("pro") / "my project é")
    project.folder.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project.folder / name)
    shutil.rmtree(project.folder / "reports", ignore_errors=True)
    (project.folder / "dvc.lock").unlink(missing_ok=True)
    project.git("init", "--quiet", "--initial-branch=main")
    project.set(**SMALL)
    project.keep_models(*MODELS)
    project.commit("small parameters")
    return project


@pytest.fixture(scope="session")
def reproduced(fresh, tmp_path_factory):
    """The small project after its first `dvc repro`, committed; and what that printed.

    It is made once for all processes that run tests, each of which takes a copy, and kept for the
    next run on the same files. Where coverage is measured, each run makes its own.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "alone") if Coverage.current() else "kept"
    made = ROOT / ".pytest_cache/reproduced"
    made.mkdir(parents=True, exist_ok=True)
    folder = made / f"{run}-{fresh.git('rev-parse', 'HEAD^{tree}').strip()}"
    kept, said = Project(folder / "my project é"), folder / "said.txt"
    with FileLock(made / "lock"):
        if not said.exists():
            for old in made.iterdir():
                if old == folder or (old.is_dir() and old.stat().st_mtime < time.time() - DAY):
                    shutil.rmtree(old)
            fresh.copy(kept.folder)
            printed = kept.dvc("repro", env=MEASURED if Coverage.current() else {})
            kept.commit("results")
            said.write_text(printed, encoding="utf-8")
    project = kept.copy(tmp_path_factory.mktemp("re") / "my project é")
    project.said = said.read_text(encoding="utf-8")
    return project


@pytest.fixture
def project(reproduced, tmp_path):
    """A copy of the reproduced project that a test may change."""
    return reproduced.copy(tmp_path / "my project é")


@pytest.fixture(scope="module")
def browser():
    """Give the system's Chromium; Playwright brings none of its own."""
    from playwright.sync_api import sync_playwright  # which most tests do without

    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed (.ci/run installs one)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def small_backbone(monkeypatch):
    """Let a network of four layers stand for InceptionV3's, which takes a minute to train.

    What is particular to the real one is left to tests/models/test_building.py and
    test_grad_cam.py.
    """
    import keras  # which most tests do without

    def backbone(include_top, weights, input_shape, pooling):
        assert (include_top, pooling) == (False, "avg")
        pixels = keras.Input(input_shape)
        maps = keras.layers.Conv2D(8, 3, strides=4, use_bias=False, name="conv2d")(pixels)
        maps = keras.layers.BatchNormalization(scale=False)(maps)
        maps = keras.layers.Activation("relu", name="mixed10")(maps)
        average = keras.layers.GlobalAveragePooling2D()(maps)
        return keras.Model(pixels, average, name="inception_v3")

    monkeypatch.setattr(keras.applications, "InceptionV3", backbone)


@pytest.fixture
def small_weights(small_backbone, tmp_path):
    """The path of a file with weights of the small network that stands for InceptionV3's."""
    import keras

    path = tmp_path / "backbone.weights.h5"
    how = {"include_top": False, "weights": None, "input_shape": (75, 75, 3), "pooling": "avg"}
    keras.applications.InceptionV3(**how).save_weights(path)
    return str(path)


def manifest_of(indices):
    """Give the manifest of the images in these indices of image sets, as the audit writes it."""
    index = pd.concat(indices, ignore_index=True)
    split, class_name = zip(*(path.split("/")[:2] for path in index["source"]), strict=True)
    header = {"width": 64, "height": 64, "mode": "L", "format": "JPEG", "file_bytes": 999}
    header |= {"quantisation": 5.0, "border": 0.1, "sha256": "", "pixels_sha256": ""}
    columns = {"path": index["source"], "split": split, "class": class_name, **header}
    columns |= {"cluster": index["group"], "patient": "", "group": index["group"]}
    return pd.DataFrame(columns | {"accepted": True, "reason": None})
