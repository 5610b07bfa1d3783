"""The epoch loop: one for every model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from brain_mri.errors import InputError
from brain_mri.models.building import frozen_backbone, normalisations, output_of, unfreeze_top
from brain_mri.models.checkpoints import Checkpoint
from brain_mri.models.distribution import Part, add_up, in_step, on_each, replicas, rows_here
from brain_mri.models.signals import IMAGES, MEASURED, Probe, blocks, measurements, probe_steps
from brain_mri.storage import ImageSet

PLATEAU_EPOCHS, PLATEAU_FACTOR = 2, 0.5  # of reduce_on_plateau
AVERAGED = 8  # batches at most, that batch normalisation's averages are estimated from
FINE_TUNING_FACTOR = 0.1  # of the learning rate, so that the pretrained weights are not lost

# No Python loop or branch depends on a tensor here, so there is none to translate. To look for one
# takes TensorFlow two seconds a training.
_compiled = partial(tf.function, autograph=False)


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
    features : ImageSet, optional
        What a frozen backbone makes of the images; the head then learns from these.
    """

    images: ImageSet
    labels: np.ndarray
    weights: np.ndarray
    features: ImageSet | None = None

    @classmethod
    def of(cls, images: ImageSet, classes: list[str]) -> "Examples":
        """Take labels and weights from the index of an image set."""
        index = images.index
        labels = index["label"].map(classes.index).to_numpy(np.int32)
        return cls(images, labels, index["weight"].to_numpy(np.float32))


def forward(
    model: keras.Model, start: keras.KerasTensor | None = None, end: keras.KerasTensor | None = None
) -> Callable[[np.ndarray], tf.Tensor]:
    """Compile a part of a model, without dropout, for batches of any size.

    Parameters
    ----------
    model : keras.Model
    start, end : keras.KerasTensor, optional
        Within it; from the pixels to the logits by default.

    Returns
    -------
    callable
        From what an image set holds for `start`, pixels (n, size, size), uint8, or features
        (n, units), float32, to the values at `end`, float32.
    """
    start = model.input if start is None else start
    part = keras.Model(start, model.get_layer("logits").output if end is None else end)

    @_compiled(input_signature=[_batch(model, start)])
    def values(batch):
        return tf.cast(part(_as_input(batch, start), training=False), tf.float32)

    return values


def _batch(model: keras.Model, start: keras.KerasTensor) -> tf.TensorSpec:
    """Describe a batch of what an image set holds for a place in a model."""
    if start is model.input:
        return tf.TensorSpec(start.shape[:-1], tf.uint8)  # pixels, without their one channel
    return tf.TensorSpec(start.shape, tf.float32)


def _as_input(batch: tf.Tensor, start: keras.KerasTensor) -> tf.Tensor:
    return tf.reshape(batch, (-1, *start.shape[1:]))


def predict(values: Callable, images: ImageSet, batch_size: int) -> np.ndarray:
    """Give the values (n, ...) that :func:`forward` computes of every image of a set."""
    starts = range(0, len(images), batch_size)
    rows = np.arange(len(images))
    return np.concatenate(
        [values(images.images(rows[start : start + batch_size])).numpy() for start in starts]
    )


