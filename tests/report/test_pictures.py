"""Pictures that a stage leaves come back whole, small and the same each time, or are refused."""

import base64
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_mri.errors import InputError
from brain_mri.gallery import write_gallery
from brain_mri.report.pictures import read_gallery

START = "data:image/png;base64,"


def through(folder, *pictures):
    """Write pictures as a stage does, and give them as the report opens them."""
    write_gallery(folder, pd.DataFrame({"path": range(len(pictures))}), pictures)
    uris = read_gallery(folder, ["path"])["uri"]
    assert uris.str.startswith(START).all()
    contents = [base64.b64decode(uri.removeprefix(START), validate=True) for uri in uris]
    return [Image.open(BytesIO(content)) for content in contents]


@pytest.fixture
def grey():
    return np.random.default_rng(1).integers(256, size=(30, 40), dtype=np.uint8)


def test_grey_and_coloured_pixels_come_back_as_they_were(grey, tmp_path):
    colours = np.stack([grey, grey // 2, 255 - grey], axis=2)
    images = through(tmp_path / "g", grey, colours)
    assert [(image.format, image.mode) for image in images] == [("PNG", "L"), ("PNG", "RGB")]
    np.testing.assert_array_equal(np.asarray(images[0]), grey)
    np.testing.assert_array_equal(np.asarray(images[1]), colours)


def test_the_same_pixels_give_the_same_bytes_in_any_memory_layout(grey, tmp_path):
    through(tmp_path / "g", grey, np.asfortranarray(grey))
    one, other = (tmp_path / "g" / name for name in ("000.png", "001.png"))
    assert one.read_bytes() == other.read_bytes()


def test_a_larger_picture_shrinks_by_averaging_to_its_longest_side(tmp_path):
    stripes = np.tile(np.array([[0, 255]], np.uint8), (400, 320))
    [image] = through(tmp_path / "g", stripes)
    assert image.size == (160, 100)
    middle = np.asarray(image)[4:-4, 4:-4]
    assert np.abs(middle.astype(int) - 127).max() <= 2


def test_what_git_does_not_have_is_no_picture_and_no_error(tmp_path):
    found = read_gallery(tmp_path / "nowhere", ["path"], numbers=["zoom"])
    assert found.empty
    assert {"path", "zoom", "uri"} <= set(found)


def test_a_file_that_is_no_png_or_is_cut_off_is_refused_by_name(tmp_path, grey):
    through(tmp_path / "g", grey)
    path = tmp_path / "g/000.png"
    whole = path.read_bytes()
    Image.fromarray(grey).save(tmp_path / "photo.jpg")
    damaged = {
        "empty": b"",
        "text": b"<svg/>",
        "photo": (tmp_path / "photo.jpg").read_bytes(),
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
    }
    for content in damaged.values():
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"000\.png is damaged"):
            read_gallery(tmp_path / "g", ["path"])


def test_a_picture_of_another_folder_is_refused(tmp_path, grey):
    through(tmp_path / "g", grey)
    (tmp_path / "g/index.csv").write_text("path,file\na,../000.png\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"index\.csv is damaged"):
        read_gallery(tmp_path / "g", ["path"])
