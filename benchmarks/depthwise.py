"""Time the gradient of depthwise weights: TensorFlow's, and two ways around it.

`python benchmarks/depthwise.py` writes benchmarks/readings/depthwise.csv, in a minute.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from training import BATCH, settings
from turns import median_seconds, write_here

from brain_mri.models import runtime

# isort: split
import tensorflow as tf

CALLS = 15
# Layers of EfficientNet-Lite0 at 64, 128 and 224 pixels: channels, side of the maps, stride.
SHAPES = [(1152, 2, 1), (1152, 4, 1), (1152, 7, 1), (672, 8, 1), (672, 8, 2), (240, 16, 1)]
SHAPES += [(672, 14, 1), (144, 32, 2)]
KERNEL = 5


def main() -> None:
    """Time each way, by shape; all have to give TensorFlow's result."""
    taken = runtime.configure(settings("efficientnet_lite0"))
    rows = []
    for channels, side, stride in SHAPES:
        generator = np.random.default_rng(0)
        maps = tf.constant(generator.normal(size=(BATCH, side, side, channels)), tf.float32)
        above = -(-side // stride)
        gradient = tf.constant(generator.normal(size=(BATCH, above, above, channels)), tf.float32)
        ways = {"tensorflow": native, "pairs": by_pairs, "shifts": by_shifts}
        for way, make in ways.items():
            compiled = tf.function(make(side, above, stride))
            given = compiled(maps, gradient).numpy()
            if way == "tensorflow":
                expected = given
            assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
            found = median_seconds(lambda f=compiled, m=maps, g=gradient: f(m, g).numpy(), CALLS)
            shape = {"channels": channels, "side": side, "stride": stride}
            rows.append(shape | {"way": way, "seconds": found})
    write_here("depthwise", pd.DataFrame(rows), taken)


def native(side: int, above: int, stride: int):
    """Leave it to TensorFlow."""

    def gradient(maps, above_it):
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=maps,
            filter_sizes=[KERNEL, KERNEL, maps.shape[-1], 1],
            out_backprop=above_it,
            strides=[1, stride, stride, 1],
            padding="SAME",
        )

    return gradient


def by_pairs(side: int, above: int, stride: int):
    """Multiply every place with every place by channel; add up what a weight connects."""
    before = max((above - 1) * stride + KERNEL - side, 0) // 2
    connects = np.zeros((side, side, above, above, KERNEL, KERNEL), np.float32)
    for y, x, row, column in np.ndindex(above, above, KERNEL, KERNEL):
        from_y, from_x = y * stride + row - before, x * stride + column - before
        if 0 <= from_y < side and 0 <= from_x < side:
            connects[from_y, from_x, y, x, row, column] = 1
    connects = tf.constant(connects.reshape(-1, KERNEL**2))

    def gradient(maps, above_it):
        channels = maps.shape[-1]
        left = tf.transpose(tf.reshape(maps, (-1, side**2, channels)), (2, 1, 0))
        right = tf.transpose(tf.reshape(above_it, (-1, above**2, channels)), (2, 0, 1))
        products = tf.reshape(tf.matmul(left, right), (channels, -1))
        return tf.reshape(
            tf.transpose(tf.matmul(products, connects)), (KERNEL, KERNEL, channels, 1)
        )

    return gradient


def by_shifts(side: int, above: int, stride: int):
    """Multiply the shifted maps by the gradient, once for each weight."""
    total = max((above - 1) * stride + KERNEL - side, 0)
    padding = (total // 2, total - total // 2)
    last = (above - 1) * stride + 1

    def gradient(maps, above_it):
        padded = tf.pad(maps, ((0, 0), padding, padding, (0, 0)))
        sums = [
            tf.reduce_sum(
                padded[:, row : row + last : stride, column : column + last : stride] * above_it,
                (0, 1, 2),
            )
            for row, column in np.ndindex(KERNEL, KERNEL)
        ]
        return tf.reshape(tf.stack(sums), (KERNEL, KERNEL, maps.shape[-1], 1))

    return gradient


if __name__ == "__main__":
    main()
