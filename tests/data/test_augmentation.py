"""A synthetic image is its source, turned, zoomed and shifted as its change says."""

import numpy as np
import pytest

from brain_mri.data.augmentation import Change, apply_change, draw_change

NONE = Change(rotation=0, zoom=1, down=0, right=0, contrast=1, brightness=0)


@pytest.fixture
def image():
    """Give a bright square, off centre, on black."""
    image = np.zeros((40, 40), np.uint8)
    image[5:12, 20:27] = 200
    return image


def test_no_change_gives_the_image_back(image):
    assert np.array_equal(apply_change(image, NONE), image)


def test_a_shift_moves_by_a_share_of_the_side(image):
    moved = apply_change(image, NONE._replace(down=0.25, right=-0.1))
    assert np.array_equal(moved, np.roll(image, (10, -4), (0, 1)))


def test_a_quarter_turn_is_counter_clockwise_about_the_centre(image):
    assert np.array_equal(apply_change(image, NONE._replace(rotation=90)), np.rot90(image))


def test_zooming_in_enlarges(image):
    assert apply_change(image, NONE._replace(zoom=1.2)).sum() > 1.3 * image.sum()


def test_contrast_and_brightness_stay_within_eight_bits(image):
    brighter = apply_change(image, NONE._replace(brightness=0.5))
    assert brighter.max() == 255
    assert brighter.min() == 128
    flat = apply_change(image, NONE._replace(contrast=0.5))
    assert int(flat.max()) - int(flat.min()) == 100


def test_changes_stay_within_their_ranges():
    ranges = {"rotation": 15, "zoom": 0.1, "shift": 0.2, "contrast": 0, "brightness": 0.05}
    changes = [draw_change(np.random.default_rng(n), ranges) for n in range(300)]
    rotation, zoom, down, right, contrast, brightness = np.abs(np.array(changes).T)
    assert 14 < rotation.max() <= 15
    assert 0.9 <= zoom.min() < 0.91
    assert 1.09 < zoom.max() <= 1.1
    assert max(down.max(), right.max()) <= 0.2
    assert (contrast == 1).all()
    assert brightness.max() <= 0.05


def test_a_change_reads_as_text_that_tells_how_the_image_was_made():
    assert str(NONE._replace(rotation=-7.25)).startswith("rotation=-7.2500 zoom=1.0000 down=0.0000")
