"""The page and the summary say what the numbers say, in one file that needs nothing else."""

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from made_up import ROOT, make_project

from brain_mri import params
from brain_mri.report import contents, page, sections
from brain_mri.report.language import MISSING
from brain_mri.report.reading import Reports
from brain_mri.storage import write_json
from stages import report as stage
from tests.conftest import run_here

ODD_CLASSES = ["<b>&|x", 'a$b$ "quoted" class']
ODD_MODELS = ["model_1", "modèle_2-b"]
ARGUMENTS = ["--reports", "reports"]


class Outline(HTMLParser):
    """Tags of a page with their attributes, and its text outside of figures."""

    VOID = ("meta", "path", "use", "img", "br", "wbr")

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(html)
        self.text = " ".join("".join(self.words).split())

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


def section(html: str, name: str) -> str:
    """Give the words of a section of the page."""
    return Outline(re.search(rf'<section id="{name}">.*?</section>', html, re.DOTALL)[0]).text


def gathered(folder: Path) -> dict:
    """Give what the stage hands to the page."""
    parameters = params.load(folder / "params.yaml")
    return sections.gather(Reports(folder / "reports", parameters))


def made(tmp_path_factory, name: str, **changes) -> SimpleNamespace:
    """Make up reports; give their folder, and the results, page and summary made of them."""
    folder = make_project(tmp_path_factory.mktemp("page") / name, **changes)
    results = gathered(folder)
    return SimpleNamespace(
        folder=folder,
        results=results,
        html=page.html_page(results),
        markdown=page.markdown_summary(results),
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Two models; model_3, of sigmoid, answers the first class whatever it sees."""
    skill = {"baseline": 0.97, "model_3": 0.0}
    return made(tmp_path_factory, "usual", models=["baseline", "model_3"], skill=skill)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Two classes and two models with odd names, none healthy, no twins, in French."""
    return made(
        tmp_path_factory,
        "odd",
        language="fr",
        twins=0,
        classes=ODD_CLASSES,
        models=ODD_MODELS,
        healthy_class=None,
    )


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One model that is always right, classes called by numbers, twins kept, nothing scaled."""
    return made(
        tmp_path_factory,
        "single",
        models=["model_1"],
        skill={"model_1": 1.0},
        classes=["0", "1"],
        healthy_class="0",
        leakage="keep",
        compare={"temperature_scaling": False},
    )


@pytest.fixture
def pages(usual, odd, single):
    return {"usual": usual, "odd": odd, "single": single}


@pytest.fixture
def results(usual):
    """Give what the stage hands to the page, for a test to change."""
    return copy.deepcopy(usual.results)


def with_verdicts(results: dict) -> dict:
    """Bring up to date what follows from a changed comparison."""
    names = list(results["models"])
    comparison = results["comparison"]
    return results | {
        "verdicts": contents.verdicts(comparison, names),
        "best": contents.best(comparison, names),
    }


def test_the_stage_writes_the_same_bytes_in_another_process_and_no_warning(usual):
    command = [sys.executable, "-m", "stages.report", *ARGUMENTS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=usual.folder, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("report: 2 models")
    assert (usual.folder / "reports/index.html").read_text() == usual.html
    assert (usual.folder / "reports/report.md").read_text() == usual.markdown


def test_the_summary_says_near_its_top_on_what_the_models_were_trained(usual):
    versions = "versions.python 3.11.9, versions.tensorflow 2.20.0, versions.keras 3.15.1"
    line = f"AMD EPYC 7B13, precision float32, threads all, deterministic true, {versions}.\n"
    assert f"\n\n**Trained on:** device {line}\n|" in usual.markdown
    assert usual.markdown.count("rained on") == 1

    training = {name: model["training"] for name, model in usual.results["models"].items()}
    training["model_3"] = training["model_3"] | {"device": "A *GPU*", "switches": {"TF_X": "|1"}}
    summary = page.markdown_summary(usual.results | {"machines": contents.machines(training)})
    assert f"\n\n**baseline trained on:** device {line}\n" in summary
    assert r"**model\_3 trained on:** device A \*GPU\*, precision float32" in summary
    assert r"switches.TF\_X \|1" in summary


def test_two_runs_of_other_durations_differ_in_marked_times_alone(results):
    times = re.compile(r'<span class="time">.*?</span>')
    pages = []
    for seconds in (0.5, None):
        results["seconds"]["baseline"] = seconds
        pages.append(page.html_page(results))
    assert pages[0] != pages[1]
    assert times.sub("", pages[0]) == times.sub("", pages[1])
    assert f'<span class="time">{MISSING}</span>' in pages[1]


@pytest.mark.parametrize("which", ["usual", "odd", "single"])
def test_the_page_needs_no_other_file_and_no_script(which, pages):
    html = pages[which].html
    tags = Outline(html).tags
    assert not {"script", "link", "iframe", "object", "image"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert ("src" in attributes) == (tag == "img")
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href", "#").startswith("#")
    assert "://" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert len(html) < 5e6


@pytest.mark.parametrize("which", ["usual", "odd", "single"])
def test_every_anchor_resolves_and_ids_are_unique(which, pages):
    html = pages[which].html
    tags = Outline(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a.get("href") or a.get("xlink:href") for _, a in tags]
    targets = {target[1:] for target in targets if target} | set(re.findall(r"url\(#(.*?)\)", html))
    assert targets <= set(ids)
    shown = {a["id"] for tag, a in tags if tag == "section"}
    assert len(shown) > 14
    assert shown <= targets


@pytest.mark.parametrize("which", ["usual", "odd", "single"])
def test_everything_shown_is_described_numbered_and_captioned(which, pages):
    html = pages[which].html
    outline = Outline(html)
    drawings = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert len(drawings) > 12
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 40 for svg in drawings)
    pictures = [attributes for tag, attributes in outline.tags if tag == "img"]
    assert len(pictures) > 7
    assert all(len(picture["alt"]) > 15 for picture in pictures)
    words = {"figure": "Figure", "table": "Tableau" if which == "odd" else "Table"}
    for kind, word in words.items():
        anchors = re.findall(rf'<figure class="[\w ]*" id="{kind}-(\d+)">', html)
        captions = re.findall(rf"<b>{word} (\d+)\.</b>", html)
        assert [int(number) for number in captions] == list(range(1, len(anchors) + 1))
        assert sorted(anchors, key=int) == sorted(captions, key=int)


def test_a_name_can_neither_break_a_table_of_markdown_nor_bring_html():
    assert page.cell("<i>a|b`\nc") == "&lt;i&gt;a\\|b\\` c"


def test_odd_names_are_shown_as_they_are(odd):
    outline = Outline(odd.html)
    for name in (*ODD_CLASSES, *ODD_MODELS):
        assert name in outline.text
    assert "<b>&|" not in odd.html + odd.markdown
    assert "modèle\\_2-b" in odd.markdown
    rows = [line for line in odd.markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 6 + 2 + 2 * 6  # classifiers, and by class
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_the_french_page_has_no_english_sentence(odd):
    said = " ".join(odd.html.split()) + odd.markdown
    assert '<html lang="fr">' in odd.html
    english = yaml.safe_load((ROOT / "brain_mri/report/words/en.yaml").read_text("utf-8"))
    parts = [
        part.strip()
        for text in contents.flat(english).values()
        for part in re.split(r"[{}<>]", text)
        if len(re.findall(r"[a-z]{2,}", part)) > 3
    ]
    assert len(parts) > 150
    assert [part for part in parts if part in said] == []
    assert ">couche</text>" in odd.html
    assert ">layer</text>" not in odd.html


def test_without_a_healthy_class_there_is_no_word_on_missed_tumours(odd, usual):
    assert 'id="threshold"' in usual.html
    assert "Missed tumours" in usual.html
    assert 'id="threshold"' not in odd.html
    for word in ("tumeurs manquées", "Sensibilité</th>"):
        assert word not in odd.html


@pytest.mark.parametrize("which", ["usual", "odd", "single"])
def test_a_figure_that_there_is_not_is_a_dash(which, pages):
    text = Outline(pages[which].html).text + pages[which].markdown
    assert MISSING in text
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b|Undefined", text)


def test_one_model_is_not_said_to_be_chosen_or_compared(single):
    words = section(single.html, "summary")
    assert "model_1 is the only model of this run" in words
    assert "recommended" not in words
    assert "pairs of models" not in single.html
    assert "**Only model:** model\\_1" in single.markdown


def test_the_recommended_model_is_named_with_its_rule_and_its_interval(results):
    figures = results["comparison"]["classifiers"]["baseline"]
    figures["accuracy"] = {"value": 0.91, "low": 0.87, "high": 0.945}
    words = section(page.html_page(results), "summary")
    assert "baseline is recommended: on validation it has the highest macro F1" in words
    assert "On Testing it answers 182 of 200 images right, 91.0% [87.0%, 94.5%]." in words
    assert "On Testing itself" not in words


def test_a_recommended_model_that_is_not_best_on_testing_is_told_so(results):
    for name, value in (("baseline", 0.7), ("model_3", 0.8)):
        results["comparison"]["classifiers"][name]["macro_f1"]["value"] = value
    words = section(page.html_page(with_verdicts(results)), "summary")
    assert "On Testing itself, model_3 has a higher macro F1 (0.800 against 0.700)" in words


@pytest.mark.parametrize(
    ("value", "p", "said", "cell"),
    [
        (0.1, 0.01, "It beats a look-up", "yes"),
        (0.1, 0.2, "It is not shown to beat a look-up", "not shown"),
        (-0.1, 0.2, "It is not shown to beat a look-up", "not shown"),
        (-0.1, 0.01, "It is behind a look-up", "no"),
        (None, None, "It is not shown to beat a look-up", "not shown"),
    ],
)
def test_how_the_model_stands_to_look_up_follows_from_the_test(results, value, p, said, cell):
    results["comparison"]["pairs"]["baseline - look_up"]["accuracy"] |= {"value": value}
    results["comparison"]["pairs"]["baseline - look_up"]["accuracy"] |= {"p_holm": p}
    html = page.html_page(with_verdicts(results))
    assert said in section(html, "summary")
    assert f"<td>{cell}</td>" in html


@pytest.mark.parametrize(
    ("value", "p", "summary", "comparison"),
    [
        (0.2, 0.01, "baseline is ahead of model_3", "baseline more often than model_3"),
        (-0.2, 0.01, "baseline is behind model_3", "model_3 more often than baseline"),
        (0.2, 0.06, "baseline cannot be told apart from model_3", "room for differences"),
    ],
)
def test_what_is_said_of_a_pair_follows_from_its_p(results, value, p, summary, comparison):
    results["comparison"]["pairs"]["baseline - model_3"]["accuracy"] |= {"value": value}
    results["comparison"]["pairs"]["baseline - model_3"]["accuracy"] |= {"p_holm": p}
    html = page.html_page(with_verdicts(results))
    assert summary in section(html, "summary")
    assert comparison in section(html, "comparison")
    markdown = page.markdown_summary(with_verdicts(results))
    assert ("none of 1" in markdown) == (p > 0.05)


def test_a_model_that_always_answers_the_same_is_called_out(results, single):
    model = results["models"]["model_3"]
    model["diagnosis"]["verdict"] = "collapse"
    said = section(page.html_page(results), "summary")
    assert "model_3 did not learn: it answers glioma_tumor for every image" in said
    assert "for every image" not in section(single.html, "summary")


def test_a_model_that_learned_in_training_alone_is_told_from_one_that_did_not(results):
    model = results["models"]["model_3"]
    model["diagnosis"]["verdict"] = "learns"
    model["learning"]["accuracy_last"] = 0.871
    said = section(page.html_page(results), "summary")
    assert "answers glioma_tumor for every image of Testing, although it learned" in said
    assert "right on 87.1% of the images" in said
    assert "did not learn" not in said


def test_the_summary_tells_leakage_and_policy(results, odd):
    assert "aucune image de Testing qui ait un jumeau" in section(odd.html, "summary")
    dropped = section(page.html_page(results), "summary")
    assert "40 of 200 images of Testing (20.0%) have a twin in Training" in dropped
    assert "36 images of Training were left out" in dropped
    results["parameters"]["leakage"] = "keep"
    kept = section(page.html_page(results), "summary")
    assert "can answer these images from memory" in kept
    assert "of the 160 without one" in kept
    assert "left out" not in kept


def test_where_every_testing_image_has_a_twin_nothing_is_said_of_those_without(results):
    results["parameters"]["leakage"] = "keep"
    results["audit"]["twins"]["testing_with_twin_in_training"] = 200
    assert "nothing here tells memory from skill" in section(page.html_page(results), "summary")


def test_twins_are_shown_side_by_side_with_both_files(usual, odd):
    words = section(usual.html, "data")
    assert "6 of 8 pairs of twins" in words
    for name in ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"):
        assert f"Training/{name}/2.png" in words
        assert f"Testing/{name}/2.png" in words
    assert 'class="pair"' not in odd.html


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"value": 0.99, "low": 0.96, "high": 1.0}, "baseline keeps the target on Testing: "),
        ({"value": 0.97, "low": 0.9, "high": 0.99}, "but its interval reaches below"),
        ({"value": 0.9, "low": 0.8, "high": 0.94}, "baseline falls short of the target"),
    ],
)
def test_the_threshold_is_judged_by_testing(results, found, said):
    threshold = results["threshold"]
    threshold["target_sensitivity"] = 0.95
    threshold["models"]["baseline"]["sensitivity"] = found
    words = section(page.html_page(results), "threshold")
    assert said in words
    assert "model_3 keeps" not in words  # it never says that there is no tumour
    assert "model_3 calls every image a tumour, which is no answer." in words


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.9, "is too sure"), (0.5, "is not sure enough"), (0.72, "is not shown to be too sure")],
)
def test_calibration_is_told_by_confidence_against_the_interval(results, confidence, said):
    results["confidences"]["baseline"] = confidence
    accuracy = {"value": 0.7, "low": 0.65, "high": 0.75}
    results["comparison"]["classifiers"]["baseline"]["accuracy"] = accuracy
    assert f"baseline {said}" in section(page.html_page(results), "calibration")


def test_without_temperature_scaling_there_is_no_word_of_it(single, usual):
    assert "temperature" in section(usual.html, "calibration").lower()
    assert "emperature" not in section(single.html, "calibration")
    assert "temperature" not in section(single.html, "threshold")


def test_a_recommended_model_that_falls_off_on_testing_is_said_to(results):
    comparison = results["comparison"]
    own = comparison["classifiers"][comparison["recommended"]["model"]]["macro_f1"]
    for validation, said in ((own["high"] + 0.01, True), (own["high"] - 0.01, False)):
        comparison["recommended"]["macro_f1"] = validation
        words = section(page.html_page(results), "summary")
        assert ("carries over to Testing only in part" in words) == said


def test_a_wrong_answer_on_a_slice_of_two_labels_is_said_to_be_in_doubt(results):
    paths = [mistake["path"] for mistake in results["mistakes"]]
    html = page.html_page(results | {"doubtful": set(paths[:1]), "wrong_doubtful": 1})
    doubt = "1 is on a slice that the data carries under two labels"
    assert doubt in section(html, "summary")
    assert doubt in section(html, "mistakes")
    assert section(html, "mistakes").count("Two labels.") == 1
    html = page.html_page(results | {"doubtful": set(), "wrong_doubtful": 0})
    assert "two labels" not in section(html, "mistakes").lower() + section(html, "summary").lower()


def test_mistakes_are_shown_or_said_not_to_be(usual, single):
    assert "baseline is wrong on" in section(usual.html, "mistakes")
    assert section(single.html, "mistakes").endswith("model_1 makes no mistake on Testing.")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("saturation", "confirms it"),
        ("collapse", "refutes it"),
        ("slow", "refutes it"),
        ("dead", "refutes it"),
        ("learns", "refutes it"),
        ("unclear", "neither confirms nor refutes it"),
    ],
)
def test_the_studys_claim_is_judged_by_what_was_measured(results, verdict, said):
    results["models"]["model_3"]["diagnosis"]["verdict"] = verdict
    assert said in section(page.html_page(results), "signals")


def test_without_sigmoid_the_studys_claim_is_not_judged(single):
    words = section(single.html, "signals")
    assert "is not tested here" in words
    assert "refutes" not in words


@pytest.mark.parametrize(
    ("dataset", "licence"),
    [
        ("data/phantom", "made by this project"),
        ("data/sartaj", "no licence file in its repository"),
        ("data/mine", "Unknown to us."),
    ],
)
def test_the_data_card_knows_what_data_it_is_about(results, dataset, licence):
    results["parameters"]["dataset"] = dataset
    words = section(page.html_page(results), "data_card")
    assert licence in words
    assert ("it is not known whose slices they are" in words) == (dataset != "data/phantom")
    assert ("Who gave the labels" in words) == (dataset != "data/phantom")


def test_the_command_to_reproduce_survives_a_shell(odd):
    command = re.search(r"<pre><code>(.*?)</code></pre>", odd.html, re.DOTALL)[1]
    parser = Outline(command)
    words = shlex.split("".join(parser.words).replace("\\\n", " "))
    assert words[:3] == ["dvc", "exp", "run"]
    assert 'classes=[<b>&|x,a$b$ "quoted" class]' in words
    assert "healthy_class=null" in words


@pytest.mark.parametrize("own_size", [None, "no_tumor"])
def test_a_page_warns_where_a_files_header_tells_a_tumour_and_nowhere_else(
    tmp_path_factory, own_size
):
    name = f"header {own_size}"
    html = made(tmp_path_factory, name, models=["model_1"], own_size=own_size).html
    for place in ("summary", "shortcuts"):
        warned = "“tumour or none” cannot be claimed on this set" in section(html, place)
        assert warned == (own_size is not None)
    assert ("is not clearly told from none" in section(html, "shortcuts")) == (own_size is None)


def test_a_page_of_a_fold_tells_what_its_test_set_is(tmp_path_factory):
    html = made(tmp_path_factory, "fold", models=["model_1"], split="folds", fold=2).html
    assert "is fold 2 of 5: all accepted images together" in section(html, "data")
    assert "Folds hold whole patients" in section(html, "summary")
    assert "left out as twins of Testing" not in html


def test_the_stage_never_imports_tensorflow():
    code = (
        "import sys, stages.report; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_figures_that_look_alike_share_the_best_place():
    assert contents.leaders({"a": 0.70001, "b": 0.70002, "c": 0.6}) == ["a", "b"]
    assert contents.leaders({"a": 0.5, "b": 0.4, "c": None}, lowest=True) == ["b"]
    assert contents.leaders({"a": None}) == []


def test_a_picture_that_is_none_ends_the_stage_with_a_sentence(tmp_path):
    folder = make_project(tmp_path / "broken", models=["model_1"])
    picture = next((folder / "reports/pictures/grad_cam/model_1").glob("*.png"))
    picture.write_bytes(b"no picture")
    with pytest.raises(SystemExit) as error:
        run_here(folder, stage, *ARGUMENTS)
    assert "is damaged; run `dvc repro --force`" in str(error.value)


def test_a_report_that_is_none_ends_the_stage_with_a_sentence(tmp_path):
    folder = make_project(tmp_path / "broken", models=["model_1"])
    write_json(folder / "reports/audit/findings.json", {})
    (folder / "reports/comparison/figures.json").write_text("{")
    with pytest.raises(SystemExit) as error:
        run_here(folder, stage, *ARGUMENTS)
    assert "figures.json is damaged" in str(error.value)


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ({"test": [0, 3]}, {"no image of <b>glioma_tumor</b> and <b>pituitary_tumor</b>: these"}),
        ({"val": [1]}, {"Validation has no image of <b>meningioma_tumor</b>; that macro F1"}),
        ({"test": [2]}, {"no image of no_tumor, so it cannot tell specificity or false alarms"}),
        (
            {"test": [0, 1, 3], "val": [0, 1, 3]},
            {
                "no image of a tumour, so it cannot tell sensitivity or missed tumours",
                "Validation holds no tumour, so there is no threshold for <b>model_1</b>",
            },
        ),
    ],
)
def test_what_a_set_without_a_class_cannot_tell_is_said(tmp_path, absent, says):
    names = ["model_1", "model_4"]
    make_project(tmp_path / "p", absent=absent, models=names, compare={"resamples": 100})
    run_here(tmp_path / "p", stage, *ARGUMENTS)
    text = (tmp_path / "p/reports/index.html").read_text("utf-8")
    assert [sentence for sentence in says if sentence not in text] == []
    for path in (tmp_path / "p/reports").rglob("*.json"):
        assert "NaN" not in path.read_text("utf-8")


def test_a_page_without_pictures_says_so_and_is_whole(usual, tmp_path):
    """As in a clone where DVC has brought nothing: Git has the tables, and none of the slices."""
    shutil.copytree(usual.folder, tmp_path / "p")
    shutil.rmtree(tmp_path / "p/reports/pictures")
    shutil.rmtree(tmp_path / "p/data")
    run_here(tmp_path / "p", stage, *ARGUMENTS)
    html = (tmp_path / "p/reports/index.html").read_text("utf-8")
    assert "<img" not in html
    assert "The pictures of slices are not in this clone" in html
    assert "The pictures of slices are not in this clone" not in usual.html
    whole, without = (re.sub(r"Figure \d+", "", section(h, "results")) for h in (usual.html, html))
    assert whole == without


def test_a_page_with_every_class_everywhere_says_nothing_of_absent_ones(usual):
    assert "no image of" not in usual.html
    assert "Beside Training and Testing" not in usual.html


def test_what_the_audit_left_aside_is_named_with_its_files(results):
    results["audit"]["unused"] = {"Validation": 12, "<masks>": 1}
    results["audit"]["without_class"] = {f"Training/horse {n}": 3 for n in range(9)}
    html = page.html_page(results)
    assert "2 things that were not used: Validation (12 files), &lt;masks&gt; (1 file)." in html
    assert "9 folders within Training and Testing are none of the classes" in html
    assert "Training/horse 7 (3 files), and 1 more." in html
