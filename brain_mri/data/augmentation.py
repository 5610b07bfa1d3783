"""Synthetic images: small random changes of real ones."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage


class Change(NamedTuple):
    """What makes a synthetic image of a real one."""

    rotation: float
    """Degrees, counter-clockwise."""
    zoom: float
    """Factor; above 1 the head grows."""
    down: float
    right: float
    """Shift, as a share of the side."""
    contrast: float
    """Factor on the distance from the mean grey."""
    brightness: float
    """Shift, as a share of full scale."""

    def __str__(self) -> str:
        return " ".join(f"{name}={value:.4f}" for name, value in self._asdict().items())


def draw_change(generator: np.random.Generator, ranges: dict[str, float]) -> Change:
    """Draw a change, each part uniformly from plus or minus its range.

    Parameters
    ----------
    generator : numpy.random.Generator
    ranges : dict
        ``rotation`` in degrees; ``zoom``, ``shift``, ``contrast``, ``brightness`` as shares.
    """
    rotation, zoom, down, right, contrast, brightness = generator.uniform(-1, 1, 6)
    return Change(
        rotation=rotation * ranges["rotation"],
        zoom=1 + zoom * ranges["zoom"],
        down=down * ranges["shift"],
        right=right * ranges["shift"],
        contrast=1 + contrast * ranges["contrast"],
        brightness=brightness * ranges["brightness"],
    )


def apply_change(image: np.ndarray, change: Change) -> np.ndarray:
    """Change an image, bilinearly about its centre; what comes from outside is black.

    Parameters
    ----------
    image : ndarray (size, size), uint8
    change : Change

    Returns
    -------
    ndarray (size, size), uint8
    """
    size = len(image)
    angle = np.deg2rad(change.rotation)
    # affine_transform takes the way back: from a place in the result to one in the source.
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix /= change.zoom
    centre = np.full(2, (size - 1) / 2)
    shift = size * np.array([change.down, change.right])
    moved = ndimage.affine_transform(
        image.astype(float), matrix, centre - matrix @ (centre + shift), order=1
    )
    mean = moved.mean()
    grey = mean + (moved - mean) * change.contrast + 255 * change.brightness
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
