"""Slices of any size become square, without stripes and without being squeezed."""

import numpy as np

from brain_mri.data.resizing import resize


def test_padding_keeps_the_aspect_and_adds_black():
    result = resize(np.full((50, 100), 200, np.uint8), 64, "pad")
    assert result.shape == (64, 64)
    assert (result[:15] == 0).all()
    assert (result[20:44] == 200).all()


def test_stretching_fills_the_square():
    assert (resize(np.full((50, 100), 200, np.uint8), 64, "stretch") == 200).all()


def test_fine_stripes_become_grey_and_not_coarse_stripes():
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    result = resize(stripes, 64, "pad")
    assert abs(result.astype(int) - 127).max() < 12
