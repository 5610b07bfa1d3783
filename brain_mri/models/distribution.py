"""One training on several GPUs and hosts: every replica takes its part of each batch.

A worker is a process, one per host. A replica is a GPU of a worker, or its processor.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brain_mri import params
from brain_mri.errors import InputError, one_line
from brain_mri.models.building import layers_of

# What an operation of all workers ends with once one is gone; the last is NCCL's.
GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)

Address = Annotated[str, Field(pattern=r"^\S+:\d+$")]


class _Cluster(BaseModel):
    model_config = ConfigDict(extra="forbid")

    chief: Annotated[list[Address], Field(max_length=1)] = []
    worker: list[Address] = []


class _Task(BaseModel):
    type: Literal["chief", "worker"]
    index: Annotated[int, Field(ge=0)]


class _TfConfig(BaseModel):
    """What TensorFlow's variable TF_CONFIG holds, as JSON."""

    cluster: _Cluster
    task: _Task


def place() -> tuple[int, int]:
    """Give the number of this worker, from 0, which is the chief, and how many there are.

    Raises
    ------
    InputError
        If the variable TF_CONFIG, which tells, is wrong.
    """
    text = os.environ.get("TF_CONFIG")
    if text is None:
        return 0, 1
    try:
        config = _TfConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["TF_CONFIG", *map(str, first["loc"])])
        raise InputError(
            f"{where}: {one_line(first['msg'])}; docs/scaling.md shows a right one"
        ) from None
    cluster, task = config.cluster, config.task
    addresses = cluster.chief + cluster.worker
    if len(set(addresses)) < len(addresses):
        raise InputError(f"TF_CONFIG names an address twice: {', '.join(addresses)}")
    if task.index >= len(getattr(cluster, task.type)):
        raise InputError(
            f"TF_CONFIG says that this is {task.type} {task.index}, but its cluster has "
            f"{len(getattr(cluster, task.type))} of these, counted from 0"
        )
    before = len(cluster.chief) if task.type == "worker" else 0
    return before + task.index, len(addresses)


def mark() -> str:
    """Give what tells this worker from the chief, for its lock and what it says."""
    try:
        worker, _ = place()
    except InputError:  # whoever asks for its place will hear it
        worker = 0
    return f", worker {worker}" if worker else ""


@contextmanager
def joined(settings: params.Model, agreed: str) -> Iterator[int]:
    """Train together with the other GPUs of this host, and with the other hosts.

    Without either, nothing is different. Call it before TensorFlow computes anything, and build
    the model within; :func:`tf.distribute.get_strategy` gives the strategy there.

    Parameters
    ----------
    settings : brain_mri.params.Model
        Of which ``devices`` are the GPUs of this host to use; 0 is all.
    agreed : str
        Digest of what has to be the same for all workers, in hexadecimal.

    Yields
    ------
    int
        The number of replicas.

    Raises
    ------
    InputError
        If the host has fewer GPUs, the workers do not find or fit each other, or one is lost.
    """
    strategy = _strategy(settings)
    if strategy.num_replicas_in_sync == 1:
        yield 1
        return
    with strategy.scope():
        try:
            _require_same(agreed)
            yield strategy.num_replicas_in_sync
            _await_all()
        except GONE as error:
            if place()[1] == 1:
                raise
            raise InputError(
                f"another worker has ended or cannot be reached ({type(error).__name__}); once "
                "its reason is fixed, the same command on all goes on at the last whole epoch"
            ) from None


