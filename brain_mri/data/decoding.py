"""Decode image files into grey slices, and refuse what is not one."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from brain_mri.data.dataset import unreadable
from brain_mri.errors import InputError

FORMATS = ("JPEG", "PNG")
Image.MAX_IMAGE_PIXELS = None  # the limit is audit.max_pixels, checked before pixels are decoded
SMALLEST = 16  # pixels; nothing of a head can be told from fewer

# Largest spread between channels, in grey levels, that 99 % of a grey slice's pixels may have: what
# chroma coding leaves. The real set has 0 throughout.
MOST_COLOUR = 32

# Largest value of a 16-bit image that holds the 12 bits of many scanners: scaled as 16 bits, it
# would keep 16 of its 4096 greys.
TWELVE_BITS = 4095

# Grey level up to which the border around a head is black, for all that JPEG leaves there.
BLACK = 16


class Refused(ValueError):
    """A file that is not a slice; the message is the reason, from a small fixed vocabulary."""


@dataclass(frozen=True)
class Slice:
    """A decoded slice.

    Attributes
    ----------
    pixels : ndarray (height, width), uint8
        Grey, upright.
    width, height : int
        In pixels, upright.
    mode : str
        Pillow's name of the file's pixel format.
    format : str
        JPEG or PNG, whatever the file's name ends in.
    quantisation : float or None
        Mean of a JPEG's first quantisation table, that of brightness: the larger, the more was lost
        in compressing. None for PNG.
    """

    pixels: np.ndarray
    width: int
    height: int
    mode: str
    format: str
    quantisation: float | None


def decode(path: Path, max_pixels: int, *, is_grey: bool = False) -> Slice:
    """Read a JPEG or PNG file in full, whatever its name ends in.

    Sixteen-bit grey is scaled to eight, and so is what holds but twelve; transparent parts are laid
    on black, the orientation in the EXIF tags is applied.

    Parameters
    ----------
    path : Path
    max_pixels : int
        Files that would decode to more are refused before they are decoded.
    is_grey : bool
        Whether this is known, so that a JPEG's colours need not be decoded.

    Returns
    -------
    Slice

    Raises
    ------
    Refused
        If the file is not a readable, whole, grey image of a plausible size.
    """
    try:
        with warnings.catch_warnings():
            # The pixel limit is ours, and damage that matters raises.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                _check_header(image, max_pixels)
                if image.format == "PNG":  # has checksums, to its last chunk
                    with Image.open(path, formats=FORMATS) as other:
                        other.verify()
                if is_grey:
                    image.draft("L", image.size)  # does nothing to a PNG
                image.load()  # the pixels, all of them
                mode, format = image.mode, image.format
                quantisation = _quantisation(image)
                ImageOps.exif_transpose(image, in_place=True)
                pixels = _to_grey(image)
    except UnidentifiedImageError:
        raise Refused("not a JPEG or PNG image") from None
    except Refused:
        raise
    except MemoryError:
        raise InputError(
            f"{path} does not fit into memory; lower audit.max_pixels, so that it is refused"
        ) from None
    # Pillow raises whatever its parsers stumble over: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise Refused(unreadable(error)) from None  # the disk's word, not Pillow's
        raise Refused("truncated or damaged") from None
    if pixels.min() == pixels.max():
        raise Refused("blank: every pixel has the same value")
    height, width = pixels.shape
    return Slice(pixels, width, height, mode, format, quantisation)


def decode_accepted(path: Path, max_pixels: int) -> np.ndarray:
    """Read the pixels of a file that the audit accepted; InputError if it was damaged since.

    They are what :func:`decode` gives, but for a level or two where the grey of a JPEG has a tint.
    """
    try:
        return decode(path, max_pixels, is_grey=True).pixels
    except Refused as refusal:
        raise InputError(
            f"'{path}' is not as the audit saw it ({refusal}); run `dvc repro` to audit anew"
        ) from None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pixel_digest(pixels: np.ndarray) -> str:
    """Return the SHA-256 of an image's shape and pixels, in hexadecimal."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()


def border_share(pixels: np.ndarray) -> float:
    """Give the share of a slice that lies outside the smallest upright box with all that shows.

    Parameters
    ----------
    pixels : ndarray (height, width), uint8
        What shows is brighter than :data:`BLACK`.

    Returns
    -------
    float
        From 0, where something shows at every side, to 1, where nothing does anywhere.
    """
    box = Image.fromarray((pixels > BLACK).view(np.uint8)).getbbox()  # faster than NumPy's any()
    if box is None:
        return 1.0
    left, top, right, bottom = box
    return 1 - (right - left) * (bottom - top) / pixels.size


def _quantisation(image: Image.Image) -> float | None:
    tables = getattr(image, "quantization", None)  # by their number
    return fmean(tables[min(tables)]) if tables else None


def _check_header(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise Refused(f"more than {max_pixels} pixels")
    if min(image.size) < SMALLEST:
        raise Refused(f"smaller than {SMALLEST} x {SMALLEST} pixels")
    if getattr(image, "is_animated", False):
        several = "several pictures in one file"  # a multi-picture JPEG
        raise Refused("animated" if image.format == "PNG" else several)


def _to_grey(image: Image.Image) -> np.ndarray:
    """Return the pixels (height, width), uint8, of an image in any mode JPEG or PNG has."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow's convert() would clip
        values = np.array(image, np.uint32)
        values[values == image.info.get("transparency")] = 0  # on black, as below
        return (values // (16 if values.max() <= TWELVE_BITS else 257)).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode != "RGB":
        image = image.convert("RGB")
    red, green, blue = (np.asarray(band) for band in image.split())
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    if np.mean(spread > MOST_COLOUR) > 0.01:
        raise Refused("colour photograph, not a grey slice")
    return np.asarray(image.convert("L"))
