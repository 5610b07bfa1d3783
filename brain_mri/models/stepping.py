"""What an epoch repeats, compiled for one device or several: updates, and what they learned."""

import re
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from brain_mri import params
from brain_mri.models.building import backbone
from brain_mri.models.distribution import Part, add_up, on_each, replicas, rows_here
from brain_mri.models.examples import Examples
from brain_mri.models.inference import as_input, batch_spec, compiled, forward, predict
from brain_mri.models.signals import MEASURED, blocks, measurements
from brain_mri.storage import ImageSet


def make_optimizer(
    settings: params.Model, learning_rate: float, updates: int, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Make the optimizer of a model, with its schedule over a number of updates."""
    if settings.schedule == "cosine":
        learning_rate = _cosine(learning_rate, updates, round(settings.warmup * updates))
    config = {"learning_rate": learning_rate}
    if settings.optimizer == "adamw":
        config["weight_decay"] = settings.weight_decay
    optimizer = keras.optimizers.get({"class_name": settings.optimizer, "config": config})
    if settings.optimizer == "adamw":  # biases and scales are few, and not to be drawn to zero
        few = [each for each in model.trainable_variables if len(each.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=few)
    if settings.backbone_rate < 1 and (below := backbone(model)):
        slower = {variable.path for variable in below.trainable_variables}
        update = optimizer.update_step

        def update_slower(gradient, variable, rate):
            path = re.sub(r"(/replica_\d+)?:\d+$", "", variable.name)  # it is TensorFlow's here
            update(gradient, variable, rate * (settings.backbone_rate if path in slower else 1.0))

        optimizer.update_step = update_slower
    if keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _cosine(rate: float, updates: int, warmup: int) -> keras.optimizers.schedules.CosineDecay:
    """Let a rate fall to zero along a half cosine, after it rose from zero along a line."""
    cosine = keras.optimizers.schedules.CosineDecay
    if not warmup:
        return cosine(rate, updates)
    return cosine(0.0, updates - warmup, warmup_target=rate, warmup_steps=warmup)


def training_step(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    start: keras.KerasTensor,
    change: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    smoothing: float = 0.0,
) -> Callable[[Examples, np.ndarray, bool, int], tuple[tf.Tensor, tf.Tensor]]:
    """Compile one update, from what goes in at a place in the model.

    Parameters
    ----------
    model : keras.Model
    optimizer : keras.optimizers.Optimizer
    start : keras.KerasTensor
        Within the model; the examples' images are what goes in there, pixels or features.
    change : callable, optional
        What the images are augmented by, from a batch of them, their rows and the epoch.
    smoothing : float, optional
        Share of the label that all classes have in equal parts (Szegedy et al. 2016, CVPR).

    Returns
    -------
    callable
        From examples, the rows of them that are the batch, whether to measure, and the epoch, which
        only augmentation depends on, to the batch's summed loss and number of right answers, (2,),
        float32, and :func:`brain_mri.models.signals.measurements`, zeros unless asked to measure.
        If asked, it updates nothing but the averages of batch normalisation, and augments nothing.
    """
    # Improving a graph of InceptionV3's size takes TensorFlow as long as a thousand updates save.
    large = any(isinstance(layer, keras.Model) for layer in model.layers)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": large})
    signature = [
        batch_spec(model, start),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((), tf.int32),
    ]
    compile_ = _on_one if replicas() == 1 else _on_several
    compiled_step = compile_(_pass(model, optimizer, start, change, smoothing), signature)

    def step(examples, rows, measure, epoch=0):
        images = examples.images.images(rows if measure else rows_here(rows))
        known = examples.labels[rows], examples.weights[rows], rows.astype(np.int32)
        return compiled_step(images, *known, epoch, measure)

    return step


def _pass(model, optimizer, start, change, smoothing) -> Callable:
    """Give a forward and a backward pass, then an update or measurements.

    One function serves both, as compiling takes longer than the few measurements.
    """
    watched, variables = blocks(model), model.trainable_variables
    # Keras cannot give back what goes in, which is what a frozen backbone's block gave.
    inside = [block.output for block in watched if block.output is not start]
    network = keras.Model(start, [model.get_layer("logits").output, *inside])
    optimizer.build(variables)

    def seen(batch, rows, epoch, measure):
        if change is None or measure is True:
            return batch
        batch = tf.ensure_shape(batch, start.shape[:-1])  # a replica's part has lost it
        if measure is False:
            return change(batch, rows, epoch)
        as_it_is, changed = (lambda: tf.cast(batch, tf.float32), lambda: change(batch, rows, epoch))
        return tf.cond(measure, as_it_is, changed)

    def of_part(batch, labels, weights, rows, epoch, count, parts, measure):
        """Take a part of a batch of `count` images; the parts' losses add up to that of all."""
        batch = seen(batch, rows, epoch, measure)
        with tf.GradientTape() as tape:
            batch = as_input(batch, start)
            logits, *computed = network(batch, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            if smoothing:
                of_all = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
                losses = (1 - smoothing) * losses + smoothing * of_all
            losses *= weights
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
            within = iter(computed)
            outputs = [batch if b.output is start else next(within) for b in watched]
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
    def step(batch, labels, weights, rows, epoch, measure):
        return of_part(batch, labels, weights, rows, epoch, tf.size(labels), 1, measure)

    return step


def _on_several(of_part: Callable, signature: list[tf.TensorSpec]) -> Callable:
    """Share out an update; what is measured, each replica measures on all images.

    Replicas cannot meet for an update within tf.cond, so there are two functions.
    """

    @compiled(input_signature=signature)
    def update(batch, labels, weights, rows, epoch):
        def of_replica():
            count = tf.size(labels)
            own = Part.of(batch, count)
            of_own = (tf.gather(each, own.rows) for each in (labels, own.counts * weights, rows))
            how = {"count": count, "parts": replicas(), "measure": False}
            sums, signals = of_part(own.images, *of_own, epoch, **how)
            return add_up(own.counts * sums), signals

        return on_each(of_replica)

    @compiled(input_signature=signature)
    def look(*known):
        labels = known[1]
        return on_each(lambda: of_part(*known, tf.size(labels), 1, measure=True))

    def step(batch, labels, weights, rows, epoch, measure):
        return (look if measure else update)(batch, labels, weights, rows, epoch)

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
