"""Images with what a model is to learn from them."""

from dataclasses import dataclass

import numpy as np

from brain_mri.storage import ImageSet


@dataclass(frozen=True)
class Examples:
    """Images with what is to be learned from them.

    Attributes
    ----------
    images : ImageSet
    labels : ndarray (n,), int32
        Index of the class.
    weights : ndarray (n,), float32
        Of each image in the loss.
    features : ImageSet, optional
        What a frozen backbone makes of the images; the head then learns from these.
    """

    images: ImageSet
    labels: np.ndarray
    weights: np.ndarray
    features: ImageSet | None = None

    @classmethod
    def of(cls, images: ImageSet, classes: list[str]) -> "Examples":
        """Take labels and weights from the index of an image set."""
        index = images.index
        labels = index["label"].map(classes.index).to_numpy(np.int32)
        return cls(images, labels, index["weight"].to_numpy(np.float32))
