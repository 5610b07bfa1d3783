"""Devices, precision, threads and determinism: what a result can depend on beside its inputs."""

import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stages.errors import InputError


def configure(*, precision: str, deterministic: bool, threads: int) -> dict:
    """Set up TensorFlow for one reproducible run; call it before anything else is built.

    Parameters
    ----------
    precision : {"auto", "float32", "mixed_bfloat16", "mixed_float16"}
        ``auto`` takes bfloat16 where the processor or the GPU computes in it, float32 elsewhere.
    deterministic : bool
        The same inputs give the same bytes on one type of machine.
    threads : int
        Threads of the processor; 0 is one a core.

    Returns
    -------
    dict
        What was taken: device, precision, threads, deterministic, versions.
    """
    tf.get_logger().setLevel("ERROR")
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if precision == "auto":
        precision = "mixed_bfloat16" if _computes_in_bfloat16(gpus) else "float32"
    if precision == "mixed_float16" and not gpus:
        raise InputError(
            "train.precision is 'mixed_float16', but needs a GPU; it takes auto, float32 or "
            "mixed_bfloat16 on a processor."
        )
    keras.utils.clear_session()  # layers are numbered from one, whatever was built before
    keras.mixed_precision.set_global_policy(precision)
    return {
        "device": _gpu_name(gpus[0]) if gpus else _processor_name(),
        "precision": precision,
        "threads": threads or "all",
        "deterministic": deterministic,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }


def set_seed(seed: int) -> None:
    """Decide initial weights and dropout."""
    keras.utils.set_random_seed(seed)


def _computes_in_bfloat16(gpus) -> bool:
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        return capability is not None and capability >= (8, 0)
    return bool({"avx512_bf16", "amx_bf16"} & set(_cpuinfo("flags").split()))


def _gpu_name(gpu) -> str:
    return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")


def _processor_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(field: str) -> str:
    """Give a field of the first processor in Linux's list; elsewhere an empty text."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
