"""The precision is one that the device computes in, and what was taken is what trains."""

from types import SimpleNamespace

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf

from brain_mri.errors import InputError
from brain_mri.models import runtime
from tests.models.small import SETTINGS


@pytest.fixture
def configure(monkeypatch):
    """Configure as if the environment set no ceiling for oneDNN."""
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)

    def configure(precision):
        return runtime.configure(SimpleNamespace(**SETTINGS | {"precision": precision}))

    yield configure
    configure("float32")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="TensorFlow can use it")
@pytest.mark.parametrize(("hidden", "is_told"), [(None, True), ("0", True), ("-1", False)])
def test_a_card_that_tensorflow_cannot_use_is_told_of(
    configure, monkeypatch, tmp_path, capsys, hidden, is_told
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    monkeypatch.setattr(runtime, "CARD", tmp_path / "version")
    configure("float32")
    assert capsys.readouterr().err == ""  # no driver, no card
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module", "utf-8")
    configure("float32")
    said = "this machine has an NVIDIA card that TensorFlow cannot use; `make gpu` installs what it"
    assert capsys.readouterr().err == (f"{said} needs\n" if is_told else "")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="asks the GPU instead")
@pytest.mark.skipif(not psutil.LINUX, reason="reads /proc/cpuinfo")
def test_auto_takes_bfloat16_exactly_where_the_processor_has_instructions_for_it(configure):
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        words = lines.read().split()
    native = "avx512_bf16" in words or "amx_bf16" in words
    native = native and configure("float32")["onednn"]  # without it, TensorFlow does not use them
    wanted = "mixed_bfloat16" if native else "float32"
    assert configure("auto")["precision"] == wanted
    assert keras.mixed_precision.global_policy().name == wanted


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="asks the GPU instead")
@pytest.mark.parametrize("library", ["ONEDNN", "DNNL"])
def test_auto_takes_float32_where_the_environment_forbids_instructions_for_bfloat16(
    configure, monkeypatch, library
):
    monkeypatch.setenv(f"{library}_MAX_CPU_ISA", "AVX512_CORE")
    assert configure("auto")["precision"] == "float32"
    assert configure("mixed_bfloat16")["precision"] == "mixed_bfloat16"  # which is emulated
    monkeypatch.setenv(f"{library}_MAX_CPU_ISA", "AVX2")
    assert configure("auto")["precision"] == "float32"
    if configure("float32")["onednn"]:
        with pytest.raises(InputError, match=r"'mixed_bfloat16', but .* on avx2"):
            configure("mixed_bfloat16")
    else:  # TensorFlow's own kernels know it, whatever oneDNN may use
        assert configure("mixed_bfloat16")["precision"] == "mixed_bfloat16"


def test_a_precision_that_is_named_is_taken_wherever_it_runs(configure):
    assert configure("mixed_bfloat16")["precision"] == "mixed_bfloat16"
    layer = keras.layers.Dense(1)
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")


@pytest.mark.parametrize(
    "ask",
    [lambda: tf.zeros((2**25, 2**25)), lambda: np.ones((2**25, 2**25))],
    ids=["TensorFlow", "NumPy"],
)
def test_a_model_that_memory_is_too_small_for_says_what_to_lower(ask):
    said = r"not enough memory; .* lower image_size or models\.model_1\.batch_size"
    with pytest.raises(InputError, match=said), runtime.enough_memory("model_1"):
        ask()


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU can do it")
def test_float16_is_refused_on_a_processor_before_any_work(configure):
    with pytest.raises(InputError, match=r"train\.precision is 'mixed_float16'.*takes auto"):
        configure("mixed_float16")
