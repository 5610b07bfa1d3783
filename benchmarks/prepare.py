"""The stage prepare against nothing but Pillow, that decodes and resizes the same files."""

import multiprocessing
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from clones import set_parameters
from PIL import Image
from training import settings
from turns import ROOT, run, write_here

ROUNDS = 5
SIZE = 64  # as in params.yaml


def main() -> None:
    """Audit the data set, then run both in turn on all cores."""
    dataset = Path(sys.argv[1]).resolve()
    if len(sys.argv) > 2:
        decode_and_resize(dataset, Path(sys.argv[2]))
        return
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "params.yaml", folder)
        set_parameters(folder, patients=None)
        stages = {"PYTHONPATH": str(ROOT)}
        python = (sys.executable, "-m")
        run(
            [
                *(*python, "stages.audit", dataset, "--manifest", "manifest.csv"),
                *("--patients", "patients.csv", "--reports", "reports"),
            ],
            folder,
            **stages,
        )
        ways = {
            "prepare": [
                *(*python, "stages.prepare", dataset, "--manifest", "manifest.csv"),
                *("--output", "prepared", "--reports", "reports"),
            ],
            "pillow": [sys.executable, __file__, dataset, folder / "images.npy"],
        }
        for number in range(ROUNDS):
            for way, command in ways.items():
                seconds, _ = run(command, folder, **stages)
                rows.append({"round": number, "way": way, "seconds": round(seconds, 2)})
                print(rows[-1], file=sys.stderr)
    from brain_mri.models import runtime  # TensorFlow, which bare Pillow is not to wait for

    write_here("prepare", pd.DataFrame(rows), runtime.configure(settings("model_1")))


def decode_and_resize(dataset: Path, output: Path) -> None:
    """Do it as one would in a notebook, in one process per core."""
    files = sorted(dataset.rglob("*.jpg"))
    with multiprocessing.Pool() as pool:
        images = list(pool.imap(partial(thumbnail, size=SIZE), files, chunksize=16))
    np.save(output, np.stack(images))


def thumbnail(path: Path, size: int) -> np.ndarray:
    """Decode a file to grey and resize it."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((size, size), Image.Resampling.BICUBIC))


if __name__ == "__main__":
    main()
