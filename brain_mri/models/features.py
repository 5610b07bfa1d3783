"""What a frozen backbone makes of an image set: computed once, for every epoch of every head."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from brain_mri.models.building import frozen_backbone, output_of
from brain_mri.models.examples import Examples
from brain_mri.models.inference import forward, predict
from brain_mri.storage import ImageSet, write_array, written_aside

BATCH = 32  # images at once; not the training's, so that heads of any batch size share them


def with_features(examples: Examples, model: keras.Model, path: Path) -> Examples:
    """Add the features of each image, (n, units), float32, memory-mapped.

    Parameters
    ----------
    examples : Examples
    model : keras.Model
        With a frozen backbone.
    path : Path
        File that keeps them, named by all that they depend on; one that is there is read.
    """
    features = output_of(model, frozen_backbone(model))
    shape = (len(examples.images), *features.shape[1:])
    if not _holds(path, shape):
        with written_aside(path) as aside:
            write_array(aside, predict(forward(model, end=features), examples.images, BATCH))
    kept = np.load(path, mmap_mode="r")
    return replace(examples, features=ImageSet(examples.images.index, (kept,)))


def _holds(path: Path, shape: tuple) -> bool:
    try:
        kept = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, or not what was written
        return False
    return kept.shape == shape and kept.dtype == np.float32
