"""A heat map over a slice."""

import matplotlib
import numpy as np
from PIL import Image

SMALLEST = 128  # pixels a side; smaller pictures are enlarged, to be seen
OPACITY = 0.6  # where the heat is greatest


def overlay(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map over a slice: clear where it is 0, bright yellow where it is 1.

    Parameters
    ----------
    pixels : ndarray (size, size), uint8
    heat : ndarray (height, width), float
        From 0 to 1; enlarged to the slice.

    Returns
    -------
    ndarray (side, side, 3), uint8
        Red, green and blue.
    """
    side = max(len(pixels), SMALLEST)
    grey = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")
    smooth = Image.fromarray(heat.astype(np.float32)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    strength = np.asarray(smooth)
    colours = Image.fromarray(matplotlib.colormaps["inferno"](strength, bytes=True)[..., :3])
    mask = Image.fromarray(np.rint(255 * OPACITY * strength).astype(np.uint8))
    return np.asarray(Image.composite(colours, grey, mask))
