"""A model converted to TensorFlow Lite gives the same probabilities."""

from types import SimpleNamespace

import numpy as np
import pytest

from brain_mri.models import building, exporting, files, runtime
from tests.models.small import SETTINGS


@pytest.mark.parametrize("architecture", ["model_4", "resnet"])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_converted_model_answers_as_the_original(tmp_path, architecture, precision):
    runtime.configure(SimpleNamespace(**SETTINGS | {"precision": "float32"}))
    runtime.set_seed(1)
    how = {"activation": "relu", "dropout": 0.2, "l2": 0.0, "batch_norm": False}
    model = building.build(architecture, 32, 4, **how)
    if precision != "float32":
        runtime.configure(SimpleNamespace(**SETTINGS | {"precision": precision}))
        weights, model = model.get_weights(), building.build(architecture, 32, 4, **how)
        model.set_weights(weights)
    files.save(model, tmp_path / "model.keras")
    opened = files.load(tmp_path / "model.keras")
    copy = exporting.in_float32(opened)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    pixels = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1)).astype(np.float32)
    answer = exporting.tflite_answers(exporting.as_tflite(copy))
    found = np.concatenate([answer(one[np.newaxis]) for one in pixels])
    assert found == pytest.approx(copy(pixels, training=False).numpy(), abs=1e-5)
    assert found == pytest.approx(opened(pixels, training=False).numpy(), abs=0.05)
