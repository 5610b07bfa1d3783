"""A classifier's file with all that it holds, made in a second: an untrained model, few slices."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image

from brain_mri.data.decoding import decode
from brain_mri.data.resizing import resize
from brain_mri.data.twins import fingerprint
from brain_mri.models import building, files, runtime
from brain_mri.phantom.heads import CLASSES
from brain_mri.phantom.slices import draw_slice
from brain_mri.storage import ImageSet
from brain_mri.use.card import Card
from brain_mri.use.classifier import Classifier, as_set, remember, write
from tests.models.small import SETTINGS

SIZE, A_CLASS = 32, 3  # pixels; training slices of each class
DATASET = "data/mine"
PLANES = ("axial", "coronal", "sagittal")
LAYERS = {"activation": "relu", "dropout": 0.0, "l2": 0.0, "batch_norm": False}
FIGURES = {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}


def write_slice(path: Path, label: str, seed: int) -> Path:
    """Draw a phantom into a file."""
    pixels = draw_slice(np.random.default_rng(seed), label, PLANES[seed % 3], 96, 0.02)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def drawn(count: int, seed: int) -> list[np.ndarray]:
    """Draw slices, each of a head of its own."""
    return [
        draw_slice(np.random.default_rng([seed, n]), CLASSES[n % 4], PLANES[n % 3], 96, 0.02)
        for n in range(count)
    ]


def save(slices: list[np.ndarray], folder: Path) -> list[Path]:
    """Write slices as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place:02}.png" for place in range(len(slices))]
    for slice_, path in zip(slices, paths, strict=True):
        Image.fromarray(slice_).save(path)
    return paths


def write_corner(path: Path) -> Path:
    """Write what is like no slice: a bright corner, far from all that was trained on."""
    pixels = np.zeros((96, 96), np.uint8)
    pixels[:18, :18] = 255
    Image.fromarray(pixels).save(path)
    return path


def write_classifier(folder: Path, **changes) -> Path:
    """Write ``best.keras``, its card, and the slices in ``data/mine`` that it says it learned from.

    It answers what is less than half as far from these as a bright corner, and abstains beyond,
    unless `changes` of the card say otherwise.
    """
    sources = [f"Training/{label}/{n}.png" for label in CLASSES for n in range(A_CLASS)]
    labels = [source.split("/")[1] for source in sources]
    slices = [
        decode(write_slice(folder / DATASET / source, label, place), 10**6).pixels
        for place, (source, label) in enumerate(zip(sources, labels, strict=True))
    ]
    pixels = np.stack([resize(one, SIZE) for one in slices])
    training = ImageSet(pd.DataFrame({"source": sources, "label": labels}), (pixels,))

    runtime.configure(SimpleNamespace(**SETTINGS))
    runtime.set_seed(1)
    model = building.build("model_4", SIZE, len(CLASSES), **LAYERS)
    own = folder / "model_4.keras"
    files.save(model, own)
    known = remember(model, training, map(fingerprint, slices))
    corner = decode(write_corner(folder / "corner.png"), 10**6).pixels
    asked = as_set(resize(corner, SIZE)[np.newaxis])
    far = Classifier(model, card(), known).measure(asked)[1][0]
    made = card().model_copy(update={"farthest": float(far) / 2} | changes)
    path = folder / "best.keras"
    write(path, Classifier(model, made, known), own)
    return path


def card() -> Card:
    """Give a card that lets every answer through."""
    return Card(
        name="model_4",
        architecture="model_4",
        classes=list(CLASSES),
        healthy_class="no_tumor",
        image_size=SIZE,
        resize="pad",
        max_pixels=1_000_000,
        mirror_answers=False,
        temperature=1.0,
        threshold=0.9,
        sensitivity={
            "target": 0.99,
            "validation": 1.0,
            "testing": {"value": 0.98, "low": 0.9, "high": 1.0},
        },
        confidence=0.1,
        farthest=2.0,
        abstains={"validation": 0.01, "testing": 0.02},
        figures={"testing": FIGURES},
        trained_on={"dataset": DATASET, "images": A_CLASS * len(CLASSES)},
        code={},
        data={},
        versions={},
        members={},
    )
