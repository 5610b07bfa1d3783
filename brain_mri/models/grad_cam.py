"""Where in a slice the evidence for an answer is: Grad-CAM."""

from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

from brain_mri.models.building import output_of


def grad_cam(model: keras.Model, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the heat map of a class for each image, from the last convolution's feature maps.

    Parameters
    ----------
    model : keras.Model
        As :func:`brain_mri.models.building.build` made it.
    pixels : ndarray (n, size, size), uint8
    labels : ndarray (n,), int
        The class to explain, by image.

    Returns
    -------
    ndarray (n, height, width), float32
        From 0 to 1, of the size of the feature maps; all 0 where nothing speaks for the class.

    References
    ----------
    R. R. Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization, ICCV 2017, equations 1 and 2; there before the softmax, as here.
    """
    features, classifier = _at_last_maps(model)
    maps = features(pixels[..., np.newaxis], training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = classifier(maps, training=False)
        scores = tf.gather(logits, labels, axis=1, batch_dims=1)
    gradients = tf.cast(tape.gradient(scores, maps), tf.float32)
    importance = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(importance * tf.cast(maps, tf.float32), axis=-1)).numpy()
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)


@lru_cache(1)  # the page asks the same model again and again
def _at_last_maps(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Divide a model at its last convolution: images to feature maps, feature maps to logits."""
    logits = model.get_layer("logits").output
    for place, layer in enumerate(model.layers):
        if isinstance(layer, keras.Model):  # a backbone
            maps = [inner.output for inner in layer.layers if len(inner.output.shape) == 4][-1]
            before = keras.Model(model.input, model.layers[place - 1].output)
            inside = keras.Model(layer.input, maps)
            after = keras.Model(output_of(model, layer), logits)
            pooled = keras.Model(maps, layer.output)
            return keras.Sequential([before, inside]), keras.Sequential([pooled, after])
    maps = [
        layer.output
        for layer in model.layers
        if isinstance(layer, keras.layers.Activation) and len(layer.output.shape) == 4
    ][-1]
    return keras.Model(model.input, maps), keras.Model(maps, logits)
