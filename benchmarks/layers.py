"""Where a training step goes: each layer of a network alone, forward and backward."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from training import BATCH, CLASSES, LAYERS, TRAINED, settings
from turns import median_seconds, write_here

CALLS = 5


def main() -> None:
    """Time every layer of every network and size, and the update of the weights."""
    from brain_mri.models import building, runtime  # before TensorFlow, which it sets up
    from brain_mri.models.normalising import normalising

    # isort: split
    import keras
    import tensorflow as tf

    rows = []
    for network, size in TRAINED:
        taken = runtime.configure(settings(network))
        dtype = tf.bfloat16 if taken["precision"] == "mixed_bfloat16" else tf.float32
        keras.utils.clear_session()  # counts the layers of each model from the start
        runtime.set_seed(1)
        model = building.build(network, size, CLASSES, **LAYERS)
        timed = [("adam", "Adam", _adam(model))]
        for layer in building.layers_of(model):
            if not isinstance(layer, keras.layers.InputLayer):
                timed.append((layer.name, _kind(layer), _both_ways(layer, dtype)))
        with normalising(model):
            for name, kind, call in timed:
                seconds = median_seconds(call, CALLS)
                found = {"layer": name, "kind": kind, "seconds": seconds}
                rows.append({"network": network, "size": size} | found)
        table = pd.DataFrame(rows)
        print(table.groupby(["network", "size", "kind"])["seconds"].sum(), file=sys.stderr)
    write_here("layers", table, taken)


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _kind(layer) -> str:
    """Name what a layer is; convolutions of single pixels are products of matrices."""
    kind = type(layer).__name__
    return f"{kind}, 1 x 1" if getattr(layer, "kernel_size", None) == (1, 1) else kind


def _both_ways(layer, dtype):
    """Compile a layer's output, and the gradients of its inputs and of its weights."""
    import tensorflow as tf

    shapes = layer.input if isinstance(layer.input, list) else [layer.input]
    drawn = [tf.cast(_random(BATCH, *one.shape[1:]), dtype) for one in shapes]
    inputs = drawn if len(drawn) > 1 else drawn[0]

    @tf.function
    def both_ways(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return tape.gradient(outputs, [inputs, *layer.trainable_variables], outputs)

    return lambda: tf.nest.flatten(both_ways(inputs))[0].numpy()


def _adam(model):
    """Compile an update of all weights of a model."""
    import keras
    import tensorflow as tf

    variables = model.trainable_variables
    optimizer = keras.optimizers.Adam()
    optimizer.build(variables)
    gradients = [tf.convert_to_tensor(_random(*variable.shape)) for variable in variables]
    return tf.function(lambda: optimizer.apply(gradients, variables))


if __name__ == "__main__":
    main()
