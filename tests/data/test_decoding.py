"""Every file that is a slice is decoded alike, and every other is refused with its reason."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from brain_mri.data.decoding import (
    Refused,
    border_share,
    decode,
    decode_accepted,
    file_digest,
    pixel_digest,
)

LIMIT = 1_000_000
TURNED = Image.Exif()
TURNED[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright


@pytest.fixture
def grey():
    """A smooth slice of 40 x 30 pixels."""
    y, x = np.mgrid[:40, :30]
    return np.uint8(255 * np.exp(-((x - 12) ** 2 + (y - 18) ** 2) / 150))


@pytest.fixture
def save(tmp_path):
    def save(image, name, **options):
        Image.fromarray(image).save(tmp_path / name, **options)
        return tmp_path / name

    return save


def assert_refused(path, reason, limit=LIMIT):
    with pytest.raises(Refused) as refused:
        decode(path, limit)
    assert str(refused.value) == reason


def test_a_grey_png_is_decoded_as_it_is(save, grey):
    found = decode(save(grey, "a.png"), LIMIT)
    np.testing.assert_array_equal(found.pixels, grey)
    assert (found.width, found.height, found.mode) == (30, 40, "L")
    assert found.pixels.dtype == np.uint8


def test_three_equal_channels_are_grey_to_the_last_bit(save, grey):
    found = decode(save(np.stack([grey] * 3, -1), "a.png"), LIMIT)
    np.testing.assert_array_equal(found.pixels, grey)
    assert found.mode == "RGB"


@pytest.mark.parametrize(
    "options", [{"quality": 30}, {"keep_rgb": True}, {"progressive": True, "exif": TURNED}]
)
@pytest.mark.parametrize(("tint", "levels"), [(0, 0), (10, 2)])
def test_without_a_look_at_its_colours_a_jpeg_has_the_same_grey(save, grey, tint, levels, options):
    red = np.uint8(np.minimum(grey.astype(int) + tint, 255))
    path = save(np.stack([red, grey, grey], -1), "a.jpg", **options)
    difference = decode(path, LIMIT).pixels.astype(int) - decode_accepted(path, LIMIT)
    assert abs(difference).max() <= levels


def test_a_png_named_jpg_is_accepted(save, grey):
    np.testing.assert_array_equal(decode(save(grey, "a.jpg", format="PNG"), LIMIT).pixels, grey)


def test_a_slice_tells_its_format_whatever_its_name(save, grey):
    found = decode(save(grey, "a.jpg", format="PNG"), LIMIT)
    assert (found.format, found.quantisation) == ("PNG", None)
    assert decode(save(grey, "b.png", format="JPEG"), LIMIT).format == "JPEG"


def test_the_quantisation_is_the_mean_of_the_table_of_brightness(save, grey):
    brightness, colour = [7] * 32 + [8] * 32, [50] * 64
    path = save(np.stack([grey] * 3, -1), "a.jpg", qtables=[brightness, colour])
    assert decode(path, LIMIT).quantisation == 7.5


def test_the_more_a_jpeg_is_compressed_the_larger_its_quantisation(save, grey):
    found = [decode(save(grey, "a.jpg", quality=q), LIMIT).quantisation for q in (95, 75, 30)]
    assert found == sorted(found)
    assert found[0] < found[2]


def test_the_border_is_what_lies_outside_the_box_of_all_that_shows(grey):
    pixels = np.full((40, 30), 16, np.uint8)
    pixels[10, 5] = pixels[29, 24] = 17
    assert border_share(pixels) == 1 - 20 * 20 / 1200
    assert border_share(np.full((20, 20), 17, np.uint8)) == 0
    assert border_share(np.zeros((20, 20), np.uint8)) == 1


def test_sixteen_bits_are_scaled_and_not_clipped(save, grey):
    np.testing.assert_array_equal(
        decode(save(grey.astype(np.uint16) * 257, "a.png"), LIMIT).pixels, grey
    )


@pytest.mark.parametrize("mode", ["P", "CMYK"])
def test_palette_and_cmyk_are_decoded(tmp_path, grey, mode):
    image = Image.fromarray(grey)
    image = image.convert("P") if mode == "P" else image.convert("RGB").convert("CMYK")
    path = tmp_path / ("a.png" if mode == "P" else "a.jpg")
    image.save(path)
    found = decode(path, LIMIT)
    assert found.mode == mode
    assert np.abs(found.pixels.astype(int) - grey).mean() < 8


def test_one_bit_becomes_black_and_white(tmp_path, grey):
    Image.fromarray(grey > 99).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", LIMIT).pixels, (grey > 99) * 255)


def test_alpha_is_composed_on_black(save, grey):
    alpha = np.where(np.arange(30) < 15, 255, 0) + np.zeros((40, 1))
    rgba = np.stack([grey] * 3 + [alpha.astype(np.uint8)], -1)
    found = decode(save(rgba, "a.png"), LIMIT)
    np.testing.assert_array_equal(found.pixels, np.where(alpha == 255, grey, 0))


def test_the_exif_orientation_is_applied(save, grey):
    found = decode(save(grey, "a.png", exif=TURNED), LIMIT)
    np.testing.assert_array_equal(found.pixels, np.rot90(grey, -1))
    assert (found.width, found.height) == (40, 30)


def test_garbage_after_the_end_of_a_jpeg_is_ignored(save, grey):
    path = save(grey, "a.jpg")
    clean = decode(path, LIMIT).pixels
    path.write_bytes(path.read_bytes() + b"garbage" * 100)
    np.testing.assert_array_equal(decode(path, LIMIT).pixels, clean)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 500, b"not an image", b"<html></html>", b"\0" * 128 + b"DICM" + b"\0" * 99],
)
def test_other_content_is_refused_whatever_its_name(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert_refused(tmp_path / "a.jpg", "not a JPEG or PNG image")


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused(save, grey, format):
    assert_refused(save(grey, "a.jpg", format=format), "not a JPEG or PNG image")


@pytest.mark.parametrize(("name", "lost"), [("a.jpg", 2), ("a.png", 20)])
@pytest.mark.parametrize("half", [False, True])
def test_truncated_files_are_refused(save, name, lost, half):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    path = save(noise, name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 if half else -lost])
    assert_refused(path, "truncated or damaged")


def test_animated_files_are_refused(tmp_path, grey):
    frames = [Image.fromarray(grey), Image.fromarray(255 - grey)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    assert_refused(tmp_path / "a.png", "animated")


def test_too_many_pixels_are_refused(save, grey):
    assert_refused(save(grey, "a.png"), "more than 1199 pixels", limit=1199)
    assert decode(save(grey, "b.png"), 1200).pixels.size == 1200


def test_a_decompression_bomb_is_refused_by_its_header(save, grey):
    path = save(grey, "a.png")
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    assert_refused(path, f"more than {LIMIT} pixels")


def test_tiny_images_are_refused(save, grey):
    assert_refused(save(grey[:1, :1], "a.png"), "smaller than 16 x 16 pixels")


def test_blank_images_are_refused(save):
    assert_refused(
        save(np.full((20, 20), 7, np.uint8), "a.png"), "blank: every pixel has the same value"
    )


def test_colour_photographs_are_refused_and_chroma_noise_is_not(save, grey):
    rng = np.random.default_rng(0)
    photograph = np.stack([grey, grey[::-1], 255 - grey], -1)
    assert_refused(save(photograph, "a.jpg"), "colour photograph, not a grey slice")
    noisy = np.clip(np.stack([grey] * 3, -1) + rng.normal(0, 4, (40, 30, 3)), 0, 255)
    decode(save(noisy.astype(np.uint8), "b.jpg"), LIMIT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_refused(save, grey):
    path = save(grey, "a.png")
    path.chmod(0)
    assert_refused(path, "unreadable: permission denied")


def test_digests_tell_files_and_pixels_apart(save, grey):
    one, other = save(grey, "a.png"), save(grey, "b.png", compress_level=1)
    assert file_digest(one) != file_digest(other)
    assert pixel_digest(decode(one, LIMIT).pixels) == pixel_digest(decode(other, LIMIT).pixels)
    assert pixel_digest(grey) != pixel_digest(grey.reshape(30, 40))
