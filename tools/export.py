"""Write the recommended model as a TFLite file, and compare what both answer.

From the project's root, after `dvc repro`; nothing more has to be installed:

    python tools/export.py models/best.keras best.tflite data/prepared/test

The file takes pixels (1, size, size, 1), float32 from 0 to 255, and gives the model's probabilities
as they are before the card's temperature. It computes in float32, also where Keras's model computes
in bfloat16: that model is compared in float32, and how far its own rounding takes it is shown.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np

from brain_mri.console import ends_in_a_sentence
from brain_mri.errors import InputError
from brain_mri.models import exporting, files
from brain_mri.models.inference import forward
from brain_mri.storage import read_images, written_aside

MOST = 200  # images compared
CLOSE = 1e-3  # probabilities that may differ


def main() -> None:
    """Read a model and an image set; write the TFLite file, unless it answers otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="models/best.keras")
    parser.add_argument("output", type=Path, help="file to write")
    parser.add_argument("images", type=Path, help="image set to compare on: data/prepared/test")
    arguments = parser.parse_args()

    with ends_in_a_sentence("export"):
        model = files.load(arguments.model)
        images = read_images(arguments.images, size=model.input_shape[1])
        pixels = images.images(range(min(MOST, len(images))))
        in_float32 = exporting.in_float32(model)
        content = exporting.as_tflite(in_float32)
        asked = exporting.tflite_answers(content)
        own, _ = _answers(forward(model, end=model.output), pixels)
        wanted, keras_rate = _answers(forward(in_float32, end=in_float32.output), pixels)
        found, lite_rate = _answers(lambda x: asked(x[..., np.newaxis].astype(np.float32)), pixels)
        difference = np.abs(found - wanted).max()
        if difference > CLOSE:
            raise InputError(f"it would answer otherwise, by up to {difference:.2g}: not written")
        with written_aside(arguments.output) as aside:
            aside.write_bytes(content)
        print(
            f"{arguments.output}: {len(content) / 1e6:.1f} MB, Keras "
            f"{arguments.model.stat().st_size / 1e6:.1f} MB; on {len(pixels)} slices, one at a "
            f"time, {lite_rate:.0f} and {keras_rate:.0f} images/s; probabilities differ by "
            f"{difference:.1e} at most, bfloat16's rounding by {np.abs(own - wanted).max():.1e}"
        )


def _answers(answer: Callable, pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the probabilities of every image, asked one by one, and images per second."""
    answer(pixels[:1])  # the first one takes longer
    start = perf_counter()
    found = np.concatenate([np.asarray(answer(image[np.newaxis])) for image in pixels])
    return found, len(pixels) / (perf_counter() - start)


if __name__ == "__main__":
    main()