def _predictor(model: keras.Model, start: keras.KerasTensor) -> Callable:
    """Compile what gives the logits (n, classes) of an image set, by batches of a size.

    In a distributed training each replica computes its part of a batch, and all get the whole.
    """
    if replicas() == 1:
        return partial(predict, forward(model, start))
    part = keras.Model(start, model.get_layer("logits").output)
    classes = part.output_shape[1]

    @_compiled(input_signature=[_batch(model, start), tf.TensorSpec((), tf.int32)])
    def values(batch, count):
        def of_replica():
            own = Part.of(batch, count)
            logits = tf.cast(part(_as_input(own.images, start), training=False), tf.float32)
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


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean categorical cross-entropy, in nats, of logits (n, classes) for class indices (n,)."""
    return float(
        tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)).numpy()
    )


def epoch_length(count: int, settings) -> int:
    """Give the images that an epoch, the time between two validations, trains on.

    As a rule all of `count` once; with ``steps_per_epoch``, as many as fill these batches.
    """
    return settings.steps_per_epoch * settings.batch_size or count


def order(count: int, seed: int, epoch: int, length: int) -> np.ndarray:
    """Give the rows that an epoch trains on, as a function of seed and epoch alone.

    Parameters
    ----------
    count : int
        Rows there are.
    seed : int
    epoch : int
        From 1.
    length : int
        Rows an epoch takes. All epochs together walk through one shuffled pass over 0..count-1
        after another, each row once a pass, whatever the length.

    Returns
    -------
    ndarray (length,), int
    """
    start = (epoch - 1) * length
    first, last = start // count, (start + length - 1) // count
    passes = [
        np.random.default_rng([seed, number]).permutation(count)
        for number in range(first + 1, last + 2)
    ]
    return np.concatenate(passes)[start - first * count :][:length]


def fit(
    model: keras.Model,
    training: Examples,
    validation: Examples,
    settings,
    seed: int,
    progress: str | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Train a model and leave it with the weights of its best epoch.

    The best epoch is the first with the lowest validation loss. With pretrained weights and
    ``fine_tune_epochs``, the head is trained first and then, from its best epoch, the top of the
    backbone with it.

    Parameters
    ----------
    model : keras.Model
        As :func:`brain_mri.models.building.build` made it.
    training, validation : Examples
    settings : brain_mri.params.Model
    seed : int
        Of the order of images.
    progress : str, optional
        Title of a progress bar; it is shown on a terminal only.
    checkpoint : Checkpoint, optional
        Where to keep the state between epochs, and go on from, if it holds one: then the result is
        the same as if there had been no interruption.

    Returns
    -------
    history : DataFrame
        A row an epoch: ``epoch`` (from 1), ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``learning_rate``, ``best`` (whether its weights were kept).
    signals : DataFrame
        See :meth:`brain_mri.models.signals.Probe.table`.
    seconds : float
        That it took, the time before an interruption included.

    Raises
    ------
    InputError
        If the loss was not finite from the first epoch on.
    """
    # To improve a graph of InceptionV3's size takes TensorFlow as long as a thousand updates save.
    large = any(isinstance(layer, keras.Model) for layer in model.layers)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": large})
    run = _Run(model, training, validation, settings, seed, checkpoint)
    hidden = None if progress else True
    with in_step(model), _momentum(model) as run.momentum:
        with tqdm(total=run.total_updates, desc=progress, unit="batch", disable=hidden) as bar:
            if run.resumes != "fine tuning":
                run.epochs("training", settings.epochs, settings.learning_rate, bar)
            if settings.fine_tune_epochs:
                if run.resumes != "fine tuning":
                    run.return_to_best()
                unfreeze_top(model, settings.fine_tune_layers)
                rate = settings.learning_rate * FINE_TUNING_FACTOR
                run.epochs("fine tuning", settings.fine_tune_epochs, rate, bar)
        return *run.finish(), run.seconds()


