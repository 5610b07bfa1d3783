"""The larger convolutional network of the origin study."""

from keras import layers

from brain_mri.models.parts import convolution, head


def model_1(pixels, *, activation, dropout, l2, batch_norm, weight_scale=1.0):
    """Two pairs of convolutions, each followed by a pooling (of the origin study)."""
    conv = convolution(activation, l2, batch_norm, weight_scale)
    x = layers.Rescaling(1 / 255)(pixels)
    x = conv(conv(x, 32), 64)
    x = layers.MaxPooling2D()(x)
    x = conv(conv(x, 128), 128)
    x = layers.MaxPooling2D()(x)
    return head(layers.Flatten()(x), 64, dropout, l2)
