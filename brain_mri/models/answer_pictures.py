"""Pictures of what a model answered: its mistakes, and what spoke for its answers."""

from pathlib import Path

import keras
import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from brain_mri.gallery import write_gallery
from brain_mri.models.grad_cam import grad_cam
from brain_mri.storage import ImageSet

MISTAKES = 8  # pictures of wrong answers
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


def write_mistakes(
    folder: Path, predictions: pd.DataFrame, images: ImageSet, classes: list[str]
) -> None:
    """Show the wrong answers that the model was surest of.

    Parameters
    ----------
    folder : Path
    predictions : DataFrame
        As of :func:`brain_mri.assessment.predictions.predictions_table`.
    images : ImageSet
        What was answered.
    classes : list of str
    """
    table = _surest_first(predictions, classes)
    wrong = table[~table["correct"]].head(MISTAKES)
    write_gallery(folder, wrong, images.images(wrong.index))


def write_heat_maps(
    folder: Path,
    predictions: pd.DataFrame,
    images: ImageSet,
    model: keras.Model,
    classes: list[str],
) -> None:
    """Show what speaks for the surest right and the surest wrong answer in each class."""
    table = _surest_first(predictions, classes)
    shown = table.groupby(["actual", "correct"], sort=True).head(1)
    shown = shown.sort_values(["actual", "correct"], ascending=[True, False])
    pixels = images.images(shown.index)
    heat = grad_cam(model, pixels, pd.Index(classes).get_indexer(shown["predicted"]))
    height, width = heat.shape[1:]
    write_gallery(folder, shown.assign(height=height, width=width), map(overlay, pixels, heat))


def _surest_first(predictions: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """List the answers with their confidence and whether they are right."""
    answers = predictions[["path", "actual", "predicted"]].assign(
        correct=predictions["actual"] == predictions["predicted"],
        confidence=predictions[classes].max(axis=1),
    )
    return answers.sort_values(["confidence", "path"], ascending=[False, True])
