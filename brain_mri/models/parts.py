"""Parts that architectures share."""

import keras
from keras import layers


def convolution(activation, l2, batch_norm):
    """Give a function that appends a 3x3 convolution of so many filters, normalised if asked."""

    def append(x, filters):
        x = layers.Conv2D(filters, 3, kernel_regularizer=_penalty(l2))(x)
        if batch_norm:
            x = layers.BatchNormalization()(x)
        return layers.Activation(activation)(x)

    return append


def head(x, units, dropout, l2, activation="relu"):
    """Append a dense layer and dropout."""
    x = layers.Dense(units, activation=activation, kernel_regularizer=_penalty(l2))(x)
    return layers.Dropout(dropout)(x)


def _penalty(l2):
    return keras.regularizers.L2(l2) if l2 else None
