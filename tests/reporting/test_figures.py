"""The figures of the report."""

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from stages.reporting import figures

ODD = "<b>&$x$|y"


def words(svg: str) -> list[str]:
    """Give the texts of an SVG."""
    return [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text")]


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
            "best": [False, True, False],
        }
    )


@pytest.fixture
def roc():
    rates = {"false_positive_rate": [0.0, 0.2, 1.0], "true_positive_rate": [0.0, 0.9, 1.0]}
    return pd.DataFrame({"class": ODD, **rates})


def test_figures_have_the_same_bytes_twice_and_no_picture_within(counts, history, roc):
    for draw in (
        lambda: figures.confusion_matrix(counts),
        lambda: figures.learning_curves(history),
        lambda: figures.roc_curves(roc, {ODD: 0.85}),
    ):
        svg = draw()
        assert svg == draw()
        assert "<image" not in svg
        assert "date" not in svg


def test_a_confusion_matrix_shows_counts_and_names_also_of_a_class_without_images(counts):
    texts = words(figures.confusion_matrix(counts))
    assert {"17", "4", "a", ODD} <= set(texts)
    assert texts.count("0") == 2


def test_a_confusion_matrix_of_many_classes_keeps_room_for_each():
    names = [f"class {i}" for i in range(20)]
    svg = figures.confusion_matrix(pd.DataFrame(1, index=names, columns=names))
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == 20 * 0.5 * 72


def test_learning_curves_mark_the_best_epoch(history):
    assert "best epoch: 2" in words(figures.learning_curves(history))


def test_learning_curves_of_a_run_that_ended_in_nan_are_drawn(history):
    history.loc[2, ["loss", "val_loss"]] = [float("nan"), float("inf")]
    assert "best epoch: 2" in words(figures.learning_curves(history))


def test_roc_curves_tell_each_area_and_leave_out_a_class_that_has_none(roc):
    texts = words(figures.roc_curves(roc, {ODD: 0.85, "absent": None}))
    assert f"{ODD}, AUC 0.850" in texts
    assert not any("absent" in text for text in texts)


def test_a_long_name_is_cut():
    assert figures._short("a" * 40) == "a" * 17 + "…"
