"""A model in TensorFlow Lite's form, for programs that do without Keras."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout

import keras
import numpy as np
import tensorflow as tf


def in_float32(model: keras.Model) -> keras.Model:
    """Give a copy that computes in float32 throughout, with the same weights."""
    keras.config.set_dtype_policy("float32")  # which a network within a network takes
    copy = keras.Model.from_config(_of_float32(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def as_tflite(model: keras.Model) -> bytes:
    """Convert a model of float32 layers; one image at a time goes in."""
    with redirect_stdout(io.StringIO()):  # Keras lists every weight
        return tf.lite.TFLiteConverter.from_keras_model(model).convert()


def tflite_answers(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Give what asks a converted model: pixels (1, size, size, 1) to probabilities (1, classes)."""
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=2)
    interpreter.allocate_tensors()
    [takes], [gives] = interpreter.get_input_details(), interpreter.get_output_details()

    def answer(pixels: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(takes["index"], pixels)
        interpreter.invoke()
        return interpreter.get_tensor(gives["index"])

    return answer


def _of_float32(config):
    """Give a configuration with float32 for every other policy, at any depth."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config | {"config": {"name": "float32"}}
        return {
            name: "float32" if name == "dtype" and isinstance(value, str) else _of_float32(value)
            for name, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(map(_of_float32, config))
    return config
