"""Devices, precision, threads and determinism: what a result can depend on besides its inputs."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port  # nothing public tells of oneDNN

from brain_mri import params
from brain_mri.errors import NO_MEMORY, InputError
from brain_mri.models import building

# Of x86 and of ARM, oldest first.
INSTRUCTIONS = (
    *("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"),
    *("asimd", "sve", "bf16"),
)


# Ceilings that a user can give oneDNN, the library behind TensorFlow's kernels on a processor: with
# the first, it has no kernels for bfloat16; with the second, no instructions for it.
WITHOUT_BFLOAT16 = {"sse41", "avx", "avx2", "avx2_vnni", "avx2_vnni_2"}
EMULATING_BFLOAT16 = {"avx512_core", "avx512_core_vnni"}

# Linux has it where an NVIDIA card runs with its driver.
CARD = Path("/proc/driver/nvidia/version")
HIDDEN = ("", "-1")  # values of CUDA_VISIBLE_DEVICES by which a user keeps cards from TensorFlow

# How the names of environment variables begin by which a user can have TensorFlow, or a library
# below it, compute in another way. They stay as they are, since there are reasons to set them.
SWITCHES = (
    *("ONEDNN_", "DNNL_", "TF_ONEDNN_", "TF_SET_ONEDNN_", "TF_MKL_"),
    *("XLA_", "TF_XLA_", "TF_JIT_COMPILE_", "TF_ENABLE_", "TF_DISABLE_", "TF_USE_"),
    *("TF_DETERMINISTIC_", "TF_AUTO_MIXED_PRECISION_", "TF_FP16_", "TF_CONV2D_", "TF_MATMUL_"),
    *("TF_CUDNN_", "TF_CUBLAS_", "CUBLAS_", "NVIDIA_TF32_", "NCCL_ALGO", "NCCL_PROTO"),
)


def configure(settings: params.Model) -> dict:
    """Set up TensorFlow for one reproducible run; call it before anything else is built.

    Parameters
    ----------
    settings : brain_mri.params.Model
        Of which ``precision`` (``auto`` takes bfloat16 where the processor or the GPU computes in
        it, and float32 elsewhere, and for an ``architecture`` that says it is faster so),
        ``deterministic`` (the same inputs give the same bytes on one type of machine) and
        ``threads`` (of the processor; 0 is one per core) are used.

    Returns
    -------
    dict
        What was taken: device, instruction_set, onednn (whether TensorFlow uses it), precision,
        threads, deterministic, switches (see :data:`SWITCHES`; those that are set), versions.
    """
    tf.get_logger().setLevel("ERROR")
    precision = settings.precision
    if settings.threads:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus and CARD.exists() and os.environ.get("CUDA_VISIBLE_DEVICES") not in HIDDEN:
        said = "this machine has an NVIDIA card that TensorFlow cannot use; `make gpu` installs"
        print(f"{said} what it needs", file=sys.stderr)
    if precision == "auto":
        precision = "mixed_bfloat16" if _computes_in_bfloat16(gpus) else "float32"
        if not gpus:
            precision = building.processor_precision(settings.architecture) or precision
    if precision == "mixed_float16" and not gpus:
        raise InputError(
            f"{settings.key('precision')} is 'mixed_float16', but needs a GPU; it takes auto, "
            "float32 or mixed_bfloat16 on a processor."
        )
    if precision == "mixed_bfloat16" and not gpus and _onednn_ceiling() in WITHOUT_BFLOAT16:
        raise InputError(
            f"{settings.key('precision')} is 'mixed_bfloat16', but the environment has oneDNN "
            f"compute on {_onednn_ceiling()}, which does not know it; unset ONEDNN_MAX_CPU_ISA and "
            "DNNL_MAX_CPU_ISA, or take auto or float32."
        )
    keras.utils.clear_session()  # layers are numbered from one, whatever was built before
    keras.mixed_precision.set_global_policy(precision)
    return {
        "device": _gpu_name(gpus[0]) if gpus else _processor_name(),
        "instruction_set": _instruction_set(),
        "onednn": _pywrap_util_port.IsMklEnabled(),
        "precision": precision,
        "threads": settings.threads or _processors(),
        "deterministic": settings.deterministic,
        "switches": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(SWITCHES) and name != "TF_ENABLE_ONEDNN_OPTS"  # `onednn` tells it
        },
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }


@contextmanager
def enough_memory(name: str) -> Iterator[None]:
    """Raise InputError where memory ends that a model of params.yaml works in, here or on a GPU."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise InputError(
            f"{NO_MEMORY}, or lower image_size or models.{name}.batch_size, which is "
            "train.batch_size unless the model has its own"
        ) from None


def set_seed(seed: int) -> None:
    """Decide initial weights and dropout."""
    keras.utils.set_random_seed(seed)


def _computes_in_bfloat16(gpus) -> bool:
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        return capability is not None and capability >= (8, 0)
    return (
        _pywrap_util_port.IsMklEnabled()
        and _onednn_ceiling() not in WITHOUT_BFLOAT16 | EMULATING_BFLOAT16
        and not {"avx512_bf16", "amx_bf16"}.isdisjoint(_cpuinfo("flags").split())
    )


def _onednn_ceiling() -> str:
    """Give the newest instructions that the environment lets oneDNN use, empty for any."""
    ceilings = (os.environ.get(f"{library}_MAX_CPU_ISA") for library in ("ONEDNN", "DNNL"))
    return (next(filter(None, ceilings), "") if _pywrap_util_port.IsMklEnabled() else "").lower()


def _instruction_set() -> list[str]:
    """Name what of the processor's vector instructions TensorFlow's kernels are chosen by."""
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return [name for name in INSTRUCTIONS if name in flags]


def _processors() -> int:
    """Count the processors that this process may run on: the threads that TensorFlow starts."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


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
