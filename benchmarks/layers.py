"""Where a step of model_1 goes: each of its layers alone, forward and backward."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from training import BATCH, CLASSES, LAYERS, SIZES, settings
from turns import READINGS, median_seconds

CALLS = 5


def main() -> None:
    """Time every layer at every size, and the update of the weights."""
    import keras
    import tensorflow as tf

    from brain_mri.models import building, runtime

    precision = runtime.configure(settings())["precision"]
    runtime.set_seed(1)
    dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    rows = []
    for size in SIZES:
        keras.utils.clear_session()  # counts the layers of each model from the start
        model = building.build("model_1", size, CLASSES, **LAYERS)
        for layer in model.layers[1:]:
            inputs = tf.cast(_random(BATCH, *layer.input.shape[1:]), dtype)
            seconds = median_seconds(_both_ways(layer, inputs), CALLS)
            rows.append({"size": size, "layer": layer.name, "seconds": seconds})
        rows.append({"size": size, "layer": "adam", "seconds": median_seconds(_adam(model), CALLS)})
        print(pd.DataFrame(rows).to_string(), file=sys.stderr)
    table = pd.DataFrame(rows)
    table.to_csv(READINGS / "layers.csv", index=False, lineterminator="\n", float_format="%.4g")


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _both_ways(layer, inputs):
    """Compile a layer's output, and the gradients of its input and of its weights."""
    import tensorflow as tf

    @tf.function
    def both_ways(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return tape.gradient(outputs, [inputs, *layer.trainable_variables], outputs)

    return lambda: both_ways(inputs)[0].numpy()


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
