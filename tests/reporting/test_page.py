"""The page and the summary."""

import copy
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from made_up import ROOT, make_project

from stages import params
from stages import report as stage
from stages.reporting import page

ODD_CLASSES = ["<b>&|x", 'a$b$ "quoted" class']
ODD_MODELS = ["model_1", "<i>m|2"]


ARGUMENTS = ["--reports", "reports", "--manifest", "data/audit/manifest.csv"]


def report(folder, **changes) -> tuple[str, str]:
    """Run the stage on made-up reports in a folder; give the page and the summary."""
    make_project(folder, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["report", *ARGUMENTS])
        stage.main()
    return read(folder)


def read(folder) -> tuple[str, str]:
    """Give the page and the summary in a folder."""
    return tuple((folder / "reports" / name).read_text() for name in ("index.html", "report.md"))


class Outline(HTMLParser):
    """Tags of a page with their attributes, and its text outside of figures."""

    VOID = ("meta", "path", "use")

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        """Note a tag, and that it is open."""
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """Note a tag."""
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        """Close the tag that was opened last."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep what a reader sees."""
        if not {"svg", "style"} & set(self.open):
            self.words.append(data)


def summary(html: str) -> str:
    """Give the words of the page's summary."""
    return Outline(re.search(r'<section id="summary">.*?</section>', html, re.DOTALL)[0]).text


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Give page and summary of two classes and two models with odd names, none healthy."""
    folder = tmp_path_factory.mktemp("odd")
    return report(folder, twins=0, classes=ODD_CLASSES, models=ODD_MODELS, healthy_class=None)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Give folder, page, summary and results of two models; model_3 has learned nothing."""
    folder = tmp_path_factory.mktemp("usual")
    with pytest.MonkeyPatch.context() as patch:
        handed = Mock(wraps=page.html_page)
        patch.setattr(page, "html_page", handed)
        written = report(folder, models=["baseline", "model_3"], skill={"model_3": 0.0})
    return SimpleNamespace(folder=folder, written=written, results=handed.call_args.args[0])


@pytest.fixture(scope="module")
def pages(odd, usual):
    """Give both pages."""
    return {"odd": odd[0], "usual": usual.written[0]}


@pytest.fixture
def results(usual):
    """Give what the stage hands to the page, for a test to change."""
    return copy.deepcopy(usual.results)


