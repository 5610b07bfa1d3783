"""The manifest tells of every file what is in its header."""

import numpy as np
import pandas as pd
from PIL import Image

from brain_mri.data.findings import summarise
from brain_mri.data.inspection import inspect
from brain_mri.parallel import workers
from brain_mri.phantom.slices import draw_slice


def test_the_manifest_tells_what_the_header_of_every_accepted_file_holds(tmp_path):
    data = tmp_path / "data"
    pixels = np.random.default_rng(0).integers(20, 256, (40, 30), np.uint8)
    pixels[:, 15:] = 0
    for split in ("Training", "Testing"):
        (data / split / "a").mkdir(parents=True)
    Image.fromarray(pixels).save(data / "Training/a/1.jpg", qtables=[[9] * 64])
    Image.fromarray(pixels).save(data / "Training/a/2.png")
    (data / "Training/a/3.png").write_bytes(b"no image")
    with workers("local", "audit") as engine:
        found = inspect(data, ["a"], 10_000, 1, engine, tmp_path)
    header = found[["width", "height", "mode", "format", "file_bytes", "quantisation", "border"]]
    jpeg, png = ((data / "Training/a" / name).stat().st_size for name in ("1.jpg", "2.png"))
    assert header.iloc[0, :6].tolist() == [30, 40, "L", "JPEG", jpeg, 9]
    assert header.iloc[1, [0, 1, 2, 3, 4, 6]].tolist() == [30, 40, "L", "PNG", png, 0.5]
    assert pd.isna(header.iloc[1, 5])
    assert header.iloc[2].isna().all()
    assert found["accepted"].tolist() == [True, True, False]


def test_the_manifest_tells_how_an_image_is_turned_against_the_first_of_its_cluster(tmp_path):
    rngs = map(np.random.default_rng, (1, 2))
    one, other = (draw_slice(rng, "no_tumor", "axial", 128, 0.02) for rng in rngs)
    shown = {"1": np.rot90(one), "2": other, "3": one, "4": np.fliplr(np.rot90(one))}
    for split in ("Training", "Testing"):
        (tmp_path / "data" / split / "a").mkdir(parents=True)
    for name, pixels in shown.items():
        Image.fromarray(pixels).save(tmp_path / f"data/Training/a/{name}.png")
    (tmp_path / "data/Training/a/5.png").write_bytes(b"no image")
    with workers("local", "audit") as engine:
        found = inspect(tmp_path / "data", ["a"], 100_000, 1, engine, tmp_path)
    assert found["cluster"].tolist() == [0, 1, 0, 0, pd.NA]
    expected = ["upright", "upright", "rotated 270", "mirrored", ""]
    assert found["orientation"].fillna("").tolist() == expected
    table = found.assign(patient="", group=found["cluster"])
    assert summarise(table, ["a"])["turned"] == {"mirrored": 1, "rotated 270": 1}
