"""Synthetic head MRI: the embedded data set.

A slice is made as the Shepp-Logan phantom is, by painting ellipses of tissue over one another.
What makes it a head is random: pose, a smooth warp, the folding of the cortex, the mass effect
of a tumour, the contrast of the tissues, coil shading and Rician noise. Lengths are in head units,
as in ``anatomy``.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from brain_mri.errors import InputError
from brain_mri.phantom.anatomy import SIGNAL, VIEWS, Ellipse
from brain_mri.storage import write_table, written_aside

# Images of each class in the real set; a phantom of any size keeps these proportions.
REAL_COUNTS = {
    "Training": {
        "glioma_tumor": 826,
        "meningioma_tumor": 822,
        "no_tumor": 395,
        "pituitary_tumor": 827,
    },
    "Testing": {
        "glioma_tumor": 100,
        "meningioma_tumor": 115,
        "no_tumor": 105,
        "pituitary_tumor": 74,
    },
}


class Mass(NamedTuple):
    """Where a tumour sits, and its nominal radius."""

    x: float
    y: float
    radius: float


def draw_slice(
    rng: np.random.Generator, label: str, plane: str, size: int, noise: float
) -> np.ndarray:
    """Draw one slice of a head.

    Parameters
    ----------
    rng : numpy.random.Generator
        The head, its tumour and the scanner follow from it.
    label : {"glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"}
    plane : {"axial", "coronal", "sagittal"}
    size : int
        Side of the image, in pixels.
    noise : float
        Standard deviation of the noise in each of the receiver's two channels, of which a
        scanner has half to one and a half times as much; 1 is white.

    Returns
    -------
    ndarray (size, size), uint8
    """
    # A pituitary tumour shows at the level of the sella alone, the other classes at both levels.
    level = 0 if label == "pituitary_tumor" else rng.integers(2)
    anatomy = [_individual(rng, ellipse) for ellipse in VIEWS[plane][level]]
    signal = {tissue: typical * rng.normal(1, 0.04) for tissue, typical in SIGNAL.items()}
    signal["white"] = signal["grey"] + rng.uniform(0.03, 0.12)
    x, y = _head_coordinates(rng, size)
    if label == "no_tumor":
        image = _paint_anatomy(rng, anatomy, x, y, signal)
    else:
        inside = _depth(anatomy, {"csf", "cortex", "cerebellum"}, x, y)
        mass = _place(rng, label, anatomy, x, y, inside)
        # Mass effect: the brain yields to the tumour, the skull does not.
        distance = np.hypot(x - mass.x, y - mass.y)
        shift = rng.uniform(0.3, 0.6) * np.exp(-((distance / mass.radius / 1.7) ** 2))
        shift *= np.clip(inside / 0.1, 0, 1)
        image = _paint_anatomy(
            rng, anatomy, x - shift * (x - mass.x), y - shift * (y - mass.y), signal
        )
        grow = {
            "glioma_tumor": _paint_glioma,
            "meningioma_tumor": _paint_meningioma,
            "pituitary_tumor": _paint_pituitary,
        }[label]
        # Distances from its centre are in radii.
        image = grow(rng, image, mass.radius, distance / mass.radius, inside, signal)
    return _scan(rng, image, noise)


def _individual(rng, ellipse: Ellipse) -> Ellipse:
    """Vary an ellipse between people; head and brain vary by the pose and the warp."""
    if max(ellipse.rx, ellipse.ry) > 0.3:
        return ellipse
    width, height = np.exp(rng.normal(0, 0.12, 2))
    return ellipse._replace(rx=ellipse.rx * width, ry=ellipse.ry * height)


def _field(rng, size: int, bumps: int) -> np.ndarray:
    """Return a smooth random image of mean 0 and variance 1, about `bumps` bumps to a side."""
    knots = rng.standard_normal((bumps + 2, bumps + 2)).astype(np.float32)
    inner = (1, 1, bumps + 1, bumps + 1)
    field = Image.fromarray(knots).resize((size, size), Image.Resampling.BICUBIC, box=inner)
    # In float64, since processors differ in the last digit of float32's exp, which can be seen.
    field = np.asarray(field, float)
    return (field - np.mean(field)) / np.std(field)


def _head_coordinates(rng, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the x and y of each pixel in head units: field of view, pose and shape of a head."""
    axis = ((np.arange(size) + 0.5) / size * 2 - 1) * rng.uniform(1.0, 1.12)
    column, row = np.meshgrid(axis, axis)
    angle = rng.normal(0, np.radians(4))
    x = column * np.cos(angle) - row * np.sin(angle)
    y = column * np.sin(angle) + row * np.cos(angle)
    return tuple(
        along * rng.normal(1, 0.03) + rng.normal(0, 0.04) + 0.02 * _field(rng, size, 3)
        for along in (x, y)
    )