@contextmanager
def _momentum(model: keras.Model) -> Iterator[tf.Variable]:
    """Have all batch normalisations of a model share one momentum, which may change meanwhile."""
    layers = normalisations(model)
    momentum, own = tf.Variable(0.0, trainable=False), [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = momentum
    yield momentum
    for layer, value in zip(layers, own, strict=True):  # it is written to the model's file
        layer.momentum = value


class _Run:
    """The state between epochs: weights, history, signals, and the best epoch so far."""

    def __init__(self, model, training, validation, settings, seed, checkpoint):
        self.model, self.training, self.validation = model, training, validation
        self.settings, self.seed, self.checkpoint = settings, seed, checkpoint
        images = len(training.labels)
        self.epoch_length = epoch_length(images, settings)
        self.epoch_updates = -(-self.epoch_length // settings.batch_size)
        self.total_updates = self.epoch_updates * (settings.epochs + settings.fine_tune_epochs)
        self.probe_rows = np.linspace(0, images - 1, IMAGES).round().astype(int)
        self.probe = Probe(model, training.labels[self.probe_rows])
        self.probe_steps = probe_steps(self.total_updates)
        self.rows: list[dict] = []
        self.best_epoch, self.best_weights = 0, None
        self.start = perf_counter()
        self.resumes = checkpoint.facts["phase"] if checkpoint and checkpoint.facts else None

    @property
    def updates(self) -> int:
        return len(self.rows) * self.epoch_updates

    @property
    def best_loss(self) -> float:
        return self.rows[self.best_epoch - 1]["val_loss"] if self.best_epoch else np.inf

    def seconds(self) -> float:
        return perf_counter() - self.start

    def epochs(self, phase: str, count: int, learning_rate: float, bar: tqdm) -> None:
        settings = self.settings
        optimizer = _optimizer(settings, learning_rate, count * self.epoch_updates)
        start = self.model.input
        self.images, validation = self.training.images, self.validation.images
        if phase == "training" and self.training.features is not None:
            start = output_of(self.model, frozen_backbone(self.model))
            self.images, validation = self.training.features, self.validation.features
        self.step = _training_step(self.model, optimizer, start)
        self.probe.inputs = self.images.images(self.probe_rows)
        validate = _predictor(self.model, start)
        before = len(self.rows)
        if self.resumes == phase:
            before = self._resume(optimizer)
            bar.update(self.updates)
        for epoch in range(len(self.rows) + 1, before + count + 1):
            if self.checkpoint and self.rows:
                self._keep(phase, before, optimizer)
            loss, accuracy = self._one_epoch(epoch, bar)
            logits = validate(validation, settings.batch_size)
            val_loss = cross_entropy(logits, self.validation.labels)
            row = {
                "epoch": epoch,
                "loss": loss,
                "accuracy": accuracy,
                "val_loss": val_loss,
                "val_accuracy": float(np.mean(logits.argmax(1) == self.validation.labels)),
                "learning_rate": float(tf.convert_to_tensor(optimizer.learning_rate)),
            }
            self.rows.append(row)
            bar.set_postfix(epoch=epoch, val_loss=f"{val_loss:.3f}")
            if not np.isfinite(loss + val_loss):
                return
            if val_loss < self.best_loss:
                self.best_epoch = epoch
                self.best_weights = self.model.get_weights()
            waited = epoch - max(self.best_epoch, before)
            if settings.early_stopping and waited >= settings.early_stopping:
                return
            if settings.schedule == "reduce_on_plateau" and waited and not waited % PLATEAU_EPOCHS:
                optimizer.learning_rate = row["learning_rate"] * PLATEAU_FACTOR

    def _keep(self, phase: str, before: int, optimizer) -> None:
        """Keep all that the next epoch starts from; dropout's state is among the variables."""
        self.checkpoint.keep(
            {
                **_numbered("model", [v.numpy() for v in self.model.variables]),
                **_numbered("optimizer", [v.numpy() for v in optimizer.variables]),
                **_numbered("best", self.best_weights or []),
            },
            {
                "phase": phase,
                "before": before,
                "rows": self.rows,
                "signals": self.probe.rows,
                "best_epoch": self.best_epoch,
                "seconds": self.seconds(),
            },
        )

    def _resume(self, optimizer) -> int:
        """Take up what was kept; give the number of epochs before this phase."""
        arrays, facts = self.checkpoint.arrays, self.checkpoint.facts
        for name, variables in ("model", self.model.variables), ("optimizer", optimizer.variables):
            for place, variable in enumerate(variables):
                variable.assign(arrays[f"{name}-{place}"])
        self.rows, self.probe.rows = facts["rows"], facts["signals"]
        self.best_epoch = facts["best_epoch"]
        if self.best_epoch:
            count = len(self.model.get_weights())
            self.best_weights = [arrays[f"best-{place}"] for place in range(count)]
        self.start -= facts["seconds"]
        return facts["before"]

    def _one_epoch(self, epoch, bar) -> tuple[float, float]:
        """Train for an epoch; give the mean loss and accuracy on the way."""
        training, size = self.training, self.settings.batch_size
        rows = order(len(training.labels), self.seed, epoch, self.epoch_length)
        sums = np.zeros(2)
        if not self.rows:
            self.probe.measure(0, self.step)
        for update, start in enumerate(range(0, len(rows), size), self.updates + 1):
            batch = rows[start : start + size]
            measured = update in self.probe_steps
            if measured:
                self.probe.before_update()
            images, labels = self.images.images(rows_here(batch)), training.labels[batch]
            sums += self.step(images, labels, training.weights[batch], False)[0].numpy()
            if measured:
                self.probe.measure(update, self.step)
            bar.update()
        if normalisations(self.model):
            self._estimate_averages(rows)
        loss, accuracy = sums / len(rows)
        return float(loss), float(accuracy)

    def _estimate_averages(self, rows: np.ndarray) -> None:
        """Estimate batch normalisation's averages anew, with the weights that validation finds.

        Keras's momentum is for thousands of updates. After tens, its averages are of the values
        that they began with and of earlier weights, and a model that has learned answers at chance.
        They become means over the first images of the epoch; nothing else is updated.
        """
        size, seen = self.settings.batch_size, 0
        for start in range(0, len(rows), size)[:AVERAGED]:
            batch = rows[start : start + size]
            seen += len(batch)
            self.momentum.assign(1 - len(batch) / seen)
            images, labels = self.images.images(batch), self.training.labels[batch]
            self.step(images, labels, self.training.weights[batch], True)

    def return_to_best(self) -> None:
        if self.best_weights is None:
            raise InputError(
                "the loss was not finite in the first epoch; "
                f"{self.settings.key('learning_rate')} is {self.settings.learning_rate}, try a "
                "lower one."
            )
        self.model.set_weights(self.best_weights)

    def finish(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        signals = self.probe.table()
        if signals["step"].iloc[-1] < self.updates:  # stopped early
            self.probe.measure(self.updates, self.step)
            signals = self.probe.table()
        self.return_to_best()
        history = pd.DataFrame(self.rows)
        return history.assign(best=history["epoch"] == self.best_epoch), signals


def _numbered(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}-{place}": array for place, array in enumerate(arrays)}


def _optimizer(settings, learning_rate, updates) -> keras.optimizers.Optimizer:
    if settings.schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, updates)
    optimizer = keras.optimizers.get(
        {"class_name": settings.optimizer, "config": {"learning_rate": learning_rate}}
    )
    if keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _training_step(model, optimizer, start):
    """Compile one update, from what goes in at a place in the model.

    It returns the batch's summed loss and number of right answers.

    Asked to measure, it updates nothing but the averages of batch normalisation, and also returns
    :func:`signals.measurements`: one compiled function serves both, as compiling takes longer than
    the few measurements.

    In a distributed training it takes the images that this worker has read, and the labels and
    weights of the whole batch; what it measures, each replica measures on all images.
    """
    watched, variables = blocks(model), model.trainable_variables
    logits_and_outputs = [model.get_layer("logits").output, *(block.output for block in watched)]
    network = keras.Model(start, logits_and_outputs)
    optimizer.build(variables)

    def of_part(batch, labels, weights, count, parts, measure):
        """Take a part of a batch of `count` images; the parts' losses add up to that of all."""
        with tf.GradientTape() as tape:
            logits, *outputs = network(_as_input(batch, start), training=True)
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

    signature = [
        _batch(model, start),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None,), tf.float32),
    ]
    if replicas() == 1:

        @_compiled(input_signature=[*signature, tf.TensorSpec((), tf.bool)])
        def step(batch, labels, weights, measure):
            return of_part(batch, labels, weights, tf.size(labels), 1, measure)

        return step

    # Replicas cannot meet for an update within tf.cond, so there are two functions.
    @_compiled(input_signature=signature)
    def update(batch, labels, weights):
        def of_replica():
            count = tf.size(labels)
            own = Part.of(batch, count)
            of_own = tf.gather(labels, own.rows), own.counts * tf.gather(weights, own.rows)
            sums, signals = of_part(own.images, *of_own, count, parts=replicas(), measure=False)
            return add_up(own.counts * sums), signals

        return on_each(of_replica)

    @_compiled(input_signature=signature)
    def look(batch, labels, weights):
        return on_each(lambda: of_part(batch, labels, weights, tf.size(labels), 1, measure=True))

    def step(batch, labels, weights, measure):
        return (look if measure else update)(batch, labels, weights)

    return step
