"""How signals pass through a network while it trains, layer by layer, on a fixed batch."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from brain_mri.models.building import output_of
from brain_mri.models.examples import Examples

IMAGES = 8  # of the fixed batch; more would cost more than they tell
LOW, HIGH = 0.05, 0.95  # below and above these shares of its range an activation is at an extreme
MEASURED = (
    "gradient_norm",
    "mean",
    "spread_units",
    "spread_images",
    f"below_{LOW}",
    f"above_{HIGH}",
    "entropy",
)


def probe_steps(total: int) -> set[int]:
    """Give the numbers of updates after which to measure: 0, 1, 2, 4, then each four times more.

    The last update of training is among them. Early on signals change fast, later slowly.
    """
    early = [0, 1, 2, *(4**power for power in range(1, total.bit_length()))]
    return {step for step in early if step < total} | {total}


@dataclass
class Block:
    """A layer with weights, with the normalisation and activation that follow it."""

    name: str
    activation: str
    output: keras.KerasTensor
    layers: list[keras.Layer]

    @property
    def variables(self) -> list[keras.Variable]:
        """Its weights that are being trained."""
        return [weight for layer in self.layers for weight in layer.trainable_weights]


def blocks(model: keras.Model) -> list[Block]:
    """List a model's blocks in order from the input; the last one's output is probabilities."""
    found: list[Block] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and found:
            found[-1].layers.append(layer)
            found[-1].output = layer.output
        elif layer.weights:
            activation = getattr(layer, "activation", keras.activations.linear).__name__
            found.append(Block(layer.name, activation, output_of(model, layer), [layer]))
        elif isinstance(layer, keras.layers.Activation):
            found[-1].activation, found[-1].output = layer.activation.__name__, layer.output
        elif isinstance(layer, keras.layers.Softmax):
            found[-1].activation, found[-1].output = "softmax", layer.output
    return found


def measurements(
    watched: list[Block],
    outputs: list[tf.Tensor],
    gradients: dict[str, tf.Tensor],
    logits: tf.Tensor,
) -> tf.Tensor:
    """Measure a forward and a backward pass; compiled as part of the training step.

    Parameters
    ----------
    watched : list of Block
    outputs : list of Tensor (n, ...)
        Of each block.
    gradients : dict
        Of each trained weight, by its path.
    logits : Tensor (n, classes)

    Returns
    -------
    Tensor (blocks, 7), float32
        In the order of :data:`MEASURED`.
    """
    entropy = -tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=1)
    rows = []
    for block, output in zip(watched, outputs, strict=True):
        own = [gradients[variable.path] for variable in block.variables]
        values = tf.reshape(tf.cast(output, tf.float32), (tf.shape(output)[0], -1))
        place = (values + 1) / 2 if block.activation == "tanh" else values  # within its range
        rows.append(
            [
                tf.linalg.global_norm(own) if own else np.nan,
                tf.reduce_mean(values),
                tf.reduce_mean(tf.math.reduce_std(values, axis=1)),
                tf.reduce_mean(tf.math.reduce_std(values, axis=0)),
                tf.reduce_mean(tf.cast(place < LOW, tf.float32)),
                tf.reduce_mean(tf.cast(place > HIGH, tf.float32)),
                tf.reduce_mean(entropy),
            ]
        )
    return tf.stack([tf.stack(row) for row in rows])


@dataclass
class Probe:
    """Measures a model on one batch, as a training step would see it, and changes nothing in it.

    Attributes
    ----------
    model : keras.Model
        As :func:`brain_mri.models.building.build` made it.
    examples : Examples
        The batch, as the training step takes it; set before the first measurement.
    rows : list of dict
        What was measured so far.
    """

    model: keras.Model
    examples: Examples | None = None
    rows: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self._blocks = blocks(self.model)
        self._before: list[list[np.ndarray]] = []

    def before_update(self) -> None:
        """Remember the weights, so that the next measurement can tell by how much they changed."""
        self._before = [[v.numpy() for v in block.variables] for block in self._blocks]

    def measure(self, number: int, step: Callable) -> None:
        """Measure after a number of updates, with the compiled training step."""
        ratios = [np.nan] * len(self._blocks)
        if self._before:
            ratios = [
                _update_ratio(before, block.variables)
                for block, before in zip(self._blocks, self._before, strict=True)
            ]
            self._before = []
        # A forward pass of training moves batch statistics and the state of dropout on.
        moved = self.model.non_trainable_variables
        kept = [variable.numpy() for variable in moved]
        _, measured = step(self.examples, np.arange(len(self.examples.labels)), True)
        for variable, value in zip(moved, kept, strict=True):
            variable.assign(value)
        for block, ratio, values in zip(self._blocks, ratios, measured.numpy(), strict=True):
            place = {"step": number, "layer": block.name, "activation": block.activation}
            row = dict(zip(MEASURED, values.tolist(), strict=True))
            self.rows.append(
                place | {"gradient_norm": row.pop("gradient_norm")} | {"update_ratio": ratio} | row
            )

    def table(self) -> pd.DataFrame:
        """Give what was measured, one row per step and layer.

        Returns
        -------
        DataFrame
            ``step`` (updates made before), ``layer`` (from the input on), ``activation``;
            ``gradient_norm`` of the loss in the layer's weights, and ``update_ratio``, norm of the
            last update over norm of the weights (both empty for a frozen layer; the latter also
            where no update was watched); of the activations ``mean``, ``spread_units`` (standard
            deviation over units, mean over images), ``spread_images`` (standard deviation over
            images, mean over units), ``below_0.05`` and ``above_0.95`` (shares at the extremes of
            their range, 0 to 1, for tanh -1 to 1); ``entropy`` of the predictions, mean over
            images, in nats.
        """
        return pd.DataFrame(self.rows)


def _update_ratio(before: list[np.ndarray], variables: list[keras.Variable]) -> float:
    """Give the norm of an update over the norm of the weights before it."""
    after = [variable.numpy() for variable in variables]
    with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverges
        update = sum(np.sum((a - b) ** 2) for a, b in zip(after, before, strict=True))
        weights = sum(np.sum(b**2) for b in before)
        return float(np.sqrt(update / weights)) if weights else np.nan
