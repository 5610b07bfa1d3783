"""Training: ours against Keras's `fit`, PyTorch, and what the processor can multiply."""

import argparse
import json
import os
import sys
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from types import SimpleNamespace

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from turns import PEERS, ROOT, in_turn, serve, write_here

# Architectures, and the side of their images in pixels.
TRAINED = [("model_1", size) for size in (64, 128, 256)]
TRAINED += [("resnet", 128), ("efficientnet_lite0", 128)]
BATCH, CLASSES = 32, 4
ROUNDS = 3
SIDE = 2048  # of the matrices multiplied
LAYERS = {"activation": "relu", "dropout": 0.2, "l2": 0.0, "batch_norm": False}


def main() -> None:
    """Ask all in turn for each network and size; write every reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, help="only answer for one")
    parser.add_argument("--network", help="only measure one")
    parser.add_argument("--size", type=int)
    arguments = parser.parse_args()
    if arguments.way:
        serve(*WAYS[arguments.way](arguments.network, arguments.size))
        return
    from brain_mri.models import runtime
    from brain_mri.models.architectures import efficientnet_lite0, resnet

    parts = {"resnet": resnet.WIDTHS, "efficientnet_lite0": efficientnet_lite0.STAGES}
    taken = runtime.configure(settings("model_1"))
    native = taken["precision"] == "mixed_bfloat16"
    rows = []
    for network, size in TRAINED:
        if arguments.network not in (None, network):
            continue
        asked = ["--network", network, "--size", str(size)]
        commands = {way: [sys.executable, __file__, "--way", way, *asked] for way in WAYS}
        # Without instructions for it, bfloat16 is far slower than float32: nobody would pick it.
        for precision, layout in product(
            ["float32", *["bfloat16"] * native], ["contiguous_format", "channels_last"]
        ):
            commands[f"pytorch {precision} {layout}"] = [
                *(PEERS, ROOT / "benchmarks/training_in_pytorch.py", network),
                *(json.dumps(parts.get(network)), str(size), str(BATCH), precision, layout),
            ]
        for number, way, rate in in_turn(commands, ROUNDS):
            read = {"round": number, "way": way, "images_per_second": rate}
            rows.append({"network": network, "size": size} | read)
            print(rows[-1], file=sys.stderr)
    write_here("training", pd.DataFrame(rows), taken)


def settings(network: str) -> SimpleNamespace:
    """Give what brain_mri.models asks of the parameters."""
    return SimpleNamespace(
        architecture=network,
        backbone_rate=1.0,
        precision="auto",
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


def ours(network: str, size: int, at_once: bool = True):
    """Train as stages.train does; without `at_once`, with Keras's batch normalisation."""
    from brain_mri.models import building, runtime

    runtime.configure(settings(network))
    return update(building.build(network, size, CLASSES, **LAYERS), at_once=at_once)


def update(model, change=None, at_once: bool = True):
    """Compile an update of a model, of images that are augmented by `change`."""
    from brain_mri.models import stepping
    from brain_mri.models.normalising import normalising

    optimizer = stepping.make_optimizer(settings(model.name), 0.001, 1, model)
    step = stepping.training_step(model, optimizer, model.input, change)
    examples, rows = mapped(model.input.shape[1])
    with normalising(model) if at_once else nullcontext():
        step(examples, rows, False)  # is compiled so
    return lambda: step(examples, rows, False)[0].numpy(), BATCH


def reading(_: str, size: int):
    """Read the batches that ours trains on, and nothing more."""
    examples, rows = mapped(size)
    return lambda: examples.images.images(rows), BATCH


def keras_fit(network: str, size: int):
    """Train as the origin study does: float32, compile and fit."""
    import keras
    import tensorflow as tf

    from brain_mri.models import building

    model = building.build(network, size, CLASSES, **LAYERS)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels, labels, _ = batch(size)
    steps = max(1, 8 * (64 // size) ** 2)
    data = tf.data.Dataset.from_tensors((pixels[..., np.newaxis].astype("f"), labels)).repeat()
    keras.utils.disable_interactive_logging()
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0), steps * BATCH


def matmul(network: str, size: int):
    """Multiply matrices as ours does; an image is as many operations as the network makes of it."""
    from brain_mri.models import building, runtime  # before TensorFlow, which it sets up

    # isort: split
    import tensorflow as tf

    taken = runtime.configure(settings(network))["precision"]
    model = building.build(network, size, CLASSES, **LAYERS)
    dtype = tf.bfloat16 if taken == "mixed_bfloat16" else tf.float32
    a, b = (
        tf.cast(values, dtype) for values in np.random.default_rng(0).normal(size=(2, SIDE, SIDE))
    )
    product = tf.function(tf.matmul)
    return lambda: product(a, b)[0, 0].numpy(), 2 * SIDE**3 / operations(model)


def operations(model) -> float:
    """Count the operations of a Keras model's products, forward and backward, for one image.

    Each product is computed three times, for the output, the gradient of the input, which the
    first layer does without, and the gradient of the weights.
    """
    from brain_mri.models import building

    forward = [
        2 * np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1])
        for layer in building.layers_of(model)
        if hasattr(layer, "kernel")
    ]
    return 3 * sum(forward) - forward[0]


WAYS = {"ours": ours, "reading": reading, "keras fit": keras_fit, "matmul": matmul}

if __name__ == "__main__":
    main()
