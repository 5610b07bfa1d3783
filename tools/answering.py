"""What the scripts share that ask somebody else's model about the slices of Testing.

    python tools/answers_from_keras.py FILE DATASET --output studies/judge/answers/NAME.csv ...

They run in the environment that `make judge` makes, and need no other part of the benchmark.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from brain_mri.errors import InputError, one_line
from brain_mri.storage import write_table

SCALES = {  # what a grey level g, 0 to 255, becomes
    "none": lambda g: g,
    "unit": lambda g: g / 255,  # 0 to 1
    # As Keras names what its applications take: -1 to 1; less the mean of ImageNet, by its spread;
    # blue, green and red, less that mean.
    "tf": lambda g: g / 127.5 - 1,
    "torch": lambda g: (g / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    "caffe": lambda g: g[..., ::-1] - [103.939, 116.779, 123.68],
}
RESAMPLING = {name.lower(): Image.Resampling[name] for name in ("NEAREST", "BILINEAR", "BICUBIC")}
BATCH = 32  # images


def parser(what: str, model: str, model_help: str) -> argparse.ArgumentParser:
    """Give a parser of what every script is asked, the `model` first."""
    made = argparse.ArgumentParser(description=what)
    made.add_argument(model, help=model_help)
    made.add_argument("dataset", type=Path, help="folder with Testing/ in it")
    made.add_argument("--output", required=True, type=Path, help="CSV to write")
    return made


def add_preprocessing(made: argparse.ArgumentParser) -> None:
    """Ask how a slice is brought to the model, and what the model's outputs are."""
    made.add_argument("--classes", required=True, help="of its outputs, in order: a,b,c,d")
    made.add_argument("--size", required=True, type=int, help="side of its images, in pixels")
    made.add_argument("--colours", required=True, choices=("grey", "rgb"))
    made.add_argument("--scale", required=True, choices=SCALES, help="of the grey levels")
    made.add_argument("--resize", default="bilinear", choices=RESAMPLING)
    made.add_argument("--channels-first", action="store_true", help="as PyTorch's models have them")
    made.add_argument("--logits", action="store_true", help="it ends before the softmax")


def slices(dataset: Path) -> list[str]:
    """List the files of Testing, by their path below the data set."""
    paths = sorted(path for path in (dataset / "Testing").glob("*/**/*") if path.is_file())
    found = [path.relative_to(dataset).as_posix() for path in paths if path.name[0] != "."]
    if not found:
        raise InputError(f"{dataset} has no file in Testing; it takes the folder of a data set")
    return found


def prepared(path: Path, options: argparse.Namespace) -> np.ndarray | None:
    """Read a slice as a model takes it, (size, size, channels), float32; None if it is no image."""
    if options.scale in ("torch", "caffe") and options.colours == "grey":
        raise InputError(f"--scale {options.scale} is of three colours; take --colours rgb")
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image = image.convert("L" if options.colours == "grey" else "RGB")
            image = image.resize((options.size, options.size), RESAMPLING[options.resize])
    except Exception:  # whatever Pillow's parsers stumble over
        return None
    pixels = np.asarray(image, np.float32).reshape(options.size, options.size, -1)
    pixels = np.asarray(SCALES[options.scale](pixels), np.float32)
    return pixels.transpose(2, 0, 1) if options.channels_first else pixels


def answer(options: argparse.Namespace, outputs: Callable[[np.ndarray], np.ndarray]) -> str:
    """Ask a model about every slice of Testing, and write what it answers.

    Parameters
    ----------
    options : Namespace
        As of :func:`parser` and :func:`add_preprocessing`.
    outputs : callable
        From images (n, size, size, channels) to (n, classes); see ``--logits``.

    Returns
    -------
    str
        A line on what was written.
    """
    classes = options.classes.split(",")
    paths, rows = slices(options.dataset), {}
    for start in tqdm(range(0, len(paths), BATCH), desc="answers", unit="batch"):
        batch = {path: prepared(options.dataset / path, options) for path in paths[start:][:BATCH]}
        batch = {path: pixels for path, pixels in batch.items() if pixels is not None}
        if not batch:
            continue
        try:
            found = np.asarray(outputs(np.stack(list(batch.values()))), float)
        except Exception as error:  # whatever a model says of a shape or a type that is not its own
            raise InputError(
                f"the model takes other images than these ({one_line(error)}); see --size, "
                "--colours and --channels-first"
            ) from None
        if found.shape != (len(batch), len(classes)):
            raise InputError(
                f"the model gives {found.shape} for {len(batch)} images, but --classes names "
                f"{len(classes)}"
            )
        rows |= dict(zip(batch, softmax(found) if options.logits else found, strict=True))
    return write(options.output, rows, classes, len(paths))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Give the probabilities of logits (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def write(output: Path, rows: dict[str, np.ndarray], classes: list[str], asked: int) -> str:
    """Write the probabilities of each path; tell of what."""
    if not rows:
        raise InputError("none of the files could be read as a JPEG or PNG image")
    table = pd.DataFrame.from_dict(rows, orient="index", columns=classes)
    sums = table.sum(axis=1)
    if (table < 0).any(axis=None) or (abs(sums - 1) > 0.005).any():
        raise InputError(
            "the model's outputs are no probabilities: they are negative or do not add up to 1; "
            "if it ends before the softmax, say --logits"
        )
    write_table(output, table.rename_axis("path").reset_index())
    left = asked - len(rows)
    return f"{len(rows)} answers in {output}" + (f", {left} files are no image" if left else "")