def _depth(anatomy: list[Ellipse], tissues: set[str], x, y) -> np.ndarray:
    """Return how far points lie inside the union of some tissues."""
    return np.max([e.depth(x, y) for e in anatomy if e.tissue in tissues], axis=0)


def _paint(image, depth, value, edge: float = 1) -> np.ndarray:
    """Return the image with `value` where `depth` is positive, over an edge of so many pixels."""
    edge = edge * 2.1 / len(depth)  # a field of view is about 2.1 wide
    return image + np.clip(0.5 + depth / edge, 0, 1) * (value - image)


def _paint_anatomy(rng, anatomy: list[Ellipse], x, y, signal: dict[str, float]) -> np.ndarray:
    """Return the slice before it is scanned, without a tumour."""
    size = len(x)
    depth = _depth(anatomy, {"cortex"}, x, y)
    # Gyri: grey matter lines the surface and the sulci, which follow the zeros of a random field
    # and end in the depth.
    from_sulcus = 0.05 * np.abs(_field(rng, size, 20)) + 0.12 * np.maximum(depth - 0.1, 0)
    from_grey = np.minimum(depth, from_sulcus) - 0.025
    cortex = _paint(signal["grey"], from_grey, signal["white"], edge=2)
    sulci = rng.uniform(0.002, 0.02) - from_sulcus - 0.05 * depth
    cortex = _paint(cortex, sulci, signal["csf"], edge=2)
    folia = np.sin(55 * np.hypot(x, y) + 3 * _field(rng, size, 12))
    mottle = _field(rng, size, 24)
    textures = {
        "cortex": cortex,
        "cerebellum": signal["grey"] + 0.04 * folia,
        "soft": np.clip(signal["muscle"] * (1 + 0.3 * mottle), signal["bone"], signal["fat"]),
    }
    image = np.full_like(x, signal["air"])
    for ellipse in anatomy:
        value = textures.get(ellipse.tissue, signal.get(ellipse.tissue))
        image = _paint(image, ellipse.depth(x, y), value)
    return image


def _place(rng, label: str, anatomy: list[Ellipse], x, y, inside) -> Mass:
    """Choose a place and a size as the kind of tumour has them."""
    sella = next((e for e in anatomy if e.tissue == "pituitary"), None)
    if label == "pituitary_tumor":  # fills the sella and rises above it
        radius = rng.uniform(0.13, 0.20)
        return Mass(sella.x, sella.y - 0.4 * radius, radius)
    if label == "glioma_tumor":  # within the brain
        radius = rng.uniform(0.20, 0.32)
        places = _depth(anatomy, {"cortex"}, x, y) > 0.12
    else:  # on the dura, most of it bulging into the brain; the convexity is the commonest site
        radius = rng.uniform(0.18, 0.29)
        places = (np.abs(inside / radius - 0.6) < 0.2) & (y < 0.2)
    if sella:  # what lies there is told from a pituitary tumour by histology alone
        places &= np.hypot(x - sella.x, y - sella.y) > 0.35
    row, column = rng.choice(np.argwhere(places))
    return Mass(x[row, column], y[row, column], radius)


