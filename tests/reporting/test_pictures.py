"""Pictures within a page are whole, small and the same each time."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from stages.errors import InputError
from stages.reporting.pictures import data_uri, data_uri_of_file

START = "data:image/png;base64,"


def opened(uri: str) -> Image.Image:
    """Give the picture in a data URI."""
    assert uri.startswith(START)
    return Image.open(BytesIO(base64.b64decode(uri.removeprefix(START), validate=True)))


@pytest.fixture
def grey():
    return np.random.default_rng(1).integers(256, size=(30, 40), dtype=np.uint8)


def test_grey_pixels_come_back_as_they_were_in_eight_bits(grey):
    image = opened(data_uri(grey))
    assert (image.format, image.mode) == ("PNG", "L")
    np.testing.assert_array_equal(np.asarray(image), grey)


def test_colours_come_back_as_they_were(grey):
    colours = np.stack([grey, grey // 2, 255 - grey], axis=2)
    image = opened(data_uri(colours))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), colours)


def test_the_same_pixels_give_the_same_text_in_any_memory_layout(grey):
    assert data_uri(grey) == data_uri(np.asfortranarray(grey))
    assert data_uri(grey, 16) == data_uri(grey.copy(), 16)


def test_a_larger_picture_shrinks_to_its_longest_side_and_a_smaller_one_stays(grey):
    assert opened(data_uri(grey, 20)).size == (20, 15)
    assert data_uri(grey, 64) == data_uri(grey)


def test_shrinking_averages_and_does_not_skip_pixels():
    stripes = np.tile(np.array([[0, 255]], np.uint8), (64, 32))
    middle = np.asarray(opened(data_uri(stripes, 16)))[4:-4, 4:-4]
    assert np.abs(middle.astype(int) - 127).max() <= 2


def test_a_png_file_is_taken_as_it_is(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    assert base64.b64decode(data_uri_of_file(tmp_path / "a.png").removeprefix(START)) == content


def test_a_file_that_is_no_png_or_is_cut_off_is_refused_by_name(tmp_path, grey):
    Image.fromarray(grey).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    Image.fromarray(grey).save(tmp_path / "photo.jpg")
    damaged = {
        "empty.png": b"",
        "text.png": b"<svg/>",
        "photo.png": (tmp_path / "photo.jpg").read_bytes(),
        "cut.png": whole[: len(whole) // 2],
        "flipped.png": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            data_uri_of_file(tmp_path / name)
