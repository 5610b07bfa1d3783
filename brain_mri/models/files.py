"""Model files: written in a canonical form, checked before they are used."""

import json
import math
import zipfile
from pathlib import Path

import keras
import pandas as pd

from brain_mri.errors import InputError, one_line
from brain_mri.storage import written_aside

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold


def save(model: keras.Model, path: str | Path) -> None:
    """Write a `.keras` file whose bytes depend on the model alone.

    Keras notes when a file was saved and the address of shared objects; both are left out.
    """
    with written_aside(path) as aside:
        model.save(aside)
        with zipfile.ZipFile(aside) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"]) | {"date_saved": ""}
        members["metadata.json"] = json.dumps(metadata, sort_keys=True).encode()
        config = _without(json.loads(members["config.json"]), "shared_object_id")
        members["config.json"] = json.dumps(config, sort_keys=True).encode()
        with zipfile.ZipFile(aside, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content)


def load(path: str | Path) -> keras.Model:
    """Open a model file; no code in it is run.

    Raises
    ------
    InputError
        If it is no Keras model, or was damaged.
    """
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever Keras, h5py or zipfile stumbles over
        raise InputError(
            f"{path} is no model that can be opened ({one_line(error)}); "
            "run `dvc repro --force` to make it again"
        ) from None


def require_shape(model: keras.Model, size: int, classes: int, path: str | Path) -> None:
    """Raise InputError unless a model takes images of a size and tells that many classes."""
    takes, gives = model.input_shape[1:], model.output_shape[1:]
    if takes != (size, size, 1) or gives != (classes,):
        raise InputError(
            f"{path} takes {takes} and gives {gives}, but the images are {(size, size, 1)} and the "
            f"classes {classes}; run `dvc repro` to train it anew"
        )


def count_parameters(model: keras.Model) -> dict:
    """Count the weights: all, and those that are trained."""
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return {"total": model.count_params(), "trainable": trainable}


def layer_table(model: keras.Model) -> pd.DataFrame:
    """List the layers: ``name``, ``kind``, ``shape`` of the output, ``parameters``."""

    def shape(layer: keras.Layer) -> str:
        return "x".join("?" if side is None else str(side) for side in layer.output.shape[1:])

    rows = [
        (layer.name, type(layer).__name__, shape(layer), layer.count_params())
        for layer in model.layers
    ]
    return pd.DataFrame(rows, columns=["name", "kind", "shape", "parameters"])


def _without(content, key):
    """Give JSON content without a key, at any depth."""
    if isinstance(content, dict):
        return {name: _without(value, key) for name, value in content.items() if name != key}
    if isinstance(content, list):
        return [_without(value, key) for value in content]
    return content
