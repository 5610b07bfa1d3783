"""Pictures as data URIs, so that a page needs no other file."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from stages.storage import damaged

MOST_PIXELS = 4096  # a side of a picture that a stage wrote; it is less than 2048 by params.yaml
# What matplotlib draws with; anything else, such as a script, was written by somebody else.
SVG = {"svg", "metadata", "defs", "style", "g", "path", "rect", "text", "tspan", "use", "clipPath"}


def data_uri(pixels: np.ndarray, side: int | None = None) -> str:
    """Give an image as the data URI of a PNG; the same pixels give the same text.

    Parameters
    ----------
    pixels : ndarray (height, width) or (height, width, 3), uint8
        Grey stays grey, 8 bits a pixel.
    side : int, optional
        Longest side in pixels; a larger image is shrunk to it, a smaller one stays as it is.
    """
    image = Image.fromarray(pixels)
    if side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    content = BytesIO()
    image.save(content, "PNG", optimize=True)
    return _uri(content.getvalue())


def data_uri_of_file(path: str | Path, side: int | None = None) -> str:
    """Give a PNG file as a data URI, shrunk to a side; InputError if it is none, or damaged."""
    content = Path(path).read_bytes()
    try:
        image = Image.open(BytesIO(content), formats=["PNG"])
        if max(image.size) > MOST_PIXELS:
            raise ValueError("no picture of ours")
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise damaged(path) from None
    if side and max(image.size) > side:
        return data_uri(np.asarray(image), side)
    return _uri(content)


def svg_of_file(path: str | Path) -> str:
    """Read a drawing that a stage wrote; InputError if it is no SVG, or not one of ours."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        elements = list(ElementTree.fromstring(text).iter())
    except (ValueError, SyntaxError):
        raise damaged(path) from None
    tags = [element.tag.rpartition("}")[2] for element in elements]
    handlers = [name for element in elements for name in element.attrib if name.startswith("on")]
    if tags[0] != "svg" or not SVG.issuperset(tags) or handlers:
        raise damaged(path, "it is no drawing of ours")
    return text


def _uri(content: bytes) -> str:
    return f"data:image/png;base64,{b64encode(content).decode()}"
