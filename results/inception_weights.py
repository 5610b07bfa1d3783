"""Make a file of InceptionV3's weights for the baseline of the real runs, from an npm package.

nsfwjs (MIT) holds an InceptionV3 whose convolutions descend from ImageNet's: it was trained on, on
five kinds of photographs, and is stored in 8 bits per weight. ImageNet's own weights are a download
of Keras (`weights: imagenet`), for which there was no network here. From the project's root:

    npm pack nsfwjs@4.3.0
    python results/inception_weights.py nsfwjs-4.3.0.tgz models/nsfwjs.weights.h5
"""

import base64
import hashlib
import re
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import keras
import numpy as np

SHA256 = "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"
FOLDER = "package/dist/models/inception_v3"
WEIGHT = re.compile(
    r'\{name:"([^"]+)",shape:\[([\d,]*)\],dtype:"float32",'
    r'quantization:\{min:([-\d.e]+),scale:([-\d.e]+),dtype:"uint8"\}\}'
)


def main(package: Path, output: Path) -> None:
    """Read the package, and write the weights of Keras's InceptionV3 without its top."""
    if hashlib.sha256(package.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{package} is not nsfwjs 4.3.0 as npm has it")
    weights = read(package)
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(75, 75, 3), pooling="avg"
    )
    for kind, layer_kind in (
        ("conv2d", keras.layers.Conv2D),
        ("batch_normalization", keras.layers.BatchNormalization),
    ):
        layers = [layer for layer in model.layers if isinstance(layer, layer_kind)]
        for number, layer in enumerate(sorted(layers, key=_number), start=1):
            names = [weight.name for weight in layer.weights]
            layer.set_weights([weights.pop(f"{kind}_{number}/{name}") for name in names])
    if left := [name for name in weights if not name.startswith("dense")]:
        sys.exit(f"{package} has weights that InceptionV3 has no place for: {', '.join(left)}")
    _take_input_from_minus_one(model)
    aside = output.with_name(f".{output.name}")  # Keras insists on how the name ends
    model.save_weights(aside)
    aside.replace(output)


def read(package: Path) -> dict[str, np.ndarray]:
    """Read every weight of the package's InceptionV3, by its name there."""
    with tarfile.open(package) as archive:

        def text(name):
            return archive.extractfile(f"{FOLDER}/{name}.min.js").read().decode()

        shards = (
            re.search(r'"([\w+/=]{1000,})"', text(f"group1-shard{n}of6")) for n in range(1, 7)
        )
        numbers = np.frombuffer(b"".join(base64.b64decode(each[1]) for each in shards), np.uint8)
        manifest = WEIGHT.findall(text("model"))
    weights, start = {}, 0
    for name, sides, least, scale in manifest:
        shape = [int(side) for side in sides.split(",")]
        count = int(np.prod(shape))
        stored = numbers[start : start + count].reshape(shape)
        weights[name] = (stored * np.float64(scale) + np.float64(least)).astype(np.float32)
        start += count
    if start != len(numbers):
        sys.exit(f"{package} lists {start} weights, but has {len(numbers)}")
    return weights


def _number(layer: keras.Layer) -> int:
    return int(layer.name.rpartition("_")[2]) if layer.name[-1].isdigit() else 0


def _take_input_from_minus_one(model: keras.Model) -> None:
    """Fold the range of the input into the first layer: it saw 0 to 1, and is given -1 to 1."""
    convolution, normalisation = model.layers[1:3]
    kernel = convolution.kernel.numpy() / 2
    convolution.kernel.assign(kernel)
    normalisation.moving_mean.assign_sub(kernel.sum(axis=(0, 1, 2)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
