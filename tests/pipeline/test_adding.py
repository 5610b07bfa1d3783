"""README's "How to add", to the letter, for all of it at once, and one run of the pipeline."""

import json

import pytest
from conftest import stages_run
from ruamel.yaml import YAML

WORDS = {
    "strategies": {"doubled": ("every image twice", "chaque image deux fois")},
    "measures": {"macro_rest": ("Macro rest", "Reste macro")},
}


@pytest.fixture(scope="module")
def grown(reproduced, tmp_path_factory):
    """The small project with another model, architecture, strategy and metric."""
    project = reproduced.copy(tmp_path_factory.mktemp("grown") / "my project é")
    rooms = project.folder / "brain_mri"
    (rooms / "models/architectures/tiny.py").write_text(
        '"""One convolution."""\n\n'
        "from keras import layers\n\n"
        "from brain_mri.models.parts import convolution, head\n\n\n"
        "def tiny(pixels, *, activation, dropout, l2, batch_norm):\n"
        '    """Give features of one convolution."""\n'
        "    x = convolution(activation, l2, batch_norm)(layers.Rescaling(1 / 255)(pixels), 4)\n"
        "    return head(layers.Flatten()(x), 8, dropout, l2)\n",
        encoding="utf-8",
    )
    with (rooms / "data/balancing.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n\ndef doubled(labels, generator):\n"
            '    """Take every image twice."""\n'
            "    return _plain(np.tile(np.arange(len(labels)), 2))\n"
        )
    path = rooms / "assessment/weighted.py"
    text = path.read_text(encoding="utf-8")
    line = '    precision, recall = found["weighted_precision"], found["weighted_recall"]\n'
    assert line in text
    added = line + '    found["macro_rest"] = 1 - found["macro_recall"]\n'
    path.write_text(text.replace(line, added), encoding="utf-8")
    for number, language in enumerate(("en", "fr")):
        path = rooms / f"report/words/{language}.yaml"
        yaml = YAML()
        content = yaml.load(path)
        for section, words in WORDS.items():
            content[section] |= {name: both[number] for name, both in words.items()}
        yaml.dump(content, path)
    project.add_model("model_5", architecture="tiny", data="doubled")
    project.said = project.dvc("repro")
    return project


def test_what_is_added_is_trained_and_nothing_else_is(grown):
    trained = {stage for stage in stages_run(grown.said) if stage.startswith("train")}
    assert trained == {"train@model_5"}
    record = json.loads((grown.folder / "reports/training/model_5.json").read_text())["model_5"]
    others = json.loads((grown.folder / "reports/training/model_1.json").read_text())["model_1"]
    assert record["architecture"] == "tiny"
    assert record["images"]["training"] == 2 * others["images"]["training"]


def test_the_report_has_it_in_words_and_with_its_interval(grown):
    page = (grown.folder / "reports/index.html").read_text(encoding="utf-8")
    assert "every image twice" in page
    assert "Macro rest" in page
    assert "| model\\_5 |" in (grown.folder / "reports/report.md").read_text(encoding="utf-8")
    path = grown.folder / "reports/comparison/figures.json"
    found = json.loads(path.read_text(encoding="utf-8"))["classifiers"]["model_5"]
    assert found["macro_rest"]["value"] == pytest.approx(1 - found["macro_recall"]["value"])
    assert found["macro_rest"]["low"] <= found["macro_rest"]["value"]


def test_dvc_shows_what_is_new_and_nothing_else(grown):
    assert json.loads(grown.dvc("status", "--json")) == {}
    changed = grown.dvc("metrics", "diff", "main").splitlines()[1:]
    assert {line.split()[0] for line in changed} <= {
        "reports/comparison.json",
        "reports/metrics/model_5.json",
        "reports/timing/model_5.json",
    }
    assert "models.model_5" in grown.dvc("params", "diff", "main")


def test_the_plots_are_one_per_kind_with_all_models_in_each(grown):
    titles = ["Loss", "Accuracy", "ROC, each class", "Confusion, images of Testing", "Reliability"]
    titles += ["Every figure with its 95 % interval", "Differences between models, with 95 % inter"]
    for command in (["show"], ["diff", "main"]):
        grown.dvc("plots", *command, "--out", "plots")
        page = (grown.folder / "plots/index.html").read_text(encoding="utf-8")
        assert page.count("vegaEmbed(") == len(titles)
        for title in titles:
            assert f'"title": "{title}' in page
        assert '"model": "model_1"' in page
        assert '"model": "model_5"' in page
