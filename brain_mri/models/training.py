"""The epoch loop: one for every model."""

from dataclasses import replace
from functools import partial
from time import perf_counter

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from brain_mri import params
from brain_mri.errors import InputError
from brain_mri.models.augmenting import augmented
from brain_mri.models.building import frozen_backbone, normalisations, output_of, unfreeze_top
from brain_mri.models.checkpoints import Checkpoint
from brain_mri.models.distribution import own_dropout
from brain_mri.models.examples import Examples
from brain_mri.models.inference import cross_entropy
from brain_mri.models.normalising import normalising
from brain_mri.models.signals import IMAGES, Probe, probe_steps
from brain_mri.models.stepping import make_optimizer, predictor, training_step
from brain_mri.storage import ImageSet

PLATEAU_EPOCHS, PLATEAU_FACTOR = 2, 0.5  # of reduce_on_plateau
AVERAGED = 8  # batches at most, that batch normalisation's averages are estimated from
FINE_TUNING_FACTOR = 0.1  # of the learning rate, so that the pretrained weights are not lost


def epoch_length(count: int, settings: params.Model) -> int:
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
        Rows per epoch. All epochs together walk through one shuffled pass over 0..count-1 after
        another, with each row once per pass, whatever the length.

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
    settings: params.Model,
    seed: int,
    progress: str | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Train a model and leave it with the weights of its best epoch, or of its last.

    The best epoch is the first with the lowest validation loss; ``keep`` says which of the two is
    kept. With pretrained weights and ``fine_tune_epochs``, the head is trained first and then, from
    the epoch that is kept, the top of the backbone with it.

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
        One row per epoch: ``epoch`` (from 1), ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``learning_rate``, ``kept`` (whether its weights were kept).
    signals : DataFrame
        See :meth:`brain_mri.models.signals.Probe.table`.
    seconds : float
        That it took, the time before an interruption included.

    Raises
    ------
    InputError
        If the loss was not finite from the first epoch on.
    """
    run = Run(model, training, validation, settings, seed, checkpoint)
    hidden = None if progress else True
    with own_dropout(model), normalising(model) as run.momentum:
        with tqdm(total=run.total_updates, desc=progress, unit="batch", disable=hidden) as bar:
            if run.resumes != "fine tuning":
                run.epochs("training", settings.epochs, settings.learning_rate, bar)
            if settings.fine_tune_epochs:
                if run.resumes != "fine tuning":
                    run.return_to_kept()
                unfreeze_top(model, settings.fine_tune_layers)
                rate = settings.learning_rate * FINE_TUNING_FACTOR
                run.epochs("fine tuning", settings.fine_tune_epochs, rate, bar)
        return *run.finish(), run.seconds()


class Run:
    """The state between epochs: weights, history, signals, and the epoch that is kept so far.

    The parameters are those of :func:`fit`.
    """

    def __init__(self, model, training, validation, settings: params.Model, seed, checkpoint=None):
        self.model, self.training, self.validation = model, training, validation
        self.settings, self.seed, self.checkpoint = settings, seed, checkpoint
        self.epoch_length = epoch_length(len(training.labels), settings)
        self.epoch_updates = -(-self.epoch_length // settings.batch_size)
        self.total_updates = self.epoch_updates * (settings.epochs + settings.fine_tune_epochs)
        self.probe = Probe(model)
        self.probe_steps = probe_steps(self.total_updates)
        self.rows: list[dict] = []
        self.kept_epoch, self.kept_weights = 0, None
        self.start = perf_counter()
        self.resumes = checkpoint.facts["phase"] if checkpoint and checkpoint.facts else None

    @property
    def _updates(self) -> int:
        return len(self.rows) * self.epoch_updates

    def seconds(self) -> float:
        """Give the seconds spent, the time before an interruption included."""
        return perf_counter() - self.start

    def epochs(self, phase: str, count: int, learning_rate: float, bar: tqdm) -> None:
        """Train for `count` epochs, the head alone or fine tuning, or until it is time to stop."""
        settings = self.settings
        optimizer = make_optimizer(settings, learning_rate, count * self.epoch_updates, self.model)
        self._compile(phase, optimizer)
        before = len(self.rows)
        if self.resumes == phase:
            before = self._resume(optimizer)
            bar.update(self._updates)
        for epoch in range(len(self.rows) + 1, before + count + 1):
            if self.checkpoint and self.rows:
                self._keep(phase, before, optimizer)
            row = {"epoch": epoch} | self._trained(epoch, bar) | self._validated()
            row["learning_rate"] = float(tf.convert_to_tensor(optimizer.learning_rate))
            self.rows.append(row)
            bar.set_postfix(epoch=epoch, val_loss=f"{row['val_loss']:.3f}")
            if not np.isfinite(row["loss"] + row["val_loss"]):
                return
            best_epoch = min(self.rows, key=lambda row: row["val_loss"])["epoch"]
            if settings.keep == "last" or best_epoch == epoch:
                self.kept_epoch, self.kept_weights = epoch, self.model.get_weights()
            waited = epoch - max(best_epoch, before)
            if settings.early_stopping and waited >= settings.early_stopping:
                return
            if settings.schedule == "reduce_on_plateau" and waited and not waited % PLATEAU_EPOCHS:
                optimizer.learning_rate = row["learning_rate"] * PLATEAU_FACTOR

    def _compile(self, phase: str, optimizer: keras.optimizers.Optimizer) -> None:
        """Compile for a phase, and take what goes in: the pixels, or a frozen backbone's features.

        The probe's images are spread over the set, and all count the same.
        """
        start, self.examples, validation = self.model.input, self.training, self.validation.images
        if phase == "training" and self.training.features is not None:
            start = output_of(self.model, frozen_backbone(self.model))
            self.examples = replace(self.training, images=self.training.features)
            validation = self.validation.features
        augment = self.settings.augment
        change = partial(augmented, seed=self.seed, ranges=augment) if augment.is_on else None
        how = change, self.settings.label_smoothing
        self.step = training_step(self.model, optimizer, start, *how)
        logits = predictor(self.model, start)
        self.validate = lambda: logits(validation, self.settings.batch_size)
        images, labels = self.examples.images, self.examples.labels
        rows = np.linspace(0, len(labels) - 1, IMAGES).round().astype(int)
        kept = ImageSet(images.index.iloc[rows], (images.images(rows),))
        self.probe.examples = Examples(kept, labels[rows], np.ones(IMAGES, np.float32))

    def _keep(self, phase: str, before: int, optimizer: keras.optimizers.Optimizer) -> None:
        """Keep all that the next epoch starts from; dropout's state is among the variables."""
        self.checkpoint.keep(
            {
                **_numbered("model", [v.numpy() for v in self.model.variables]),
                **_numbered("optimizer", [v.numpy() for v in optimizer.variables]),
                **_numbered("kept", self.kept_weights or []),
            },
            {
                "phase": phase,
                "before": before,
                "rows": self.rows,
                "signals": self.probe.rows,
                "kept_epoch": self.kept_epoch,
                "seconds": self.seconds(),
            },
        )

    def _resume(self, optimizer: keras.optimizers.Optimizer) -> int:
        """Take up what was kept; give the number of epochs before this phase."""
        arrays, facts = self.checkpoint.arrays, self.checkpoint.facts
        for name, variables in ("model", self.model.variables), ("optimizer", optimizer.variables):
            for place, variable in enumerate(variables):
                variable.assign(arrays[f"{name}-{place}"])
        self.rows, self.probe.rows = facts["rows"], facts["signals"]
        self.kept_epoch = facts["kept_epoch"]
        if self.kept_epoch:
            count = len(self.model.get_weights())
            self.kept_weights = [arrays[f"kept-{place}"] for place in range(count)]
        self.start -= facts["seconds"]
        return facts["before"]

    def _trained(self, epoch: int, bar: tqdm) -> dict[str, float]:
        """Train for an epoch; give the mean loss and accuracy on the way."""
        size = self.settings.batch_size
        rows = order(len(self.training.labels), self.seed, epoch, self.epoch_length)
        sums = np.zeros(2)
        if not self.rows:
            self.probe.measure(0, self.step)
        for update, start in enumerate(range(0, len(rows), size), self._updates + 1):
            measured = update in self.probe_steps
            if measured:
                self.probe.before_update()
            sums += self.step(self.examples, rows[start : start + size], False, epoch)[0].numpy()
            if measured:
                self.probe.measure(update, self.step)
            bar.update()
        if normalisations(self.model):
            self._estimate_averages(rows)
        loss, accuracy = sums / len(rows)
        return {"loss": float(loss), "accuracy": float(accuracy)}

    def _validated(self) -> dict[str, float]:
        logits, labels = self.validate(), self.validation.labels
        accuracy = float(np.mean(logits.argmax(1) == labels))
        return {"val_loss": cross_entropy(logits, labels), "val_accuracy": accuracy}

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
            self.step(self.examples, batch, True)

    def return_to_kept(self) -> None:
        """Give the model the weights of the epoch that is kept; raises as :func:`fit` does."""
        if self.kept_weights is None:
            raise InputError(
                "the loss was not finite in the first epoch; "
                f"{self.settings.key('learning_rate')} is {self.settings.learning_rate}, try a "
                "lower one."
            )
        self.model.set_weights(self.kept_weights)

    def finish(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return to the epoch that is kept; give history and signals as :func:`fit` does."""
        signals = self.probe.table()
        if signals["step"].iloc[-1] < self._updates:  # stopped early
            self.probe.measure(self._updates, self.step)
            signals = self.probe.table()
        self.return_to_kept()
        history = pd.DataFrame(self.rows)
        return history.assign(kept=history["epoch"] == self.kept_epoch), signals


def _numbered(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}-{place}": array for place, array in enumerate(arrays)}
