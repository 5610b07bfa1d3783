"""Processes of distributed trainings, forked from one that has imported TensorFlow and not used it.

A worker is a process of its own, as on a host of its own; TF_CONFIG tells it which. Importing
TensorFlow takes longer than a training here.
"""

import json
import multiprocessing
import os
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from brain_mri.models import building, distribution, runtime, training
from brain_mri.models.examples import Examples
from brain_mri.params import Augment
from brain_mri.storage import ImageSet, read_images
from stages import train
from tests.models.small import CLASSES, SETTINGS

LONG = 600  # seconds, which only what hangs takes

# Dropout draws for each part of a batch, and Adam enlarges rounding in weights without effect, such
# as a bias before a normalisation: without both, any number of replicas gives the same weights.
SAME = {
    **{"optimizer": "sgd", "learning_rate": 0.01, "epochs": 2, "batch_size": 8},
    "augment": Augment(mirror=True, rotation=20.0, contrast=0.2, noise=0.05),
    "label_smoothing": 0.1,
}
MODEL = {"activation": "relu", "dropout": 0.0, "l2": 0.001, "batch_norm": True}


@dataclass(frozen=True)
class Noted(ImageSet):
    """An image set that notes which rows were read."""

    rows: list

    def images(self, rows):
        self.rows.append(np.array(rows))
        return super().images(rows)


class Worker:
    """A process that runs a function in a folder, as a worker or, without TF_CONFIG, alone."""

    def __init__(self, function, *arguments, folder, tf_config=None):
        handle, self._said = tempfile.mkstemp(dir=folder, prefix=".said")
        os.close(handle)
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload([__name__])
        work = (function, arguments, folder, self._said, tf_config)
        self.process = server.Process(target=_run, args=work)
        self.process.start()

    def ended(self, code=0):
        """Wait until it has ended with a status; give what it printed."""
        self.process.join(LONG)
        said = Path(self._said).read_text(encoding="utf-8")
        assert self.process.exitcode == code, said
        return said


def _run(function, arguments, folder, said, tf_config):
    os.chdir(folder)
    if tf_config is not None:
        os.environ["TF_CONFIG"] = tf_config
    with open(said, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)


def stage(*command):
    """Train as the command does."""
    sys.argv = list(command)
    train.main()


def work(output, gpus):
    """Train on the folder's set; write weights, history, signals and the rows that were read."""
    settings = SimpleNamespace(**SETTINGS | SAME)
    if gpus:
        stand_in_for_gpus(gpus)
    runtime.configure(settings)
    if gpus:
        names = [f"CPU:{number}" for number in range(gpus)]
        with tf.distribute.MirroredStrategy(names).scope():
            fit(output, settings)
            np.save(output.with_suffix(".dropped.npy"), dropped())
    else:
        with distribution.joined(settings, "5a" * 32):
            fit(output, settings)


def stand_in_for_gpus(count):
    """Make parts of the processor, in place of GPUs."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * count
    )


def fit(output, settings):
    runtime.set_seed(1)
    model = building.build("model_4", 32, 2, **MODEL)
    examples = Examples.of(read_images("set"), CLASSES)
    read = []
    noted = replace(examples, images=Noted(examples.images.index, examples.images.shards, read))
    history, signals, _ = training.fit(model, noted, examples, settings, seed=1)
    weights = {f"weights-{n}": array for n, array in enumerate(model.get_weights())}
    copies = [
        [part.numpy() for part in getattr(variable.value, "values", [variable])]
        for variable in model.trainable_variables
    ]
    same = all(np.array_equal(first, other) for first, *others in copies for other in others)
    np.savez(
        output,
        **weights,
        history=history.to_numpy(float),
        signals=signals.drop(columns=["layer", "activation"]).to_numpy(float),
        rows=np.concatenate(read),
        copies=len(copies[0]),
        same=same,
    )


def dropped():
    """Give what dropout lets through on each replica, (replicas, batches, units)."""
    layer = keras.layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((100,)), layer])
    strategy = tf.distribute.get_strategy()
    drop = tf.function(lambda: strategy.run(lambda: model(tf.ones((1, 100)), training=True)))
    with distribution.own_dropout(model):
        batches = [strategy.experimental_local_results(drop()) for _ in range(2)]
    return np.array(batches)[:, :, 0].swapaxes(0, 1)


def collectives(output):
    """Train two parallel branches on two replicas; write what the replicas exchange in an update.

    For each replica, by TensorFlow's graph after all its rewriting: what goes into each collective
    operation, in the order that the graph enforces; operations that it leaves free are an error.
    """
    stand_in_for_gpus(2)
    settings = SimpleNamespace(**SETTINGS | SAME)
    runtime.configure(settings)
    context.context().enable_graph_collection()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        runtime.set_seed(1)
        pixels = keras.Input((32, 32, 1))
        branches = [
            keras.layers.BatchNormalization()(keras.layers.Conv2D(filters, 3, strides=4)(pixels))
            for filters in (2, 3)
        ]
        flat = keras.layers.Flatten()(keras.layers.Concatenate()(branches))
        logits = keras.layers.Dense(2, name="logits")(flat)
        model = keras.Model(pixels, keras.layers.Softmax()(logits))
        examples = Examples.of(read_images("set"), CLASSES)
        training.fit(model, examples, examples, settings, seed=1)
    functions = context.context().export_run_metadata().function_graphs
    exchanged = [[in_order(graph.node) for graph in each.partition_graphs] for each in functions]
    update = max(exchanged, key=lambda replicas: len(replicas[0]))
    output.write_text(json.dumps(update), encoding="utf-8")


def in_order(nodes):
    """Give the inputs of a graph's collective operations, each of which waits for those before."""
    inputs = {
        node.name: [name.lstrip("^").partition(":")[0] for name in node.input] for node in nodes
    }
    before = {}
    for node in nodes:
        if node.op == "CollectiveReduceV2":
            waiting, seen = list(inputs[node.name]), set()
            while waiting:
                if (name := waiting.pop()) not in seen:
                    seen.add(name)
                    waiting += inputs.get(name, [])
            before[node.name] = seen
    order = sorted(before, key=lambda name: len(before[name] & before.keys()))
    for place, name in enumerate(order):
        assert before[name] & before.keys() == set(order[:place]), name
    return [re.sub(r"replica_1/|_\d+$", "", inputs[name][0]) for name in order]


if __name__ == "__main__":
    collectives(Path(sys.argv[1]))
