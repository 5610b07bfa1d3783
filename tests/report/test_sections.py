"""A section of the report is added as README says."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from made_up import ROOT, make_project

MODULE = '''
"""How many images each class has."""

from matplotlib import style
from matplotlib.figure import Figure

from brain_mri.report.drawing import STYLE, svg
from brain_mri.report.reading import Reports


def content(reports: Reports) -> dict:
    """Give the images of each class, drawn."""
    images = reports.splits.groupby("class")["images"].sum()
    with style.context(STYLE, after_reset=True):
        figure = Figure()
        figure.subplots().bar(images.index, images)
        return {"sizes_drawn": svg(figure)}
'''
TEMPLATE = """
{% from "macros.html.j2" import drawing with context %}
{{ drawing(sizes_drawn, say("sizes.caption"), say("sizes.label")) }}
"""
WORDS = {  # heading, caption, label
    "en": ("Sizes of the classes", "Images by class.", "Bars."),
    "fr": ("Tailles des classes", "Images par classe.", "Barres."),
}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Give a folder of made-up reports of one model."""
    folder = tmp_path_factory.mktemp("sections") / "project"
    return make_project(folder, models=["model_1"], compare={"resamples": 100})


@pytest.fixture
def code(tmp_path):
    """Give a copy of the code with a section added."""
    for name in ("brain_mri", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name)
    report = tmp_path / "brain_mri/report"
    (report / "sections/sizes_section.py").write_text(MODULE)
    (report / "templates/sizes.html.j2").write_text(TEMPLATE)
    for language, (heading, caption, label) in WORDS.items():
        path = report / f"words/{language}.yaml"
        text = path.read_text("utf-8")
        text = text.replace("\nsections:\n", f"\nsections:\n  sizes: {heading}\n")
        path.write_text(f"{text}\nsizes:\n  caption: {caption}\n  label: {label}\n", "utf-8")
    return tmp_path


def report(project, code):
    """Run the report stage of a copy of the code."""
    return subprocess.run(
        [sys.executable, "-m", "stages.report", "--reports", "reports"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("language", WORDS)
def test_a_module_a_template_and_words_are_a_section(made_up, code, language):
    parameters = made_up / "params.yaml"
    text = re.sub(r"(?m)^language: .*", f"language: {language}", parameters.read_text())
    parameters.write_text(text)
    done = report(made_up, code)
    assert done.returncode == 0, done.stderr
    html = (made_up / "reports/index.html").read_text("utf-8")
    heading, caption, label = WORDS[language]
    section = html.partition('<section id="sizes">')[2].partition("</section>")[0]
    assert f"</span> {heading}</h2>" in section
    assert f"</b> {caption}</figcaption>" in section
    assert f'<svg role="img" aria-label="{label}"' in section
    assert f'<li><a href="#sizes">{heading}</a></li>' in html
    assert html.index('id="data_card"') < html.index('id="sizes"') < html.index('id="glossary"')


def test_a_name_that_another_section_gives_is_refused(made_up, code):
    module = code / "brain_mri/report/sections/sizes_section.py"
    module.write_text(MODULE.replace("sizes_drawn", "flow_diagram"))
    done = report(made_up, code)
    assert done.returncode == 1
    assert "'flow_diagram'" in done.stderr
