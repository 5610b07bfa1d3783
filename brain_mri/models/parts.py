"""Parts that architectures share."""

import keras
from keras import layers


def convolution(activation, l2, batch_norm, weight_scale=1.0):
    """Give a function that appends a 3x3 convolution of so many filters, normalised if asked.

    `weight_scale` is the size of its first weights, as a multiple of Glorot's.
    """

    def append(x, filters):
        start = "glorot_uniform"
        if weight_scale != 1:
            start = keras.initializers.VarianceScaling(weight_scale**2, "fan_avg", "uniform")
        x = layers.Conv2D(filters, 3, kernel_initializer=start, kernel_regularizer=_penalty(l2))(x)
        if batch_norm:
            x = layers.BatchNormalization()(x)
        return _activated(x, activation)

    return append


def _activated(x, activation):
    """Append an activation; of sigmoid also two that lack one of its properties."""
    if activation == "sigmoid_centred":  # about 0 instead of 0.5
        return layers.Rescaling(2, offset=-1)(layers.Activation("sigmoid")(x))
    if activation == "sigmoid_tangent":  # its tangent at 0, which never saturates
        return layers.Rescaling(1 / 4, offset=1 / 2)(x)
    return layers.Activation(activation)(x)


def head(x, units, dropout, l2, activation="relu"):
    """Append a dense layer and dropout."""
    x = layers.Dense(units, activation=activation, kernel_regularizer=_penalty(l2))(x)
    return layers.Dropout(dropout)(x)


def on_backbone(backbone, x, weights="none", frozen="all"):
    """Append a backbone; of a pretrained one `frozen` layers, from the input on, are kept as is.

    Frozen batch normalisation keeps its averages, and goes by these.
    """
    if weights == "none":
        return backbone(x)
    if frozen == "all":
        backbone.trainable = False
        # Also while its top is fine-tuned later, all of its averages stay.
        return backbone(x, training=False)
    for layer in backbone.layers[:frozen]:
        layer.trainable = False
    return backbone(x)


def _penalty(l2):
    return keras.regularizers.L2(l2) if l2 else None
