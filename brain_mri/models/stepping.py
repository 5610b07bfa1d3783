"""What an epoch repeats, compiled for one device or several: updates, and what they learned."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from brain_mri import params
from brain_mri.models.distribution import Part, add_up, on_each, replicas, rows_here
from brain_mri.models.examples import Examples
from brain_mri.models.inference import as_input, batch_spec, compiled, forward, predict
from brain_mri.models.signals import MEASURED, blocks, measurements
from brain_mri.storage import ImageSet


def make_optimizer(
    settings: params.Model, learning_rate: float, updates: int
) -> keras.optimizers.Optimizer:
    """Make the optimizer, with its schedule over a number of updates."""
    if settings.schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, updates)
    optimizer = keras.optimizers.get(
        {"class_name": settings.optimizer, "config": {"learning_rate": learning_rate}}
    )
    if keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def training_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, start: keras.KerasTensor
) -> Callable[[Examples, np.ndarray, bool], tuple[tf.Tensor, tf.Tensor]]:
    """Compile one update, from what goes in at a place in the model.

    Parameters
    ----------
    model : keras.Model
    optimizer : keras.optimizers.Optimizer
    start : keras.KerasTensor
        Within the model; the examples' images are what goes in there, pixels or features.

    Returns
    -------
    callable
        From examples, the rows of them that are the batch, and whether to measure, to the batch's
        summed loss and number of right answers, (2,), float32, and
        :func:`brain_mri.models.signals.measurements`, zeros unless asked to measure. If asked, it
        updates nothing but the averages of batch normalisation.
    """
    # Improving a graph of InceptionV3's size takes TensorFlow as long as a thousand updates save.
    large = any(isinstance(layer, keras.Model) for layer in model.layers)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": large})
    signature = [
        batch_spec(model, start),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None,), tf.float32),
    ]
    compile_ = _on_one if replicas() == 1 else _on_several
    compiled_step = compile_(_pass(model, optimizer, start), signature)

    def step(examples, rows, measure):
        images = examples.images.images(rows if measure else rows_here(rows))
        return compiled_step(images, examples.labels[rows], examples.weights[rows], measure)

    return step


def _pass(model, optimizer, start) -> Callable:
    """Give a forward and a backward pass, then an update or measurements.

    One function serves both, as compiling takes longer than the few measurements.
    """
    watched, variables = blocks(model), model.trainable_variables
    logits_and_outputs = [model.get_layer("logits").output, *(block.output for block in watched)]
    network = keras.Model(start, logits_and_outputs)
    optimizer.build(variables)

    def of_part(batch, labels, weights, count, parts, measure):
        """Take a part of a batch of `count` images; the parts' losses add up to that of all."""
        with tf.GradientTape() as tape:
            logits, *outputs = network(as_input(batch, start), training=True)
            losses = weights * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            penalty = tf.add_n(network.losses) if network.losses else 0.0
            loss = tf.reduce_sum(losses) / tf.cast(count, tf.float32) + penalty / parts
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, variables)

        def measured():
            paths = [variable.path for variable in variables]
            scale = optimizer.scale_loss(1.0)
            by_path = {
                path: gradient / scale for path, gradient in zip(paths, gradients, strict=True)
            }
            return measurements(watched, outputs, by_path, logits)

        def updated():
            optimizer.apply_gradients(zip(gradients, variables, strict=True))  # of all parts
            return tf.zeros((len(watched), len(MEASURED)))

        if isinstance(measure, bool):
            signals = measured() if measure else updated()
        else:
            signals = tf.cond(measure, measured, updated)
        right = tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(right)]), signals

    return of_part


def _on_one(of_part: Callable, signature: list[tf.TensorSpec]) -> Callable:
    @compiled(input_signature=[*signature, tf.TensorSpec((), tf.bool)])
    def step(batch, labels, weights, measure):
        return of_part(batch, labels, weights, tf.size(labels), 1, measure)

    return step


def _on_several(of_part: Callable, signature: list[tf.TensorSpec]) -> Callable:
    """Share out an update; what is measured, each replica measures on all images.

    Replicas cannot meet for an update within tf.cond, so there are two functions.
    """

    @compiled(input_signature=signature)
    def update(batch, labels, weights):
        def of_replica():
            count = tf.size(labels)
            own = Part.of(batch, count)
            of_own = tf.gather(labels, own.rows), own.counts * tf.gather(weights, own.rows)
            sums, signals = of_part(own.images, *of_own, count, parts=replicas(), measure=False)
            return add_up(own.counts * sums), signals

        return on_each(of_replica)

    @compiled(input_signature=signature)
    def look(batch, labels, weights):
        return on_each(lambda: of_part(batch, labels, weights, tf.size(labels), 1, measure=True))

    def step(batch, labels, weights, measure):
        return (look if measure else update)(batch, labels, weights)

    return step


def predictor(
    model: keras.Model, start: keras.KerasTensor
) -> Callable[[ImageSet, int], np.ndarray]:
    """Compile what gives the logits (n, classes) of an image set, by batches of a size.

    Of several replicas each computes its part of a batch, and all get the whole. `model` and
    `start` are as for :func:`training_step`.
    """
    if replicas() == 1:
        return partial(predict, forward(model, start))
    part = keras.Model(start, model.get_layer("logits").output)
    classes = part.output_shape[1]

    @compiled(input_signature=[batch_spec(model, start), tf.TensorSpec((), tf.int32)])
    def values(batch, count):
        def of_replica():
            own = Part.of(batch, count)
            logits = tf.cast(part(as_input(own.images, start), training=False), tf.float32)
            rows = own.rows[:, tf.newaxis]
            return add_up(tf.scatter_nd(rows, own.counts * logits, (count, classes)))

        return on_each(of_replica)

    def logits(images: ImageSet, batch_size: int) -> np.ndarray:
        rows = np.arange(len(images))
        batches = [rows[first : first + batch_size] for first in rows[::batch_size]]
        return np.concatenate(
            [values(images.images(rows_here(batch)), len(batch)).numpy() for batch in batches]
        )

    return logits
