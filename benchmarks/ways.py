"""Time other ways to train the recommended network than the one that is taken, in turn.

`python benchmarks/ways.py` writes benchmarks/readings/ways.csv, in five minutes.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
import training
from turns import in_turn, serve, write_here

from brain_mri.models import runtime, stepping

# isort: split
import tensorflow as tf

NETWORK, SIZE = "efficientnet_lite0", 128
ROUNDS = 5


def main() -> None:
    """Ask all ways in turn; write every reading."""
    if len(sys.argv) > 1:
        serve(*WAYS[sys.argv[1]]())
        return
    taken = runtime.configure(training.settings(NETWORK))
    commands = {way: [sys.executable, __file__, way] for way in WAYS}
    rows = [
        {"round": number, "way": way, "images_per_second": rate}
        for number, way, rate in in_turn(commands, ROUNDS)
    ]
    write_here("ways", pd.DataFrame(rows), taken)


def improved():
    """Have TensorFlow improve the graph, which is left out for large networks."""
    tf.config.optimizer.set_experimental_options = lambda _: None
    return training.ours(NETWORK, SIZE)


def xla():
    """Compile the whole update by XLA."""
    stepping.compiled = partial(tf.function, jit_compile=True)
    return training.ours(NETWORK, SIZE)


def one_at_a_time():
    """Run one operation after another, each on all cores."""
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return training.ours(NETWORK, SIZE)


def images_at_once(count: int):
    """Update after fewer images; what is gained by parts of a batch is at most that."""
    training.BATCH = count
    return training.ours(NETWORK, SIZE)


WAYS = {
    "as it is": partial(training.ours, NETWORK, SIZE),
    "graph improved by TensorFlow": improved,
    "compiled by XLA": xla,
    "one operation at a time": one_at_a_time,
    "16 images at once": partial(images_at_once, 16),
    "8 images at once": partial(images_at_once, 8),
}

if __name__ == "__main__":
    main()
