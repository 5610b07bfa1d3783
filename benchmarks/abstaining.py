"""Ask the recommended model what is no brain slice, or a slice as no scanner stores it.

From the project's root, after `dvc repro`; it takes a minute, and what it finds stands in
benchmarks/readings/abstaining.csv, under the name given:

    python benchmarks/abstaining.py phantom models/best.keras data/prepared/test
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import matplotlib.cbook
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_digits, load_sample_images

from brain_mri.data.resizing import resize
from brain_mri.data.twins import ORIENTATIONS, turned
from brain_mri.storage import read_images
from brain_mri.use import classifier

COUNT, SIDE = 100, 256  # of each kind, and pixels
READINGS = Path(__file__).parent / "readings/abstaining.csv"


def main() -> None:
    """Ask each kind; write the share that is answered, before and after the rules of abstaining."""
    name, path, testing = sys.argv[1:]
    found = classifier.read(path)
    images = read_images(testing)
    slices = list(images.images(range(len(images))))
    generator = np.random.default_rng(1)
    rows = []
    for kind, pixels in kinds(slices, generator).items():
        asked = np.stack([resize(one, found.card.image_size) for one in pixels])
        probabilities, distance, _ = found.measure(classifier.as_set(asked))
        reasons = found.reasons(probabilities, distance)
        rows.append(
            {
                "set": name,
                "kind": kind,
                "images": len(asked),
                "confident": np.mean(probabilities.max(axis=1) >= found.card.confidence),
                "answered": np.mean(reasons == ""),
            }
        )
    table = pd.DataFrame(rows)
    if READINGS.exists():
        others = pd.read_csv(READINGS)
        table = pd.concat([others[others["set"] != name], table])
    table.round(4).to_csv(READINGS, index=False, lineterminator="\n")
    print(table.to_string(index=False))


def kinds(slices: list[np.ndarray], generator: np.random.Generator) -> dict[str, list]:
    """Give what is asked, by kind: slices as they are and changed, then what is no slice."""
    place = {name: number for number, name in enumerate(ORIENTATIONS)}
    found = {"slices of Testing": slices}
    for name in ("mirrored", "flipped", "rotated 90", "rotated 180"):
        found[f"slices, {name}"] = [turned(one, place[name]).copy() for one in slices]
    found["slices, grey levels inverted"] = [255 - one for one in slices]
    found["photographs"] = photographs(generator)
    found["digits"] = [np.uint8(np.clip(one * 16, 0, 255)) for one in load_digits().images[:COUNT]]
    found["noise"] = [noise(generator) for _ in range(COUNT)]
    for organ in (chest, hand, abdomen):
        found[f"drawn: {organ.__name__}"] = [
            worn(organ(generator), generator) for _ in range(COUNT)
        ]
    return found


def photographs(generator: np.random.Generator) -> list[np.ndarray]:
    """Cut grey squares from the photographs that scikit-learn and Matplotlib come with."""
    whole = [*load_sample_images().images]
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        whole.append(np.asarray(Image.open(file)))
    cuts = []
    for number in range(COUNT):
        grey = np.asarray(Image.fromarray(whole[number % len(whole)]).convert("L"))
        y, x = (generator.integers(0, side - SIDE + 1) for side in grey.shape)
        cuts.append(grey[y : y + SIDE, x : x + SIDE])
    return cuts


def noise(generator: np.random.Generator) -> np.ndarray:
    """Give noise of a random grain."""
    image = Image.fromarray(generator.integers(0, 256, (SIDE, SIDE), np.uint8))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(generator.uniform(0, 6))), float)
    low, high = blurred.min(), blurred.max()
    return np.uint8((blurred - low) * (255 / (high - low)))


def chest(generator: np.random.Generator) -> Image.Image:
    """Draw a slice through a chest: two lungs, the spine, ribs, a heart."""
    image, draw, jitter = _canvas(generator)
    draw.ellipse(jitter(20, 55, 236, 205), fill=150)
    for left, right in ((40, 120), (136, 216)):
        draw.ellipse(jitter(left, 75, right, 185), fill=15)
    draw.ellipse(jitter(95, 85, 165, 145), fill=190)
    draw.ellipse(jitter(115, 160, 142, 190), fill=235)
    for x in range(30, 230, 28):
        draw.ellipse(jitter(x, 60, x + 8, 68), fill=240)
    return image


def hand(generator: np.random.Generator) -> Image.Image:
    """Draw the bones of a hand."""
    image, draw, jitter = _canvas(generator)
    for finger in range(5):
        x = 50 + finger * 34
        for y in range(40, 190, 40):
            draw.rounded_rectangle(jitter(x, y, x + 14, y + 32), 6, fill=200)
    for x in range(60, 190, 26):
        draw.ellipse(jitter(x, 200, x + 20, 222), fill=210)
    return image


def abdomen(generator: np.random.Generator) -> Image.Image:
    """Draw a slice through an abdomen: liver, kidneys, spine, bowel."""
    image, draw, jitter = _canvas(generator)
    draw.ellipse(jitter(15, 50, 241, 210), fill=90)
    draw.ellipse(jitter(28, 70, 140, 165), fill=150)
    for left in (70, 160):
        draw.ellipse(jitter(left, 150, left + 28, 190), fill=200)
    draw.ellipse(jitter(113, 165, 143, 195), fill=230)
    for x in range(130, 220, 22):
        draw.ellipse(jitter(x, 85, x + 18, 105), fill=int(generator.integers(40, 210)))
    return image


def worn(image: Image.Image, generator: np.random.Generator) -> np.ndarray:
    """Blur a drawing a little and add noise, as a scanner would."""
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(2)), float)
    return np.uint8(np.clip(soft + generator.normal(0, 6, soft.shape), 0, 255))


def _canvas(generator: np.random.Generator):
    image = Image.new("L", (SIDE, SIDE))

    def jitter(*box):
        moved = np.array(box) + generator.integers(-6, 7, 4)
        return [*np.minimum(moved[:2], moved[2:]), *np.maximum(moved[:2], moved[2:])]

    return image, ImageDraw.Draw(image), jitter


if __name__ == "__main__":
    main()
