"""What the tests of training share: a few images of two classes, and settings that fit them."""

import os

import numpy as np
import pandas as pd
import pytest

from brain_mri.models import runtime
from brain_mri.models.examples import Examples
from brain_mri.params import Augment
from brain_mri.storage import read_images, write_images

CLASSES = ["dark", "bright"]
computes_in_bfloat16 = pytest.mark.skipif(
    os.environ.get("ONEDNN_MAX_CPU_ISA", "").lower() in runtime.WITHOUT_BFLOAT16,
    reason="the environment keeps oneDNN from bfloat16",
)
SETTINGS = {
    "architecture": "model_4",
    "precision": "float32",
    "deterministic": True,
    "threads": 0,
    "devices": 0,
    "key": "train.{}".format,
    "epochs": 3,
    "steps_per_epoch": 0,
    "batch_size": 8,
    "learning_rate": 0.001,
    "optimizer": "adam",
    "schedule": "constant",
    "early_stopping": 0,
    "keep": "best",
    "weight_decay": 0.0,
    "warmup": 0.0,
    "label_smoothing": 0.0,
    "augment": Augment(),
    "backbone_rate": 1.0,
    "fine_tune_layers": 0,
    "fine_tune_epochs": 0,
}


def write_examples(folder, count, noise, brighter, weights=1.0):
    """Write noisy images of 32 x 32 pixels, every other one with a brighter middle."""
    labels = np.arange(count) % 2
    images = np.random.default_rng(0).integers(0, noise, (count, 32, 32), np.uint8)
    images[labels == 1, 10:22, 10:22] += brighter
    index = pd.DataFrame(
        {
            "source": [f"{n}.jpg" for n in range(count)],
            "label": np.array(CLASSES)[labels],
            "group": range(count),
            "patient": "",
            "weight": weights,
            "transform": "",
            "twin": False,
            "same_patient": False,
        }
    )
    write_images(folder, index, iter(images), shard_mb=1)
    return Examples.of(read_images(folder), CLASSES)
