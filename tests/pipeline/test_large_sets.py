"""A set larger than memory is prepared and trained, and an epoch mixes all of it."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy.stats import spearmanr

from brain_mri import params
from brain_mri.models import building, runtime, training
from brain_mri.models.examples import Examples
from brain_mri.phantom.slices import draw_slice
from brain_mri.storage import ImageSet, read_images, write_images, write_table
from tests.conftest import ROOT
from tests.models.small import SETTINGS

if sys.platform == "linux":  # RLIMIT_DATA and /proc are Linux's
    BENCHMARK = runpy.run_path(str(ROOT / "benchmarks/large_set.py"))
    measure = BENCHMARK["measure"]
SIDE, COUNT = 256, 9200  # pixels and images of the large set: 600 MB
# Than for a small set, that a stage may need for the large one. TensorFlow's own need differs by
# 150 MB from run to run, and by more where a machine has it take other kernels.
MORE_MB = 400


def write_set(folder: Path, count: int) -> None:
    """Write a data set with a manifest, a tenth of it Testing, and the parameters for it."""
    classes = params.load(ROOT / "params.yaml").classes
    folder.mkdir()
    image = draw_slice(np.random.default_rng(0), "no_tumor", "axial", 128, 0.02)
    Image.fromarray(image).save(folder / "one.jpg")
    paths = [
        f"{'Testing' if n % 10 == 0 else 'Training'}/{classes[n // 10 % 4]}/{n:05}.jpg"
        for n in range(count)
    ]
    for path in paths:
        (folder / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / path).hardlink_to(folder / "one.jpg")
    split, label, _ = zip(*(path.split("/") for path in paths), strict=True)
    manifest = {"path": paths, "split": split, "class": label, "sha256": "", "pixels_sha256": ""}
    manifest |= {"width": SIDE, "height": SIDE, "mode": "L", "format": "JPEG", "file_bytes": 9}
    manifest |= {"quantisation": 1, "border": 0, "cluster": range(count), "patient": ""}
    manifest |= {"group": range(count), "accepted": True, "reason": ""}
    write_table(folder / "manifest.csv", pd.DataFrame(manifest).sort_values("path"))
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    parameters |= {"image_size": SIDE, "shard_mb": 16}
    parameters["prepare"]["validation"] = 0.02
    # A few updates, of images from all of the set; what more there are needs no more memory.
    parameters["models"]["model_4"] |= {"epochs": 1, "batch_size": 4, "steps_per_epoch": 20}
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters), encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is Linux's")
def test_a_set_of_600_mb_needs_little_more_memory_than_a_small_one(tmp_path):
    """Under a limit that the kernel keeps, and that to load the set would break."""
    small, large = tmp_path / "small", tmp_path / "large"
    write_set(small, 80)
    write_set(large, COUNT)

    def allowed(*command):
        return measure(command, small, 10_000)["data_mb"] + MORE_MB

    for stage in ("prepare", "balance", "train"):
        command = ["-m", *f"stages.{BENCHMARK['STAGES'][stage]}".split()]
        measure(command, large, allowed(*command))
    load = "from brain_mri.storage import read_images; a = read_images('balanced');"
    load += "a = a.images(range(len(a))); import time; time.sleep(1)"
    with pytest.raises(SystemExit):
        measure(["-c", load], large, allowed("-c", load))


class Recorded(ImageSet):
    """An image set that notes what was read of it."""

    def images(self, rows):
        self.batches.append(np.array(rows))
        return super().images(rows)

    batches: ClassVar[list] = []


def test_an_epoch_mixes_the_shards_of_a_set_as_chance_would(tmp_path):
    count, size, batch_size = 4000, 32, 32
    index = pd.DataFrame(
        {"source": [f"{n}.jpg" for n in range(count)], "label": "a", "group": range(count)}
        | {"patient": "", "weight": 1.0, "transform": "", "twin": False, "same_patient": False}
    )
    noise = np.random.default_rng(0).integers(0, 256, (count, size, size), np.uint8)
    write_images(tmp_path / "set", index, iter(noise), shard_mb=1)
    stored = read_images(tmp_path / "set")
    assert len(stored.shards) == 5
    shard = np.repeat(np.arange(5), [len(shard) for shard in stored.shards])

    settings = SimpleNamespace(**SETTINGS | {"epochs": 2, "batch_size": batch_size})
    runtime.configure(settings)
    runtime.set_seed(1)
    model = building.build(
        "model_4", size, 2, activation="relu", dropout=0.0, l2=0.0, batch_norm=False
    )
    recorded = Recorded(stored.index, stored.shards)
    examples = Examples.of(recorded, ["a", "b"])
    few = ImageSet(stored.index[:8], (stored.shards[0][:8],))
    training.fit(model, examples, Examples.of(few, ["a", "b"]), settings, seed=1)
    _, *batches = recorded.batches  # the first is the probe's
    assert len(batches) == 2 * -(-count // batch_size)
    epochs = np.split(np.concatenate(batches), 2)

    # Where chance alone decides, a rank correlation has a standard deviation of 1 / sqrt(count).
    for one, other in [*((epoch, np.arange(count)) for epoch in epochs), epochs]:
        assert sorted(one) == list(range(count))
        assert abs(spearmanr(one, other).statistic) < 4 / np.sqrt(count)
    # The share of pairs in a batch that are from one shard; read shard by shard, it would be 1.
    sizes = np.bincount(shard)
    chance = (sizes * (sizes - 1)).sum() / (count * (count - 1))
    of_one = [
        (np.bincount(shard[batch]) ** 2).sum() - len(batch)
        for batch in batches
        if len(batch) == batch_size
    ]
    assert np.mean(of_one) / (batch_size * (batch_size - 1)) == pytest.approx(chance, rel=0.03)
