"""Training model_1: ours against Keras's `fit`, PyTorch, and what the processor can multiply."""

import argparse
import os
import sys
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from turns import PEERS, READINGS, ROOT, in_turn, serve

SIZES, BATCH, CLASSES = (64, 128, 256), 32, 4
ROUNDS = 3
SIDE = 2048  # of the matrices multiplied
LAYERS = {"activation": "relu", "dropout": 0.2, "l2": 0.0, "batch_norm": False}


def main() -> None:
    """Ask all in turn at each size; write every reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, help="only answer for one")
    parser.add_argument("--size", type=int, default=SIZES[0])
    arguments = parser.parse_args()
    if arguments.way:
        serve(*WAYS[arguments.way](arguments.size))
        return
    from brain_mri.models import runtime

    native = runtime.configure(settings())["precision"] == "mixed_bfloat16"
    rows = []
    for size in SIZES:
        commands = {
            way: [sys.executable, __file__, "--way", way, "--size", str(size)] for way in WAYS
        }
        # Without instructions for it, bfloat16 is far slower than float32: nobody would pick it.
        for precision, layout in product(
            ["float32", *["bfloat16"] * native], ["contiguous_format", "channels_last"]
        ):
            commands[f"pytorch {precision} {layout}"] = [
                *(PEERS, ROOT / "benchmarks/training_in_pytorch.py"),
                *(str(size), str(BATCH), precision, layout),
            ]
        for number, way, rate in in_turn(commands, ROUNDS):
            rows.append({"size": size, "round": number, "way": way, "images_per_second": rate})
            print(rows[-1], file=sys.stderr)
    table = pd.DataFrame(rows)
    READINGS.mkdir(exist_ok=True)
    table.to_csv(READINGS / "training.csv", index=False, lineterminator="\n", float_format="%.4g")


def settings(precision: str = "auto") -> SimpleNamespace:
    """Give what brain_mri.models asks of the parameters."""
    return SimpleNamespace(
        architecture="model_1",
        backbone_rate=1.0,
        precision=precision,
        threads=0,
        devices=0,
        deterministic=True,
        schedule="constant",
        optimizer="adam",
    )


def batch(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pixels, labels and weights of one batch."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (BATCH, size, size), np.uint8)
    labels = generator.integers(0, CLASSES, BATCH, np.int32)
    return pixels, labels, np.ones(BATCH, np.float32)


def mapped(size: int):
    """Give examples with their images in a mapped file, and the rows of a batch, shuffled."""
    import tempfile

    from brain_mri.models.examples import Examples
    from brain_mri.storage import ImageSet

    pixels, labels, weights = (np.repeat(values, 8, axis=0) for values in batch(size))
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, pixels)
        file.flush()
        images = ImageSet(pd.DataFrame(index=range(len(pixels))), (np.load(file.name, "r"),))
    rows = np.random.default_rng(0).permutation(len(pixels))[:BATCH]
    return Examples(images, labels, weights), rows


def ours(size: int):
    """Train as stages.train does."""
    from brain_mri.models import building, runtime, stepping

    runtime.configure(settings())
    model = building.build("model_1", size, CLASSES, **LAYERS)
    optimizer = stepping.make_optimizer(settings(), 0.001, 1, model)
    step = stepping.training_step(model, optimizer, model.input)
    examples, rows = mapped(size)
    return lambda: step(examples, rows, False)[0].numpy(), BATCH


def reading(size: int):
    """Read the batches that ours trains on, and nothing more."""
    examples, rows = mapped(size)
    return lambda: examples.images.images(rows), BATCH


def keras_fit(size: int):
    """Train as the origin study does: float32, compile and fit."""
    import keras
    import tensorflow as tf

    from brain_mri.models import building

    model = building.build("model_1", size, CLASSES, **LAYERS)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels, labels, _ = batch(size)
    steps = max(1, 8 * (64 // size) ** 2)
    data = tf.data.Dataset.from_tensors((pixels[..., np.newaxis].astype("f"), labels)).repeat()
    keras.utils.disable_interactive_logging()
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0), steps * BATCH


def matmul(size: int):
    """Multiply matrices as ours does; an image is as many operations as model_1 makes of it."""
    import tensorflow as tf

    from brain_mri.models import runtime

    taken = runtime.configure(settings())["precision"]
    dtype = tf.bfloat16 if taken == "mixed_bfloat16" else tf.float32
    a, b = (
        tf.cast(values, dtype) for values in np.random.default_rng(0).normal(size=(2, SIDE, SIDE))
    )
    product = tf.function(tf.matmul)
    return lambda: product(a, b)[0, 0].numpy(), 2 * SIDE**3 / operations(size)


def operations(size: int) -> float:
    """Count the operations of model_1's products, forward and backward, for one image.

    Each product is computed three times, for the output, the gradient of the input, which the
    first layer does without, and the gradient of the weights.
    """
    sides = [size - 2, size - 4]
    sides += [sides[1] // 2 - 2, sides[1] // 2 - 4]
    channels = [1, 32, 64, 128, 128]
    forward = [
        2 * 9 * side**2 * before * after
        for side, (before, after) in zip(sides, pairwise(channels), strict=True)
    ]
    forward += [2 * (sides[-1] // 2) ** 2 * 128 * 64, 2 * 64 * CLASSES]
    return 3 * sum(forward) - forward[0]


def weights(size: int) -> int:
    """Count the weights of model_1."""
    channels = [1, 32, 64, 128, 128]
    convolutions = sum((9 * a + 1) * b for a, b in pairwise(channels))
    side = ((size - 4) // 2 - 4) // 2
    return convolutions + (side**2 * 128 + 1) * 64 + (64 + 1) * CLASSES


WAYS = {"ours": ours, "reading": reading, "keras fit": keras_fit, "matmul": matmul}

if __name__ == "__main__":
    main()
