"""The user's own settings of Keras and TensorFlow change no result, or are recorded with it."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.models.small import CLASSES, write_examples

ROOT = Path(__file__).parent.parent.parent
TRAIN = ("stages.train", "model_4", "--activation", "relu", "--training", "set")
TRAIN += ("--validation", "set", "--model", "model.keras", "--reports", "reports")
# The environment of a user who has set nothing.
UNSET = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("KERAS_", "TF_", "XLA_", "ONEDNN_", "DNNL_"))
}
SETTINGS = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float64"}
SETTINGS |= {"epsilon": 0.1, "nnx_enabled": True}


def run(folder, home, *command, **variables):
    """Run Python in a folder, with a home and an environment; give what it printed."""
    homes = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=UNSET | homes | variables,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout


def write_settings(home):
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text(json.dumps(SETTINGS), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give what trains a model with a home and an environment: to its bytes and its record."""
    folder = tmp_path_factory.mktemp("trained")
    write_examples(folder / "set", 42, noise=80, brighter=120)
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    content |= {"classes": CLASSES, "healthy_class": None, "image_size": 32}
    content["train"] |= {"epochs": 1, "batch_size": 8}
    content["models"] = {"model_4": {"architecture": "model_4", "data": "none"}}
    YAML().dump(content, folder / "params.yaml")

    def trained(home, **variables):
        run(folder, home, "-m", *TRAIN, **variables)
        record = folder / "reports/training/model_4.json"
        return [(folder / "model.keras").read_bytes(), record.read_bytes()]

    return trained


def test_settings_in_the_home_and_the_environment_change_nothing(trained, tmp_path):
    for name in ("plain", "own"):
        (tmp_path / name).mkdir()
    plain = trained(tmp_path / "plain")
    assert not (tmp_path / "plain/.keras").exists()  # nothing of Keras is written there
    write_settings(tmp_path / "own")
    own = {"KERAS_BACKEND": "torch", "KERAS_MAX_EPOCHS": "x", "KERAS_NNX_ENABLED": "1"}
    own |= {"TF_USE_LEGACY_KERAS": "1", "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1"}
    own |= {"TF_NUM_INTRAOP_THREADS": "1"}
    assert trained(tmp_path / "own", **own) == plain
    assert json.loads((tmp_path / "own/.keras/keras.json").read_text()) == SETTINGS


def test_what_can_change_a_result_is_recorded(tmp_path):
    ask = """
import json
from types import SimpleNamespace
from brain_mri.models import runtime
settings = SimpleNamespace(
    architecture="model_1", precision="auto", deterministic=True, threads=0
)
print(json.dumps(runtime.configure(settings)))
"""
    switches = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"}
    switches |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}
    others = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_VAR_password": "secret", "OMP_NUM_THREADS": "1"}
    others |= {"TF_ENABLE_ONEDNN_OPTS": "0"}
    taken = json.loads(run(tmp_path, tmp_path, "-c", ask, **switches, **others))
    assert taken["switches"] == switches
    assert taken["onednn"] is False  # as TensorFlow has it, by the variable
    if platform.machine() in ("x86_64", "AMD64"):  # unless the user says so, on all of these
        assert json.loads(run(tmp_path, tmp_path, "-c", ask))["onednn"] is True


def test_damaged_settings_stop_nothing_and_weights_are_kept_where_the_user_says(tmp_path):
    home = tmp_path / "keras"
    (home / "keras.json").mkdir(parents=True)
    ask = (
        "import brain_mri.models, keras.src.backend.config as c; print(c.floatx(), c.keras_home())"
    )
    assert run(tmp_path, tmp_path, "-c", ask, KERAS_HOME=str(home)) == f"float32 {home}\n"
