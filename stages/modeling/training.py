"""The epoch loop: one for every model."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from stages.errors import InputError
from stages.modeling.architectures import logits_of, unfreeze_top
from stages.storage import ImageSet

PLATEAU_EPOCHS, PLATEAU_FACTOR = 2, 0.5  # of reduce_on_plateau
FINE_TUNING_FACTOR = 0.1  # of the learning rate, so that the pretrained weights are not lost


@dataclass(frozen=True)
class Examples:
    """Images with what is to be learned from them.

    Attributes
    ----------
    images : ImageSet
    labels : ndarray (n,), int32
        Index of the class.
    weights : ndarray (n,), float32
        Of each image in the loss.
    """

    images: ImageSet
    labels: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, images: ImageSet, classes: list[str]) -> "Examples":
        """Take labels and weights from the index of an image set."""
        index = images.index
        labels = index["label"].map(classes.index).to_numpy(np.int32)
        return cls(images, labels, index["weight"].to_numpy(np.float32))


def forward(model: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    """Compile a model's logits, without dropout, for batches of any size.

    Returns
    -------
    callable
        From pixels (n, size, size), uint8, to logits (n, classes), float32.
    """
    network = logits_of(model)
    size = model.input_shape[1]

    @tf.function(input_signature=[tf.TensorSpec((None, size, size), tf.uint8)])
    def logits(pixels):
        return network(pixels[..., tf.newaxis], training=False)

    return logits


def predict(logits: Callable, images: ImageSet, batch_size: int) -> np.ndarray:
    """Give the logits of every image of a set, (n, classes), float32, in its order."""
    starts = range(0, len(images), batch_size)
    rows = np.arange(len(images))
    return np.concatenate(
        [logits(images.images(rows[start : start + batch_size])).numpy() for start in starts]
    )


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean categorical cross-entropy, in nats, of logits (n, classes) for class indices (n,)."""
    return float(
        tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)).numpy()
    )


def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Shuffle the rows 0..count-1, as a function of seed and epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def fit(
    model: keras.Model,
    training: Examples,
    validation: Examples,
    settings,
    seed: int,
    progress: str | None = None,
) -> pd.DataFrame:
    """Train a model and leave it with the weights of its best epoch.

    The best epoch is the first with the lowest validation loss. With pretrained weights and
    ``fine_tune_epochs``, the head is trained first and then the top of the backbone with it.

    Parameters
    ----------
    model : keras.Model
        As :func:`stages.modeling.architectures.build` made it.
    training, validation : Examples
    settings : stages.params.Model
    seed : int
        Of the order of images.
    progress : str, optional
        Title of a progress bar; it is shown on a terminal only.

    Returns
    -------
    DataFrame
        A row an epoch: ``epoch`` (from 1), ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``learning_rate``, ``best`` (whether its weights were kept).

    Raises
    ------
    InputError
        If the loss was not finite from the first epoch on.
    """
    run = _Run(model, training, validation, settings, seed)
    total = settings.epochs + settings.fine_tune_epochs
    steps = total * -(-len(training.labels) // settings.batch_size)
    with tqdm(total=steps, desc=progress, unit="batch", disable=None if progress else True) as bar:
        run.epochs(settings.epochs, settings.learning_rate, bar)
        if settings.fine_tune_epochs:
            unfreeze_top(model, settings.fine_tune_layers)
            rate = settings.learning_rate * FINE_TUNING_FACTOR
            run.epochs(settings.fine_tune_epochs, rate, bar)
    return run.finish()


class _Run:
    """The state between epochs: weights, history, and the best epoch so far."""

    def __init__(self, model, training, validation, settings, seed):
        self.model, self.training, self.validation = model, training, validation
        self.settings, self.seed = settings, seed
        self.rows: list[dict] = []
        self.best_loss, self.best_epoch, self.best_weights = np.inf, 0, None

    def epochs(self, count: int, learning_rate: float, bar: tqdm) -> None:
        settings = self.settings
        optimizer = _optimizer(settings, learning_rate, count, len(self.training.labels))
        step = _training_step(self.model, optimizer)
        validate = forward(self.model)
        first = len(self.rows) + 1
        for epoch in range(first, first + count):
            loss, accuracy = self._one_epoch(epoch, step, bar)
            logits = predict(validate, self.validation.images, settings.batch_size)
            val_loss = cross_entropy(logits, self.validation.labels)
            row = {
                "epoch": epoch,
                "loss": loss,
                "accuracy": accuracy,
                "val_loss": val_loss,
                "val_accuracy": float(np.mean(logits.argmax(1) == self.validation.labels)),
                "learning_rate": float(optimizer.learning_rate),
            }
            self.rows.append(row)
            bar.set_postfix(epoch=epoch, val_loss=f"{val_loss:.3f}")
            if not np.isfinite(loss + val_loss):
                return
            if val_loss < self.best_loss:
                self.best_loss, self.best_epoch = val_loss, epoch
                self.best_weights = self.model.get_weights()
            waited = epoch - max(self.best_epoch, first - 1)
            if settings.early_stopping and waited >= settings.early_stopping:
                return
            if settings.schedule == "reduce_on_plateau" and waited and not waited % PLATEAU_EPOCHS:
                optimizer.learning_rate = row["learning_rate"] * PLATEAU_FACTOR

    def _one_epoch(self, epoch, step, bar) -> tuple[float, float]:
        """Train on every image once; give the mean loss and accuracy on the way."""
        training, size = self.training, self.settings.batch_size
        rows = order(len(training.labels), self.seed, epoch)
        sums = np.zeros(2)
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            sums += step(
                training.images.images(batch), training.labels[batch], training.weights[batch]
            ).numpy()
            bar.update()
        loss, accuracy = sums / len(rows)
        return float(loss), float(accuracy)

    def finish(self) -> pd.DataFrame:
        if self.best_weights is None:
            raise InputError(
                "the loss was not finite in the first epoch; "
                f"train.learning_rate is {self.settings.learning_rate}, try a lower one."
            )
        self.model.set_weights(self.best_weights)
        history = pd.DataFrame(self.rows)
        return history.assign(best=history["epoch"] == self.best_epoch)


def _optimizer(settings, learning_rate, epochs, count) -> keras.optimizers.Optimizer:
    if settings.schedule == "cosine":
        steps = epochs * -(-count // settings.batch_size)
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.get(
        {"class_name": settings.optimizer, "config": {"learning_rate": learning_rate}}
    )
    if keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _training_step(model, optimizer):
    """Compile one update; it returns the batch's summed loss and number of right answers."""
    network = logits_of(model)
    size = model.input_shape[1]
    optimizer.build(model.trainable_variables)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, size, size), tf.uint8),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        ]
    )
    def step(pixels, labels, weights):
        with tf.GradientTape() as tape:
            logits = network(pixels[..., tf.newaxis], training=True)
            losses = weights * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            penalty = tf.add_n(network.losses) if network.losses else 0.0
            loss = optimizer.scale_loss(tf.reduce_mean(losses) + penalty)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(right)])

    return step
