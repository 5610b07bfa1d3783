"""The figures show what their tables hold, in the page's language, whatever the tables hold."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml
from made_up import LAYERS, layers
from scipy import stats

from brain_mri import report
from brain_mri.report.drawing import short
from brain_mri.report.sections.answers_section import confusion_matrix, roc_curves
from brain_mri.report.sections.calibration_section import reliability
from brain_mri.report.sections.comparison_section import differences
from brain_mri.report.sections.data_section import class_balance, flow_diagram
from brain_mri.report.sections.learning_section import learning_curves
from brain_mri.report.sections.models_section import architecture
from brain_mri.report.sections.results_section import intervals, recalls
from brain_mri.report.sections.signals_section import signals_by_layer, signals_over_time
from brain_mri.report.study_figure import replicates

FOLDER = Path(report.__file__).parent / "words"
ENGLISH, FRENCH = (
    yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))["figures"]
    for language in ("en", "fr")
)
ODD = "<b>&$x$|y"
LONG = "a_name_of_more_than_eighteen_letters"
FLOW = {
    "files": 3264,
    "refused": 3,
    "training": 2868,
    "testing": 393,
    "dropped": 412,
    "train": 2087,
    "val": 369,
    "test": 393,
}
FOLDS = {"files": 99, "refused": 1, "accepted": 98, "copies": 8, "train": 60, "val": 10, "test": 20}
SIGNALS = {  # of a row; four classes
    "activation": "sigmoid",
    "update_ratio": 1e-3,
    "mean": 0.25,
    "spread_units": 0.1,
    "spread_images": 0.05,
    "below_0.05": 0.3,
    "above_0.95": 0.1,
    "entropy": 1.2,
}


def texts(svg: str) -> list[str]:
    """Give the texts of an SVG."""
    return [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]


def places(svg: str) -> dict[str, tuple[float, float]]:
    """Give where each text of an SVG stands, from its left and top edge."""
    return {
        e.text: (float(e.get("x")), float(e.get("y")))
        for e in ElementTree.fromstring(svg).iter()
        if e.tag.endswith("}text")
    }


def markers(svg: str) -> list[tuple[float, str]]:
    """Give where each marker stands and its fill, in the order of drawing."""
    uses = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}use")]
    return [
        (float(e.get("x")), e.get("style").split(";")[0])
        for e in uses
        if "stroke-width" not in e.get("style")  # a tick
    ]


def signals(layers=("conv2d", "dense", "logits"), steps=(0, 1, 2, 4, 16, 18)) -> pd.DataFrame:
    """Give signals of four classes, as the probe of training measures them."""
    rows = [
        {"step": step, "layer": layer, "gradient_norm": 0.1 / (place + 1), **SIGNALS}
        for step in steps
        for place, layer in enumerate(layers)
    ]
    table = pd.DataFrame(rows)
    table.loc[table["step"] == 0, "update_ratio"] = np.nan
    return table


def forest(names) -> pd.DataFrame:
    """Give a figure of some classifiers, with intervals."""
    return pd.DataFrame({"classifier": names, "value": 0.6123, "low": 0.5, "high": 0.7})


def recall_table(classifiers, classes) -> pd.DataFrame:
    """Give recalls of some classifiers."""
    return pd.concat([forest(classifiers).assign(**{"class": name}) for name in classes])


def bins(scaled=(False, True)) -> pd.DataFrame:
    """Give the bins of a reliability diagram."""
    rows = [
        (s, low, low + 0.1, 40, low + 0.05, low + 0.02) for s in scaled for low in (0.2, 0.5, 0.9)
    ]
    return pd.DataFrame(rows, columns=["scaled", "low", "high", "images", "confidence", "accuracy"])


def pairs(shown=(True, False, False), names=("m", "n", "o")) -> pd.DataFrame:
    """Give differences of a classifier to some others."""
    rows = [(ODD, b, -0.0504, -0.11, 0.01, s) for b, s in zip(names, shown, strict=True)]
    return pd.DataFrame(rows, columns=["a", "b", "difference", "low", "high", "shown"])


def runs(arms=("none", "augment"), seeds=5) -> pd.DataFrame:
    """Give runs of the arms of a study."""
    rows = [(arm, seed, 0.6 + 0.01 * seed) for arm in arms for seed in range(seeds)]
    return pd.DataFrame(rows, columns=["arm", "seed", "value"])


@pytest.fixture
def counts():
    return pd.DataFrame([[17, 4], [0, 0]], index=["a", ODD], columns=["a", ODD])


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [1.4, 1.0, 0.8],
            "accuracy": [0.3, 0.5, 0.6],
            "val_loss": [1.3, 0.9, 1.1],
            "val_accuracy": [0.4, 0.6, 0.5],
            "kept": [False, True, False],
        }
    )


@pytest.fixture
def roc():
    rates = {"false_positive_rate": [0.0, 0.2, 1.0], "true_positive_rate": [0.0, 0.9, 1.0]}
    return pd.DataFrame({"class": ODD, **rates})


@pytest.fixture
def drawn(counts, history, roc):
    """Give a function that draws every figure in a language."""

    def draw(words: dict) -> dict[str, str]:
        balanced = {"augment": {"a": 2000, ODD: 2000}}
        return {
            "flow_diagram": flow_diagram(FLOW, words),
            "flow_of_folds": flow_diagram(FOLDS, words),
            "class_balance": class_balance({"a": 2000, ODD: 300}, balanced, words),
            "confusion_matrix": confusion_matrix(counts, words),
            "roc_curves": roc_curves(roc, {ODD: 0.85}, words),
            "learning_curves": learning_curves(history, words),
            "intervals": intervals(forest(["m", ODD]), words, "F1"),
            "recalls": recalls(recall_table(["m", ODD], ["a", ODD, "c"]), words),
            "differences": differences(pairs(), words, "F1"),
            "reliability": reliability(bins(), words),
            "signals_by_layer": signals_by_layer(signals(), words),
            "signals_over_time": signals_over_time(signals(), words),
            "replicates": replicates(runs(), words, "F1"),
            "architecture": architecture(layers(LAYERS), words),
            "replicates_of_few": replicates(runs(seeds=2), words, "F1"),
        }

    return draw


def test_figures_have_the_same_bytes_twice_are_small_and_embed_no_picture(drawn):
    first, second = drawn(ENGLISH), drawn(ENGLISH)
    assert first == second
    for svg in first.values():
        assert "<image" not in svg
        assert "<dc:date" not in svg
        assert len(svg.encode()) < 60_000


def test_figures_write_numbers_with_the_marks_of_the_language(drawn):
    english, french = drawn(ENGLISH), drawn(FRENCH)
    for name in english:
        written = [text for text in texts(english[name]) if re.search(r"\d[.,]\d", text)]
        for text in written:
            assert text not in texts(french[name])
    assert "2,087" in texts(english["flow_diagram"])
    assert "2\N{NARROW NO-BREAK SPACE}087" in texts(french["flow_diagram"])
    assert "0.612" in texts(english["intervals"])
    assert "0,612" in texts(french["intervals"])


def test_the_words_have_no_key_that_no_figure_uses_and_all_that_any_does(drawn):
    used = set()

    class Watched(dict):
        def __getitem__(self, key):
            used.add(key)
            return super().__getitem__(key)

    drawn(Watched(ENGLISH))
    assert used == set(ENGLISH) == set(FRENCH)


def test_a_flow_diagram_of_folds_shows_both_folders_together():
    shown = texts(flow_diagram(FOLDS, ENGLISH))
    assert {"99", "1", "98", "8", "60", "10", "20"} <= set(shown)
    assert "accepted in both folders" in " ".join(shown)


def test_a_flow_diagram_shows_every_number_where_its_images_go():
    at = places(flow_diagram(FLOW | {"test": 392}, ENGLISH))
    heights = [at[number][1] for number in ("3,264", "3", "2,868", "412", "2,087")]
    assert heights == sorted(set(heights))  # from the folder down
    assert at["2,087"][1] == at["369"][1] == at["392"][1]
    assert at["393"][1] == at["2,868"][1]


def test_class_balance_shows_images_before_and_after_and_a_class_without_any():
    svg = class_balance({"a": 20, "none": 0}, {ODD: {"a": 1999.6}}, ENGLISH)
    assert {"20", "2,000", "0", ODD, "a", "none"} <= set(texts(svg))


def test_a_confusion_matrix_shows_counts_rates_and_a_class_without_images(counts):
    found = texts(confusion_matrix(counts, ENGLISH))
    assert {"17", "81%", "4", "19%", "a", ODD} <= set(found)
    assert found.count("0") == found.count("\N{EN DASH}") == 2
    assert FRENCH["percent"].format(81) in texts(confusion_matrix(counts, FRENCH))


def test_a_confusion_matrix_of_many_classes_keeps_room_for_each():
    names = [f"class {i}" for i in range(20)]
    svg = confusion_matrix(pd.DataFrame(1, index=names, columns=names), ENGLISH)
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) > 20 * 0.44 * 72


def test_learning_curves_mark_the_epoch_that_is_kept(history):
    assert "kept epoch: 2" in texts(learning_curves(history, ENGLISH))


def test_learning_curves_of_a_run_that_ended_in_nan_are_drawn(history):
    history.loc[2, ["loss", "val_loss"]] = [float("nan"), float("inf")]
    assert "kept epoch: 2" in texts(learning_curves(history, ENGLISH))


def test_learning_curves_of_one_epoch_and_of_nothing_but_nan_are_drawn(history):
    one = history.head(1).assign(kept=True)
    assert texts(learning_curves(one, ENGLISH)).count("1") >= 1
    empty = one.assign(loss=np.nan, val_loss=np.nan, accuracy=np.nan, val_accuracy=np.nan)
    found = texts(learning_curves(empty.assign(kept=False), ENGLISH))
    assert not any("kept" in text for text in found)


def test_roc_curves_tell_each_area_and_leave_out_a_class_that_has_none(roc):
    found = texts(roc_curves(roc, {ODD: 0.85, "absent": None}, ENGLISH))
    assert f"{ODD}, AUC 0.850" in found
    assert not any("absent" in text for text in found)


def test_intervals_stand_from_the_top_down_and_leave_out_a_classifier_without_a_value():
    table = forest(["first", "second", "absent"])
    table.loc[2, ["value", "low", "high"]] = np.nan
    at = places(intervals(table, ENGLISH, "accuracy"))
    assert at["first"][1] < at["second"][1] < at["accuracy"][1]
    assert "absent" not in at


def test_intervals_of_one_classifier_and_of_none_are_drawn():
    assert "only" in texts(intervals(forest(["only"]), ENGLISH, "accuracy"))
    none = forest(["m"]).assign(value=np.nan)
    assert "accuracy" in texts(intervals(none, ENGLISH, "accuracy"))


def test_a_name_too_long_for_the_margin_stands_whole_above_its_row():
    table = forest([LONG, "m"])
    assert LONG in texts(intervals(table, ENGLISH, "accuracy"))


@pytest.mark.parametrize("classes", [1, 2, 3, 12])
def test_recalls_have_a_panel_a_class_and_a_row_a_classifier(classes):
    names = [f"class {i}" for i in range(classes)]
    table = recall_table(["m", "n"], names)
    table.loc[table["classifier"] == "n", ["value", "low", "high"]] = np.nan
    found = texts(recalls(table, ENGLISH))
    assert set(names) <= set(found)
    assert found.count("m") == found.count("n") == -(-classes // 2)  # two panels share them


def test_a_significant_difference_is_filled_and_others_are_hollow():
    svg = differences(pairs(), ENGLISH, "accuracy")
    hollow = [fill == "fill: #ffffff" for _, fill in markers(svg)]
    assert hollow == [False, True, True, False, True]  # with the two of the legend
    assert texts(svg).count("\N{MINUS SIGN}0.050") == 3
    assert f"{ODD} \N{MINUS SIGN} m" in texts(svg)


def test_differences_have_zero_in_the_middle_and_leave_out_a_pair_without_one():
    table = pairs()
    table.loc[1, "difference"] = np.nan
    svg = differences(table, ENGLISH, "accuracy")
    at = places(svg)
    assert f"{ODD} \N{MINUS SIGN} n" not in at
    assert at["0"][0] == pytest.approx((at["0.1"][0] + at["\N{MINUS SIGN}0.1"][0]) / 2, abs=4)


def test_differences_that_are_all_zero_are_drawn_without_a_sign():
    table = pairs().assign(difference=-0.0001, low=0.0, high=0.0)
    found = texts(differences(table, ENGLISH, "accuracy"))
    assert found.count("0.000") == 3


def test_reliability_tells_scaled_from_unscaled_where_both_are_there():
    both = texts(reliability(bins(), ENGLISH))
    assert {ENGLISH["scaled"], ENGLISH["unscaled"]} <= set(both)
    assert ENGLISH["scaled"] not in texts(reliability(bins((False,)), ENGLISH))


def test_signals_by_layer_compare_the_first_measured_step_with_the_last():
    found = texts(signals_by_layer(signals(steps=(0, 4, 1200)), ENGLISH))
    assert {"conv2d", "dense", "logits", "step 0", "step 1,200"} <= set(found)
    assert not any(text.startswith("step 4") for text in found)


def test_a_gradient_of_zero_has_a_place_below_the_powers_of_ten():
    table = signals()
    assert "0" not in texts(signals_by_layer(table, ENGLISH))[:3]
    table.loc[table["layer"] == "conv2d", "gradient_norm"] = 0.0
    at = places(signals_by_layer(table, ENGLISH))
    assert at["10⁻¹"][1] < at["10⁻²"][1]
    assert "0" in at


def test_signals_over_time_show_the_entropy_of_knowing_nothing_for_the_number_of_classes():
    found = texts(signals_over_time(signals(), ENGLISH))
    assert "knows nothing: ln 4" in found
    assert {"conv2d", "dense", "logits", "10", "0.5"} <= set(found)


@pytest.mark.parametrize("draw", [signals_by_layer, signals_over_time])
@pytest.mark.parametrize("steps", [(0,), (0, 1), (0, 1, 2, 4, 16, 64, 123456)])
def test_signals_of_few_and_many_steps_are_drawn(draw, steps):
    assert "logits" in texts(draw(signals(steps=steps), ENGLISH))


@pytest.mark.parametrize("draw", [signals_by_layer, signals_over_time])
def test_signals_of_a_frozen_a_dead_and_an_exploding_layer_are_drawn(draw):
    table = signals()
    table.loc[table["layer"] == "conv2d", ["gradient_norm", "update_ratio"]] = np.nan
    dead = ["mean", "spread_units", "spread_images", "gradient_norm"]
    table.loc[table["layer"] == "dense", dead] = 0.0
    table.loc[table["layer"] == "logits", ["gradient_norm", "mean", "entropy"]] = np.inf
    assert "logits" in texts(draw(table, ENGLISH))


def test_replicates_show_every_run_and_students_interval_of_the_mean():
    table = runs(("none",))
    svg = replicates(table, ENGLISH, "macro F1")
    paths = re.findall(
        r'd="M ([\d.]+) ([\d.]+) ?\nL ([\d.]+) ([\d.]+) ?\n"[^>]*stroke-width: 1.5', svg
    )
    (left, _, right, _), *_ = [tuple(map(float, path)) for path in paths]
    marks = [x for x, fill in markers(svg) if fill == "fill-opacity: 0"]
    values = table["value"]
    scale = (marks[4] - marks[0]) / (values[4] - values[0])
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert right - left == pytest.approx(scale * (high - low), abs=0.1)
    assert "0.620" in texts(svg)


def test_replicates_of_one_seed_and_long_arms_are_drawn():
    arms = (LONG, "reference")
    assert set(arms) <= set(texts(replicates(runs(arms, seeds=1), ENGLISH, "F1")))


def test_a_long_name_is_cut_in_its_middle():
    assert short("a" * 20 + "z" * 20) == "a" * 9 + "…" + "z" * 8
