"""Models by the name of their architecture, and what is inside of them."""

from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from types import ModuleType

import keras
from keras import layers


def build(architecture: str, image_size: int, classes: int, **options) -> keras.Model:
    """Build a model by the name of its architecture.

    Parameters
    ----------
    architecture : str
        The name of a module of :mod:`brain_mri.models.architectures`, and of its function.
    image_size : int
        Side of the square grey images, in pixels.
    classes : int
        Number of classes.
    **options
        ``activation``, ``dropout``, ``l2``, ``batch_norm``, ``weight_scale``, ``weights``,
        ``frozen``; what the architecture's function does not take is left out.

    Returns
    -------
    keras.Model
        Takes (n, image_size, image_size, 1), 0..255; gives (n, classes), rows summing to 1. Its
        last layers are ``logits`` and the softmax.
    """
    pixels = layers.Input((image_size, image_size, 1), name="pixels")
    function = getattr(_module(architecture), architecture)
    taken = signature(function).parameters.keys() & options.keys()
    features = function(pixels, **{name: options[name] for name in taken})
    # Small differences between logits decide; they are computed in float32 at any precision.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(pixels, probabilities, name=architecture)


def processor_precision(architecture: str) -> str | None:
    """Give the precision that an architecture is faster in on processors, None if it names none."""
    return getattr(_module(architecture), "PROCESSOR_PRECISION", None)


def _module(architecture: str) -> ModuleType:
    return import_module(f"brain_mri.models.architectures.{architecture}")


def output_of(model: keras.Model, layer: keras.Layer) -> keras.KerasTensor:
    """Give a layer's output within a model.

    A nested model's own ``output`` is inside it; outside, it is what the next layer takes.
    """
    if isinstance(layer, keras.Model):
        return model.layers[model.layers.index(layer) + 1].input
    return layer.output


def halfway(model: keras.Model) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Give the feature maps in the middle of a model, and its logits, both of its input.

    The middle is that one of the activations of feature maps, in the backbone where there is one.
    """
    nested, logits = backbone(model), model.get_layer("logits").output
    inside = [
        layer.output
        for layer in (nested or model).layers
        if isinstance(layer, layers.Activation | layers.ReLU) and len(layer.output.shape) == 4
    ]
    maps = inside[len(inside) // 2]
    if nested is None:
        return maps, logits
    before = model.layers[model.layers.index(nested) - 1].output
    maps, features = keras.Model(nested.input, [maps, nested.output])(before)
    return maps, keras.Model(output_of(model, nested), logits)(features)


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


def backbone(model: keras.Model) -> keras.Model | None:
    """Give the model nested in a model, None if there is none."""
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)


def frozen_backbone(model: keras.Model) -> keras.Model | None:
    """Give the nested model whose weights are all kept as they are, None if there is none."""
    nested = backbone(model)
    return nested if nested is not None and not nested.trainable else None


def unfreeze_top(model: keras.Model, count: int) -> None:
    """Make the topmost `count` layers of the backbone trainable."""
    nested = backbone(model)
    nested.trainable = True
    for layer in nested.layers[: len(nested.layers) - count]:
        layer.trainable = False
