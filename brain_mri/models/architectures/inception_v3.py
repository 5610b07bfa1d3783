"""InceptionV3 (Szegedy et al. 2016, CVPR), from scratch or with pretrained weights."""

import warnings
from pathlib import Path

import keras
from keras import layers

from brain_mri.errors import InputError, one_line
from brain_mri.models.parts import head

SMALLEST = 75  # pixels a side; smaller images are enlarged


def inception_v3(pixels, *, activation, dropout, l2, batch_norm, weights="none"):
    """InceptionV3 under a new head; with weights, its backbone starts frozen.

    The backbone has batch normalisation of its own; ``batch_norm`` adds one to the head.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)  # the range its weights were trained on
    if pixels.shape[1] < SMALLEST:
        x = layers.Resizing(SMALLEST, SMALLEST)(x)
    x = layers.Concatenate()([x, x, x])  # grey as red, green and blue
    backbone = _backbone(x.shape[1:], weights)
    # A frozen backbone keeps its batch statistics too, also while its top is fine-tuned.
    x = backbone(x, training=None if weights == "none" else False)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    return head(x, 128, dropout, l2, activation)


def _backbone(shape, weights):
    def backbone(weights):
        return keras.applications.InceptionV3(
            include_top=False, weights=weights, input_shape=shape, pooling="avg"
        )

    if weights == "none":
        return backbone(None)
    if weights == "imagenet":
        try:
            model = backbone("imagenet")
        except Exception as error:  # Keras raises a bare Exception for a failed download
            raise InputError(
                "weights is 'imagenet', but the weights could not be downloaded "
                f"({one_line(error)}); it takes none, imagenet with a network, or the path of a "
                "weights file."
            ) from None
    else:
        model = backbone(None)
        if not Path(weights).is_file():
            raise InputError(
                f"weights is {weights!r}, but there is no such file; "
                "it takes none, imagenet, or the path of a weights file."
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Keras only warns of layers it found no weights for
                model.load_weights(weights)
        except MemoryError:
            raise
        except Exception as error:  # whatever Keras, h5py or zipfile stumbles over
            raise InputError(
                f"weights is {weights!r}, which does not hold the weights of "
                f"InceptionV3 without its top ({one_line(error)})."
            ) from None
    model.trainable = False
    return model
