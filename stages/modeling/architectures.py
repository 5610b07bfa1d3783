"""One builder a architecture: pixels 0..255 in, probabilities of the classes out."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
from keras import layers

from stages.errors import InputError, one_line

INCEPTION_V3_SMALLEST = 75  # pixels a side; smaller images are enlarged
INCEPTION_V3_LAST_MAPS = "mixed10"  # the layer before its pooling


def build(architecture: str, image_size: int, classes: int, **options) -> keras.Model:
    """Build a model by the name of its architecture.

    Parameters
    ----------
    architecture : {"model_1", "model_4", "inception_v3"}
    image_size : int
        Side of the square grey images, in pixels.
    classes : int
        Number of classes.
    **options
        ``activation``, ``dropout``, ``l2``, ``batch_norm``; for inception_v3 also ``weights``.

    Returns
    -------
    keras.Model
        Takes (n, image_size, image_size, 1), 0..255; gives (n, classes), rows summing to 1. Its
        last layers are ``logits`` and the softmax.
    """
    pixels = layers.Input((image_size, image_size, 1), name="pixels")
    features = BUILDERS[architecture](pixels, **options)
    # Small differences between logits decide; they are computed in float32 at any precision.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(pixels, probabilities, name=architecture)


def output_of(model: keras.Model, layer: keras.Layer) -> keras.KerasTensor:
    """Give a layer's output within a model.

    A nested model's own ``output`` is inside it; outside, it is what the next layer takes.
    """
    if isinstance(layer, keras.Model):
        return model.layers[model.layers.index(layer) + 1].input
    return layer.output


def layers_of(model: keras.Model) -> Iterator[keras.Layer]:
    """Give a model's layers in order, those of nested models in their place."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def normalisations(model: keras.Model) -> list[layers.BatchNormalization]:
    """Give a model's batch normalisations, those of nested models too."""
    return [layer for layer in layers_of(model) if isinstance(layer, layers.BatchNormalization)]


def frozen_backbone(model: keras.Model) -> keras.Model | None:
    """Give the nested model whose weights are all kept as they are, None if there is none."""
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return next((layer for layer in nested if not layer.trainable), None)


def model_1(pixels, *, activation, dropout, l2, batch_norm):
    """Two pairs of convolutions, each followed by a pooling (of the origin study)."""
    conv = _convolution(activation, l2, batch_norm)
    x = layers.Rescaling(1 / 255)(pixels)
    x = conv(conv(x, 32), 64)
    x = layers.MaxPooling2D()(x)
    x = conv(conv(x, 128), 128)
    x = layers.MaxPooling2D()(x)
    return _head(layers.Flatten()(x), 64, dropout, l2)


def model_4(pixels, *, activation, dropout, l2, batch_norm):
    """Three convolutions, each followed by a pooling (of the origin study)."""
    conv = _convolution(activation, l2, batch_norm)
    x = layers.Rescaling(1 / 255)(pixels)
    for filters in (32, 64, 128):
        x = layers.MaxPooling2D()(conv(x, filters))
    return _head(layers.Flatten()(x), 128, dropout, l2)


def inception_v3(pixels, *, activation, dropout, l2, batch_norm, weights="none"):
    """InceptionV3 under a new head; with weights, its backbone starts frozen.

    The backbone has batch normalisation of its own; ``batch_norm`` adds one to the head.
    """
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)  # the range its weights were trained on
    if pixels.shape[1] < INCEPTION_V3_SMALLEST:
        x = layers.Resizing(INCEPTION_V3_SMALLEST, INCEPTION_V3_SMALLEST)(x)
    x = layers.Concatenate()([x, x, x])  # grey as red, green and blue
    backbone = _inception_v3_backbone(x.shape[1:], weights)
    # A frozen backbone keeps its batch statistics too, also while its top is fine-tuned.
    x = backbone(x, training=None if weights == "none" else False)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    return _head(x, 128, dropout, l2, activation)


def unfreeze_top(model: keras.Model, count: int) -> None:
    """Make the topmost `count` layers of InceptionV3's backbone trainable."""
    backbone = model.get_layer("inception_v3")
    backbone.trainable = True
    for layer in backbone.layers[: len(backbone.layers) - count]:
        layer.trainable = False


BUILDERS = {"model_1": model_1, "model_4": model_4, "inception_v3": inception_v3}


def _convolution(activation, l2, batch_norm):
    """Give a function that appends a 3x3 convolution, normalised if asked for."""

    def append(x, filters):
        x = layers.Conv2D(filters, 3, kernel_regularizer=_penalty(l2))(x)
        if batch_norm:
            x = layers.BatchNormalization()(x)
        return layers.Activation(activation)(x)

    return append


def _head(x, units, dropout, l2, activation="relu"):
    x = layers.Dense(units, activation=activation, kernel_regularizer=_penalty(l2))(x)
    return layers.Dropout(dropout)(x)


def _penalty(l2):
    return keras.regularizers.L2(l2) if l2 else None


def _inception_v3_backbone(shape, weights):
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
