"""InceptionV3 (Szegedy et al. 2016, CVPR), from scratch or with pretrained weights."""

import keras
from keras import layers

from brain_mri.errors import InputError, one_line
from brain_mri.models.parts import head, on_backbone
from brain_mri.models.weights import load_keras

SMALLEST = 75  # pixels a side; smaller images are enlarged


def inception_v3(pixels, *, activation, dropout, l2, batch_norm, weights="none", frozen="all"):
    """InceptionV3 under a new head; with weights, its backbone starts frozen.

    The backbone has batch normalisation of its own; ``batch_norm`` adds one to the head.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)  # the range its weights were trained on
    if pixels.shape[1] < SMALLEST:
        x = layers.Resizing(SMALLEST, SMALLEST)(x)
    x = layers.Concatenate()([x, x, x])  # grey as red, green and blue
    backbone = _backbone(x.shape[1:], weights)
    x = on_backbone(backbone, x, weights, frozen)
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
        load_keras(model, weights)
    return model
