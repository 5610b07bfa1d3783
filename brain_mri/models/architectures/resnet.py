"""A small residual network (He et al. 2016, CVPR), to be trained from scratch."""

import keras
from keras import layers

from brain_mri.models.parts import on_backbone

WIDTHS = (32, 64, 128, 256)  # filters of each stage, of two blocks each


def resnet(pixels, *, dropout):
    """Eight residual blocks of dense convolutions, which every processor has fast kernels for."""
    x = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    return layers.Dropout(dropout)(on_backbone(_backbone(x.shape[1:]), x))


def _backbone(shape):
    image = layers.Input(shape)
    x = layers.ReLU()(_normalised(image, WIDTHS[0], 5, 2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, width in enumerate(WIDTHS):
        x = _block(x, width, 2 if stage else 1)
        x = _block(x, width, 1)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="resnet")


def _block(x, width, stride):
    """Append two convolutions, and what they leave as it was; each block begins as an identity."""
    start = x
    x = layers.ReLU()(_normalised(x, width, 3, stride))
    x = _normalised(x, width, 3, scale="zeros")
    if start.shape != x.shape:
        if stride > 1:
            start = layers.AveragePooling2D(stride, padding="same")(start)
        start = _normalised(start, width, 1)
    return layers.ReLU()(layers.Add()([start, x]))


def _normalised(x, filters, kernel, stride=1, scale="ones"):
    x = layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.BatchNormalization(gamma_initializer=scale)(x)
