"""The drawing of a model's layers."""

from xml.etree import ElementTree

import matplotlib
import pytest
from made_up import INCEPTION, LAYERS, layers

from stages.reporting.drawing import draw_architecture


def words(path) -> list[str]:
    """Give the texts of an SVG."""
    return [
        element.text for element in ElementTree.parse(path).iter() if element.tag.endswith("}text")
    ]


def box_fills(path) -> list[str]:
    """Give the fill of each box, from the top down."""
    paths = [
        e.get("style") or "" for e in ElementTree.parse(path).iter() if e.tag.endswith("}path")
    ]
    return [
        style[6:13] for style in paths if "stroke-width: 0.6" in style and "fill: none" not in style
    ]


@pytest.mark.parametrize("rows", [LAYERS, INCEPTION])
def test_every_layer_has_its_shape_and_parameters_as_text(tmp_path, rows):
    draw_architecture(tmp_path / "a.svg", layers(rows))
    texts = words(tmp_path / "a.svg")
    for name, kind, shape, parameters in rows:
        assert (name if kind == "Functional" else kind) in texts
        assert "\N{MULTIPLICATION SIGN}".join(map(str, shape)) in texts
        assert f"{parameters:,}" in texts
    assert f"{sum(row[3] for row in rows):,}" in texts


def test_two_drawings_have_the_same_bytes_and_no_date(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_architecture(tmp_path / name, layers(LAYERS))
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    assert b"date" not in content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


def test_a_matplotlibrc_of_the_user_changes_nothing(tmp_path):
    draw_architecture(tmp_path / "a.svg", layers(LAYERS))
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        draw_architecture(tmp_path / "b.svg", layers(LAYERS))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_convolution_pooling_and_dense_differ_in_colour(tmp_path):
    rows = [
        ("a", "Conv2D", [8, 8, 2], 20),
        ("b", "MaxPooling2D", [4, 4, 2], 0),
        ("c", "Dense", [4], 9),
    ]
    draw_architecture(tmp_path / "a.svg", layers(rows))
    fills = box_fills(tmp_path / "a.svg")
    assert len(fills) == len(set(fills)) == 3


def test_a_side_that_is_not_fixed_and_odd_names_are_drawn(tmp_path):
    rows = [("<b>&|x$y$", "Functional", [None, 3], 0)]
    draw_architecture(tmp_path / "a.svg", layers(rows))
    assert {"?\N{MULTIPLICATION SIGN}3", "<b>&|x$y$"} <= set(words(tmp_path / "a.svg"))
