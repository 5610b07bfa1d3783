"""The smaller convolutional network of the origin study."""

from keras import layers

from brain_mri.models.parts import convolution, head


def model_4(pixels, *, activation, dropout, l2, batch_norm, weight_scale=1.0):
    """Three convolutions, each followed by a pooling (of the origin study)."""
    conv = convolution(activation, l2, batch_norm, weight_scale)
    x = layers.Rescaling(1 / 255)(pixels)
    for filters in (32, 64, 128):
        x = layers.MaxPooling2D()(conv(x, filters))
    return head(layers.Flatten()(x), 128, dropout, l2)