def _paint_glioma(rng, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a dark core in an uneven bright ring, and oedema around it."""
    size = len(image)
    spread = (rng.uniform(1.3, 1.9) - r * np.exp(0.25 * _field(rng, size, 8))) * radius
    image = _paint(image, np.minimum(spread, inside), signal["oedema"], edge=6)
    r = r * np.exp(0.18 * _field(rng, size, 10))
    enhancement = rng.uniform(0.75, 1.0) * (1 + 0.15 * _field(rng, size, 16))
    image = _paint(image, np.minimum((1 - r) * radius, inside), enhancement, edge=2)
    core = rng.uniform(0.5, 0.75) - r * np.exp(0.15 * _field(rng, size, 12))
    return _paint(image, np.minimum(core * radius, inside), signal["necrosis"], edge=2)


def _paint_meningioma(rng, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a round, even mass on the dura: a cleft of CSF towards the brain, a dural tail."""
    size = len(image)
    r = r * np.exp(0.05 * _field(rng, size, 8))
    enhancement = rng.uniform(0.75, 0.95) * (1 + 0.07 * _field(rng, size, 16))
    image = _paint(image, np.minimum((1.1 - r) * radius, inside), signal["csf"], edge=2)
    tail = np.minimum(0.012 - np.abs(inside), (1.35 - r) * radius)
    body = np.minimum((1 - r) * radius, inside + 0.012)
    return _paint(image, np.maximum(body, tail), enhancement)


def _paint_pituitary(rng, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a smooth, fairly even mass."""
    r = r * np.exp(0.1 * _field(rng, len(image), 10))
    enhancement = rng.uniform(0.75, 0.95) * (1 + 0.07 * _field(rng, len(image), 16))
    return _paint(image, (1 - r) * radius, enhancement)


def _scan(rng, image: np.ndarray, noise: float) -> np.ndarray:
    """Return the image as a scanner shows it: coil shading, gain, contrast, Rician noise."""
    image = image * np.exp(0.08 * _field(rng, len(image), 2))
    image = rng.uniform(1.0, 1.1) * np.maximum(image, 0) ** rng.uniform(0.9, 1.1)
    deviation = noise * rng.uniform(0.5, 1.5)
    real, imaginary = rng.normal(0, deviation, (2, *image.shape))
    image = np.hypot(image + real, imaginary)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def draw_dataset(
    folder: Path,
    *,
    training: int,
    testing: int,
    size: int,
    noise: float,
    seed: int,
    reencoded: int,
    rescaled: int,
    brightened: int,
    mislabelled: int,
    apply: Callable[[Callable, list], Iterable] = map,
) -> pd.DataFrame:
    """Draw the data set, plant twins in it and write the truth beside it, as ``truth.csv``.

    Parameters
    ----------
    folder : Path
        Replaced as a whole: ``{Training,Testing}/<class>/<number>.jpg`` and ``truth.csv``.
    training, testing : int
        Images in each split, planted twins included; classes in the proportions of the real set.
    size : int
        Side of an image, in pixels; some scanners have a quarter more or less.
    noise : float
        As in :func:`draw_slice`.
    seed : int
        The same seed gives the same bytes. An image depends on the seed and its own place in
        the set, not on the other images.
    reencoded, rescaled, brightened : int
        Testing images that are a changed copy of a Training image of their class.
    mislabelled : int
        Re-encoded copies of a Training image under another class: the first, third ... of them
        in Testing, the others in Training. No image is copied twice.
    apply : callable, optional
        Applies a function to each item of a list and gives the results in order, as ``map`` does;
        :func:`brain_mri.parallel.map_in_order` does it on every core.

    Returns
    -------
    DataFrame
        One row per image: ``path`` relative to the folder, ``split``, ``class``, ``plane``,
        ``source`` (path of the Training image it is a copy of, else empty) and ``change``
        (``reencoded``, ``rescaled``, ``brightened``, ``mislabelled``, else empty).
    """
    truth = _plan(training, testing)
    twins = ["reencoded"] * reencoded + ["rescaled"] * rescaled + ["brightened"] * brightened
    in_training = ["mislabelled"] * (mislabelled // 2)
    in_testing = twins + ["mislabelled"] * (mislabelled - mislabelled // 2)
    _plant(np.random.default_rng(seed), truth, in_testing, in_training)
    is_copy = truth["source"] != ""
    with written_aside(folder) as aside:
        for parent in {(aside / path).parent for path in truth["path"]}:
            parent.mkdir(parents=True)
        draw = partial(_draw_file, folder=aside, size=size, noise=noise, seed=seed)
        planes = list(apply(draw, truth.loc[~is_copy, ["path", "class"]].values.tolist()))
        truth.loc[~is_copy, "plane"] = planes
        for copy in truth[is_copy].itertuples():
            _copy_file(aside, copy.path, copy.source, copy.change, seed)
        plane_of = truth.set_index("path")["plane"]
        truth.loc[is_copy, "plane"] = truth.loc[is_copy, "source"].map(plane_of)
        write_table(aside / "truth.csv", truth)
    return truth


def _plan(training: int, testing: int) -> pd.DataFrame:
    """Return the truth of a data set of originals; the planes are not known yet."""
    rows = []
    for split, total in (("Training", training), ("Testing", testing)):
        real = REAL_COUNTS[split]
        ends = np.rint(np.cumsum(list(real.values())) * total / sum(real.values())).astype(int)
        for label, count in zip(real, np.diff(ends, prepend=0), strict=True):
            paths = (f"{split}/{label}/{number:04}.jpg" for number in range(1, count + 1))
            rows += [(path, split, label, "", "", "") for path in paths]
    return pd.DataFrame(rows, columns=["path", "split", "class", "plane", "source", "change"])


def _plant(rng, truth: pd.DataFrame, in_testing: list[str], in_training: list[str]) -> None:
    """Turn images into copies of Training images, one copy an image; change `truth` in place."""
    labels = list(REAL_COUNTS["Training"])
    free = {
        (split, label): list(rng.permutation(rows.index))
        for (split, label), rows in truth.groupby(["split", "class"])
    }
    twins = [("Testing", change) for change in in_testing]
    twins += [("Training", change) for change in in_training]
    for split, change in twins:
        left = [min(len(free[split, label]), len(free["Training", label])) for label in labels]
        try:
            label = rng.choice(np.repeat(labels, left))
            copy = free[split, label].pop()
            if change == "mislabelled":
                others = [other for other in labels if other != label and free["Training", other]]
                label = rng.choice(others)
            source = free["Training", label].pop()
        except (ValueError, IndexError):  # chosen from nothing, popped from nothing
            raise InputError(
                f"phantom plants {len(twins)} twins, more than there are Training images of their "
                "class to copy; plant fewer or raise phantom.training"
            ) from None
        truth.loc[copy, ["source", "change"]] = truth.at[source, "path"], change


def _generator(seed: int, path: str) -> np.random.Generator:
    """Return the generator of one image, which depends on no other image."""
    return np.random.default_rng([seed, *path.encode()])


def _draw_file(item: list[str], folder: Path, size: int, noise: float, seed: int) -> str:
    """Draw an original, given as its path and class, to a file and return its plane."""
    path, label = item
    rng = _generator(seed, path)
    plane = str(rng.choice(list(VIEWS)))
    matrix = int(size * rng.choice([0.75, 1, 1.25], p=[0.15, 0.7, 0.15]))
    image = draw_slice(rng, label, plane, matrix, noise)
    _save(Image.fromarray(image), folder / path, quality=90)
    return plane


def _copy_file(folder: Path, path: str, source: str, change: str, seed: int) -> None:
    """Write a changed copy of an image."""
    rng = _generator(seed, path)
    with Image.open(folder / source) as opened:
        image = opened.convert("L")
    quality = 90
    if change == "rescaled":
        factor = rng.uniform(0.6, 0.9)
        image = image.resize([round(side * factor) for side in image.size])
    elif change == "brightened":
        shift = rng.integers(10, 41)
        image = image.point(lambda grey: grey + shift)
    else:
        quality = int(rng.integers(60, 86))
    _save(image, folder / path, quality)


def _save(image: Image.Image, path: Path, quality: int) -> None:
    image.convert("RGB").save(path, quality=quality)  # grey in three channels, as in the real set