def test_another_process_gives_the_same_bytes_and_no_warning(usual):
    command = [sys.executable, "-m", "stages.report", *ARGUMENTS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=usual.folder, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("report: 2 models")
    assert read(usual.folder) == usual.written


@pytest.mark.parametrize("which", ["usual", "odd"])
def test_the_page_needs_no_other_file_and_no_script(which, pages):
    html = pages[which]
    tags = Outline(html).tags
    assert not {"script", "link", "img", "iframe", "object", "image"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href", "#").startswith("#")
    assert "://" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert len(html) < 5e6


@pytest.mark.parametrize("which", ["usual", "odd"])
def test_every_anchor_resolves_and_ids_are_unique(which, pages):
    html = pages[which]
    tags = Outline(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a.get("href") or a.get("xlink:href") for _, a in tags]
    targets = {target[1:] for target in targets if target} | set(re.findall(r"url\(#(.*?)\)", html))
    assert targets <= set(ids)
    assert {"summary", "data", "results", "models", "model-1", "use", "reproduce"} <= targets


def test_every_figure_is_described_numbered_and_captioned(usual):
    outline = Outline(usual.written[0])
    figures = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert len(figures) == 4 * 2
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 40 for svg in figures)
    for kind, count in (("Figure", 4 * 2), ("Table", 7 + 2 + 2)):
        numbers = [int(number) for number in re.findall(rf"{kind} (\d+)\.", outline.text)]
        assert numbers == list(range(1, count + 1))


def test_odd_names_are_shown_as_they_are(odd):
    html, markdown = odd
    outline = Outline(html)
    assert not {"i"} & {tag for tag, _ in outline.tags}
    for name in (*ODD_CLASSES, *ODD_MODELS):
        assert name in outline.text
    assert "&lt;i&gt;m\\|2" in markdown
    assert "<i>" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_without_a_healthy_class_there_is_no_word_on_missed_tumours(odd, usual):
    assert "Missed tumours" in usual.written[0]
    assert "Missed tumours" not in odd[0]


def test_a_figure_that_there_is_not_is_a_dash(odd):
    html, markdown = odd  # without twins there is no accuracy on images with one
    assert re.search(rf"<td>0</td>(\s*<td>{page.MISSING}</td>){{2}}", html)
    assert f"| {page.MISSING} |" in markdown
    assert "None" not in html + markdown
    assert "nan" not in Outline(html).text + markdown


@pytest.mark.parametrize("name", ["baseline", "model_3"])
def test_the_summary_names_the_model_that_is_best_in_this_run(results, name):
    results["models"][name]["metrics"] |= {"accuracy": 0.991, "macro": {"f1": 0.981}}
    words = summary(page.html_page(results))
    assert f"{name} has the highest accuracy (0.991) and the highest macro F1 (0.981)" in words
    assert "no difference between models is claimed" in words


def test_the_summary_names_two_models_where_measures_disagree_and_both_where_they_tie(results):
    for name, accuracy, f1 in (("baseline", 0.991, 0.9), ("model_3", 0.9911, 0.98)):
        results["models"][name]["metrics"] |= {"accuracy": accuracy, "macro": {"f1": f1}}
    words = summary(page.html_page(results))
    assert "baseline and model_3 share the highest accuracy (0.991)" in words
    assert "model_3 has the highest macro F1 (0.980)" in words


def test_the_summary_tells_leakage_and_policy(results, odd):
    assert "no Testing image with a twin in Training" in summary(odd[0])
    dropped = summary(page.html_page(results))
    assert "40 of 200 images of Testing (20.0%) have a twin in Training" in dropped
    assert "36 images of Training were left out" in dropped
    results["parameters"]["leakage"] = "keep"
    kept = summary(page.html_page(results))
    assert "can answer these images from memory" in kept
    assert "left out" not in kept


def test_classes_may_be_called_by_numbers(tmp_path):
    make_project(tmp_path, models=["model_1"], classes=["0", "1"], healthy_class="0")
    parameters = params.load(tmp_path / "params.yaml")
    model = stage._model(tmp_path / "reports/model_1", "model_1", parameters)
    assert model["answers"] == ["0", "1"]


def test_where_every_testing_image_has_a_twin_no_model_leads_without(results):
    results["parameters"]["leakage"] = "keep"
    results["audit"]["twins"]["testing_with_twin_in_training"] = 200
    for model in results["models"].values():
        model["metrics"]["without_twin_in_training"] = {"images": 0, "accuracy": None}
    assert "those on the 0 images without a twin." in summary(page.html_page(results))


def test_a_model_that_always_answers_the_same_is_called_out(usual):
    text = Outline(usual.written[0]).text
    assert text.count("so that its accuracy is the share of that class") == 1


def test_the_stage_never_imports_tensorflow():
    code = (
        "import sys, stages.report; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_figures_that_look_alike_share_the_best_place():
    models = {
        name: {"metrics": {"loss": loss, "weighted": {"f1": f1}}}
        for name, loss, f1 in (("a", 0.5, 0.70001), ("b", 0.4, 0.70002), ("c", None, 0.6))
    }
    assert page.best(models, "weighted.f1") == ["a", "b"]
    assert page.best(models, "loss", lowest=True) == ["b"]
    assert page.best(models, "absent") == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, page.MISSING),
        (float("nan"), page.MISSING),
        (0.6701, "0.670"),
        (1, "1"),
        (1384512, "1,384,512"),
    ],
)
def test_numbers_are_written_one_way(value, text):
    assert page.number(value) == text