def _strategy(settings: params.Model) -> tf.distribute.Strategy:
    devices = settings.devices
    gpus = tf.config.list_physical_devices("GPU")
    if devices > max(len(gpus), 1):
        raise InputError(
            f"{settings.key('devices')} is {devices}, but this host has {len(gpus)} GPUs; it takes "
            "0 for all"
        )
    if gpus and devices:
        tf.config.set_visible_devices(gpus[:devices], "GPU")
    if place()[1] > 1:
        return _with_other_hosts()
    if len(tf.config.get_visible_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _with_other_hosts() -> tf.distribute.Strategy:
    """Wait until all workers have started, and connect to them."""
    # TensorFlow waits outside Python, where only the system's own way ends it on Ctrl-C.
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise InputError(
            f"TF_CONFIG's workers cannot connect ({one_line(error)}); each has to listen at its "
            "own address, and to have the same list of addresses"
        ) from None
    finally:
        signal.signal(signal.SIGINT, on_interrupt)


def _require_same(digest: str) -> None:
    """Raise InputError unless all workers have the same digest."""
    worker, workers = place()
    digests = np.zeros((workers, 4), np.int64)
    digests[worker] = np.frombuffer(bytes.fromhex(digest)[:32], np.int64)
    for number, other in enumerate(_sum(digests)):
        if not np.array_equal(other, digests[worker]):
            _await_all()
            raise InputError(
                f"worker {number} has other parameters, code, data or versions than this one, "
                f"worker {worker}; all have to run the same command on the same"
            )


def _await_all() -> None:
    """Wait until all workers have what their last operation gave; from then on each may end."""
    with suppress(*GONE):
        _sum(np.zeros(1, np.int64))


def from_chief(content: bytes) -> bytes:
    """Give the chief's content to all workers; that of the others does not matter."""
    chief = place()[0] == 0
    length = int(_sum(np.array([len(content) if chief else 0]))[0])
    numbers = np.zeros(length // 8 + 1, np.int64)  # never none, on which TensorFlow crashes
    if chief:
        numbers[:] = np.frombuffer(content.ljust(numbers.nbytes, b"\0"), np.int64)
    return _sum(numbers).tobytes()[:length]


def _sum(numbers: np.ndarray) -> np.ndarray:
    """Add up the int64 numbers that the workers hold; all call it, and all get the sum."""

    @tf.function(autograph=False)
    def added(numbers):
        def of_replica():
            once = tf.where(_place_here() == 0, numbers, tf.zeros_like(numbers))
            return add_up(once)

        return on_each(of_replica)

    return added(tf.constant(numbers, tf.int64)).numpy()


def rows_here(rows: np.ndarray) -> np.ndarray:
    """Give those rows of a batch whose images this worker has to read."""
    if len(rows) < replicas():
        return rows
    worker, workers = place()
    return rows[worker::workers]


def on_each(function: Callable):
    """Run a function on every replica of this worker, as part of a compiled one.

    What it gives is to be the same on all; that of the first is given.
    """
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], strategy.run(function)
    )


def add_up(values: tf.Tensor) -> tf.Tensor:
    """Give, on every replica, the sum of what all have."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


@dataclass(frozen=True)
class Part:
    """What a replica takes of a batch.

    A batch with fewer images than replicas is taken whole by each, and counts on the first alone.
    No part is ever empty: oneDNN's convolution gives an empty batch the shape of its input.

    Attributes
    ----------
    rows : tf.Tensor (n,), int32
        Places in the batch.
    images : tf.Tensor (n, ...)
        Of these, as this worker read them.
    counts : tf.Tensor (), float32
        1 where the part counts, 0 where another replica's copy does.
    """

    rows: tf.Tensor
    images: tf.Tensor
    counts: tf.Tensor

    @classmethod
    def of(cls, images: tf.Tensor, count: tf.Tensor) -> "Part":
        """Take this replica's part of a batch of `count` images, given those of its worker."""
        worker, workers = place()
        here, all_replicas = _place_here(), replicas()
        few = count < all_replicas
        first, step = tf.where(few, 0, worker + workers * here), tf.where(few, 1, all_replicas)
        own, own_step = tf.where(few, 0, here), tf.where(few, 1, _replicas_here())
        return cls(
            tf.range(count)[first::step],
            images[own::own_step],
            tf.cast(~few | ((worker == 0) & (here == 0)), tf.float32),
        )


def replicas() -> int:
    """Count the replicas of all workers."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def _replicas_here() -> int:
    return replicas() // place()[1]


def _place_here():
    """Give the number of the replica among those of its worker."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return number - place()[0] * _replicas_here()


@contextmanager
def own_dropout(model: keras.Model) -> Iterator[None]:
    """Have each replica drop units of its own.

    Keras keeps its state the same everywhere, so that all would drop the same units.
    """
    layers = layers_of(model) if replicas() > 1 else []
    generators = [layer.seed_generator for layer in layers if hasattr(layer, "seed_generator")]
    for generator in generators:
        generator.next = partial(_next_of_replica, generator.next)
    yield
    for generator in generators:
        del generator.next


def _next_of_replica(draw: Callable, ordered: bool = True) -> tf.Tensor:
    seed = draw(ordered)
    context = tf.distribute.get_replica_context()
    number = tf.cast(context.replica_id_in_sync_group, seed.dtype)
    return seed + tf.stack([number, tf.zeros_like(number)])
