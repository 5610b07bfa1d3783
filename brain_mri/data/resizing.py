"""Bring slices of any size to one square size."""

import numpy as np
from PIL import Image, ImageOps


def resize(pixels: np.ndarray, size: int, mode: str = "pad") -> np.ndarray:
    """Resize a grey slice with antialiasing.

    Parameters
    ----------
    pixels : ndarray (height, width), uint8
    size : int
        Side of the result, in pixels.
    mode : {"pad", "stretch"}
        ``pad`` keeps the aspect and fills up with black, the background of MRI.

    Returns
    -------
    ndarray (size, size), uint8
    """
    image = Image.fromarray(pixels)
    if mode == "pad":
        image = ImageOps.pad(image, (size, size), Image.Resampling.BICUBIC)
    else:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)
