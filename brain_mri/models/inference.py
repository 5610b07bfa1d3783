"""What a model answers, over whole image sets."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from scipy.special import softmax

from brain_mri.models.building import halfway
from brain_mri.storage import ImageSet

# No Python loop or branch depends on a tensor here, so there is none to translate. Looking for
# one takes TensorFlow two seconds per training.
compiled = partial(tf.function, autograph=False)


def forward(
    model: keras.Model, start: keras.KerasTensor | None = None, end: keras.KerasTensor | None = None
) -> Callable[[np.ndarray], tf.Tensor]:
    """Compile a part of a model, without dropout, for batches of any size.

    Parameters
    ----------
    model : keras.Model
    start, end : keras.KerasTensor, optional
        Within it; from the pixels to the logits by default.

    Returns
    -------
    callable
        From what an image set holds for `start`, pixels (n, size, size), uint8, or features
        (n, units), float32, to the values at `end`, float32.
    """
    start = model.input if start is None else start
    part = keras.Model(start, model.get_layer("logits").output if end is None else end)

    @compiled(input_signature=[batch_spec(model, start)])
    def values(batch):
        return tf.cast(part(as_input(batch, start), training=False), tf.float32)

    return values


def forward_halfway(model: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    """Compile, as :func:`forward`, the means of the maps halfway, and after them the logits.

    The last features tell the classes apart and little else: they put the drawing of a chest among
    the slices. Those of the middle still tell what kind of picture it is.
    """
    maps, logits = halfway(model)
    # Names of their own, as a model may have the usual ones.
    features = keras.layers.GlobalAveragePooling2D(dtype="float32", name="halfway")(maps)
    both = keras.layers.Concatenate(dtype="float32", name="halfway_and_logits")
    return forward(model, end=both([features, logits]))


def predict(values: Callable, images: ImageSet, batch_size: int) -> np.ndarray:
    """Give the values (n, ...) that :func:`forward` computes of every image of a set."""
    starts = range(0, len(images), batch_size)
    rows = np.arange(len(images))
    return np.concatenate(
        [values(images.images(rows[start : start + batch_size])).numpy() for start in starts]
    )


def predict_probabilities(
    logits: Callable, images: ImageSet, batch_size: int, mirror: bool = False
) -> np.ndarray:
    """Give the probability of each class, (n, classes), of every image of a set.

    With `mirror` it is the mean over an image and its mirror image, left to right.
    """
    return mean_probabilities(predict_views(logits, images, batch_size, mirror))


def predict_views(
    values: Callable, images: ImageSet, batch_size: int, mirror: bool
) -> list[np.ndarray]:
    """Give what :func:`predict` gives and, with `mirror`, the same of the mirror images."""
    views = [predict(values, images, batch_size)]
    if mirror:
        views.append(predict(lambda batch: values(batch[:, :, ::-1]), images, batch_size))
    return views


def mean_probabilities(logits: list[np.ndarray]) -> np.ndarray:
    """Give the mean over views of the probabilities (n, classes) that their logits stand for."""
    return np.mean([softmax(view.astype(float), axis=1) for view in logits], axis=0)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean categorical cross-entropy, in nats, of logits (n, classes) for class indices (n,)."""
    return float(
        tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)).numpy()
    )


def batch_spec(model: keras.Model, start: keras.KerasTensor) -> tf.TensorSpec:
    """Describe a batch of what an image set holds for a place in a model."""
    if start is model.input:
        return tf.TensorSpec(start.shape[:-1], tf.uint8)  # pixels, without their one channel
    return tf.TensorSpec(start.shape, tf.float32)


def as_input(batch: tf.Tensor, start: keras.KerasTensor) -> tf.Tensor:
    """Give a batch of what an image set holds the shape that the model takes there."""
    return tf.reshape(batch, (-1, *start.shape[1:]))
