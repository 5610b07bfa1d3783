"""The drawing of a model's layers."""

from xml.etree import ElementTree

import matplotlib
import pytest
from made_up import INCEPTION, LAYERS, layers

from brain_mri.report.language import Language
from brain_mri.report.sections.models_section import architecture

WORDS = Language("en").words["figures"]


def drawn(rows, words=WORDS):
    return architecture(layers(rows), words)


def texts(svg) -> list[str]:
    """Give the texts of an SVG."""
    elements = ElementTree.fromstring(svg).iter()
    return [element.text for element in elements if element.tag.endswith("}text")]


def box_fills(svg) -> list[str]:
    """Give the fill of each box, from the top down."""
    elements = ElementTree.fromstring(svg).iter()
    paths = [e.get("style") or "" for e in elements if e.tag.endswith("}path")]
    return [
        style[6:13] for style in paths if "stroke-width: 0.6" in style and "fill: none" not in style
    ]


@pytest.mark.parametrize("rows", [LAYERS, INCEPTION])
def test_every_layer_has_its_shape_and_parameters_as_text(rows):
    shown = texts(drawn(rows))
    for name, kind, shape, parameters in rows:
        assert (name if kind == "Functional" else kind) in shown
        assert shape.replace("x", "\N{MULTIPLICATION SIGN}") in shown
        assert f"{parameters:,}" in shown
    assert f"{sum(row[3] for row in rows):,}" in shown


def test_in_french_its_words_and_numbers_are_french():
    shown = texts(drawn(LAYERS, Language("fr").words["figures"]))
    assert {"couche", "sortie", "paramètres", "toutes les couches"} <= set(shown)
    assert "1\N{NARROW NO-BREAK SPACE}384\N{NARROW NO-BREAK SPACE}512" in shown


def test_two_drawings_have_the_same_bytes_and_no_date():
    assert drawn(LAYERS) == drawn(LAYERS)
    assert "date" not in drawn(LAYERS)


def test_a_matplotlibrc_of_the_user_changes_nothing():
    usual = drawn(LAYERS)
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        assert drawn(LAYERS) == usual


def test_convolution_pooling_and_dense_differ_in_colour():
    rows = [("a", "Conv2D", "8x8x2", 20), ("b", "MaxPooling2D", "4x4x2", 0), ("c", "Dense", "4", 9)]
    fills = box_fills(drawn(rows))
    assert len(fills) == len(set(fills)) == 3


def test_a_side_that_is_not_fixed_and_odd_names_are_drawn():
    rows = [("<b>&|x$y$", "Functional", "?x3", 0)]
    assert {"?\N{MULTIPLICATION SIGN}3", "<b>&|x$y$"} <= set(texts(drawn(rows)))
