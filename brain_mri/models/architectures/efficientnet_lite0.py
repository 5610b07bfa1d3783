"""EfficientNet-Lite0 (Tan & Le 2019, ICML; Lite: Google 2020), from scratch or pretrained."""

import keras
from keras import layers

from brain_mri.models.parts import on_backbone
from brain_mri.models.weights import load_pytorch, packaged

# Depthwise kernels are slower in bfloat16 than in float32 on every processor that was measured.
PROCESSOR_PRECISION = "float32"
EPSILON = 1e-3  # of batch normalisation

# Filters, side of the kernel, stride of the first, expansion, and number of a stage's blocks.
STAGES = (
    (16, 3, 1, 1, 1),
    (24, 3, 2, 6, 2),
    (40, 5, 2, 6, 2),
    (80, 3, 2, 6, 3),
    (112, 5, 1, 6, 3),
    (192, 5, 2, 6, 4),
    (320, 3, 1, 6, 1),
)


def efficientnet_lite0(pixels, *, dropout, weights="none", frozen="all"):
    """EfficientNet-Lite0 under a new last layer; weights from ImageNet are in the environment."""
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)  # what its weights were trained on
    x = layers.Concatenate()([x, x, x])  # grey as red, green and blue
    backbone = _backbone(x.shape[1:])
    if weights != "none":
        load_pytorch(backbone, packaged("efficientnet_lite0") if weights == "imagenet" else weights)
    return layers.Dropout(dropout)(on_backbone(backbone, x, weights, frozen))


def _backbone(shape):
    image = layers.Input(shape)
    x = _convolution(image, 32, 3, 2)
    for filters, kernel, stride, expansion, count in STAGES:
        for place in range(count):
            x = _block(x, filters, kernel, 1 if place else stride, expansion)
    x = _convolution(x, 1280, 1)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="efficientnet_lite0")


def _block(x, filters, kernel, stride, expansion):
    """Append an inverted bottleneck: expand, look around within each channel, contract."""
    start = x
    if expansion > 1:
        x = _convolution(x, expansion * x.shape[-1], 1)
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization(epsilon=EPSILON)(x))
    x = layers.Conv2D(filters, 1, use_bias=False)(x)
    x = layers.BatchNormalization(epsilon=EPSILON)(x)
    return layers.Add()([start, x]) if start.shape == x.shape else x


def _convolution(x, filters, kernel, stride=1):
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    return layers.ReLU(6)(layers.BatchNormalization(epsilon=EPSILON)(x))
