"""Batch normalisation while a model is trained: fast, over all replicas, with averages that fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import keras
import tensorflow as tf

from brain_mri.models.building import normalisations
from brain_mri.models.distribution import add_up, replicas


@contextmanager
def normalising(model: keras.Model) -> Iterator[tf.Variable]:
    """Have a model normalise what it is trained on by one operation, or over all replicas.

    Keras computes mean, variance and the rest by operations of their own, each of which passes over
    the images in memory. TensorFlow has one for all of it, but not one that works across replicas.
    With the statistics of its own part of a batch, each worker would end with other weights.

    Yields
    ------
    tf.Variable
        The momentum of all averages, which may change meanwhile.
    """
    momentum, layers = tf.Variable(0.0, trainable=False), normalisations(model)
    own = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = momentum
        if replicas() > 1:
            layer._moments = partial(_moments_of_all, layer)
        elif _fits(layer):
            layer.call = partial(_at_once, layer, layer.call)
    yield momentum
    for layer, value in zip(layers, own, strict=True):
        layer.momentum = value  # it is written to the model's file
        for name in {"_moments", "call"} & vars(layer).keys():
            delattr(layer, name)


def _fits(layer: keras.layers.BatchNormalization) -> bool:
    """Tell whether TensorFlow's operation does what a layer does: feature maps, channels last."""
    rank = layer.input_spec.ndim
    return rank == 4 and layer.axis in (-1, 3) and not layer.renorm


def _at_once(layer, call, values: tf.Tensor, training=None, mask=None) -> tf.Tensor:
    if not (training and layer.trainable):
        return call(values, training=training, mask=mask)
    channels = values.shape[-1]
    normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=values,
        scale=layer.gamma if layer.scale else tf.ones(channels),
        offset=layer.beta if layer.center else tf.zeros(channels),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
    )
    count = tf.cast(tf.size(values) // channels, tf.float32)
    variance *= (count - 1) / count  # it is that of the population that the values are drawn from
    kept = layer.momentum
    for average, of_batch in (layer.moving_mean, mean), (layer.moving_variance, variance):
        average.assign(average * kept + of_batch * (1.0 - kept))
    return normalised


def _moments_of_all(layer, values: tf.Tensor, mask: None) -> tuple[tf.Tensor, tf.Tensor]:
    """Give mean and variance, by channel, of what a layer is given on all replicas.

    In one all-reduce, and one for its gradient. Keras's own makes three, none of which depends on
    another, so that nothing but TensorFlow's control edges keeps them in one order on all replicas.
    """
    axes = [axis for axis in range(values.shape.rank) if axis != layer.axis % values.shape.rank]
    count = tf.cast(tf.size(values), values.dtype) / values.shape[layer.axis]
    sums = [tf.reduce_sum(values, axes), tf.reduce_sum(tf.square(values), axes), count[tf.newaxis]]
    total, squares, count = tf.split(add_up(tf.concat(sums, 0)), [each.shape[0] for each in sums])
    mean = total / count
    return mean, tf.maximum(squares / count - tf.square(mean), 0.0)
