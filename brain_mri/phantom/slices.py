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

from brain_mri.phantom.anatomy import SIGNAL, VIEWS, Ellipse
from brain_mri.phantom.heads import MOST_SLICES, ORIENTATIONS, plan
from brain_mri.storage import write_table, written_aside

# How much of a random field the next slice changes: any field, and more for each of its bumps. With
# (0.3, 0.05), the search for twins takes a few neighbours in a head for one slice.
CHANGE = (0.5, 0.06)
BRAIN = {"csf", "cortex", "cerebellum"}
LARGER = 1.5  # the side of a class that is to be told by its size
GRID = np.linspace(-1, 1, 101)  # head units: where a tumour may be centred


class Mass(NamedTuple):
    """Where a tumour sits, and its nominal radius."""

    x: float
    y: float
    radius: float


def draw_slice(
    rng: np.random.Generator,
    label: str,
    plane: str,
    size: int,
    noise: float,
    place: int = 0,
    own: np.random.Generator | None = None,
) -> np.ndarray:
    """Draw one slice of a head.

    A generator in the same state and the same arguments but `place` and `own` give the other
    slices of the head: they have its anatomy, its tumour and its scanner.

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
    place : int
        Slices from the middle of the tumour, in -5 ... 6.
    own : numpy.random.Generator, optional
        The slice's own pose and noise follow from it; from `rng` if none is given.

    Returns
    -------
    ndarray (size, size), uint8
    """
    own = own or rng
    field = partial(_field, rng, size, place)
    # A pituitary tumour shows at the level of the sella alone, the other classes at both levels.
    level = 0 if label == "pituitary_tumor" else rng.integers(2)
    middle = [_individual(rng, ellipse) for ellipse in VIEWS[plane][level]]
    anatomy = [_neighbour(rng, ellipse, place) for ellipse in middle]
    signal = {tissue: typical * rng.normal(1, 0.04) for tissue, typical in SIGNAL.items()}
    signal["white"] = signal["grey"] + rng.uniform(0.03, 0.12)
    x, y = _head_coordinates(rng, own, field, size, place)
    if label == "no_tumor":
        image = _paint_anatomy(rng, field, anatomy, x, y, signal)
    else:
        inside = _depth(anatomy, BRAIN, x, y)
        mass = _place(rng, label, middle)
        # A tumour is largest in its middle, but every slice of the head shows it.
        radius = mass.radius * (1 - 0.045 * abs(place))
        # Mass effect: the brain yields to the tumour, the skull does not.
        distance = np.hypot(x - mass.x, y - mass.y)
        shift = rng.uniform(0.3, 0.6) * np.exp(-((distance / radius / 1.7) ** 2))
        shift *= np.clip(inside / 0.1, 0, 1)
        image = _paint_anatomy(
            rng, field, anatomy, x - shift * (x - mass.x), y - shift * (y - mass.y), signal
        )
        grow = {
            "glioma_tumor": _paint_glioma,
            "meningioma_tumor": _paint_meningioma,
            "pituitary_tumor": _paint_pituitary,
        }[label]
        # Distances from its centre are in radii.
        image = grow(rng, field, image, radius, distance / radius, inside, signal)
    return _scan(rng, own, field, image, noise)


def _individual(rng, ellipse: Ellipse) -> Ellipse:
    """Vary an ellipse between people; head and brain vary by the pose and the warp."""
    if max(ellipse.rx, ellipse.ry) > 0.3:
        return ellipse
    width, height = np.exp(rng.normal(0, 0.12, 2))
    return ellipse._replace(rx=ellipse.rx * width, ry=ellipse.ry * height)


def _neighbour(rng, ellipse: Ellipse, place: int) -> Ellipse:
    """Return what an ellipse has become so many slices on: it grows or shrinks, and moves."""
    width, height = np.exp(place * rng.normal(0, 0.04, 2))
    dx, dy = place * rng.normal(0, 0.004, 2)
    if max(ellipse.rx, ellipse.ry) > 0.3:
        return ellipse
    return ellipse._replace(
        x=ellipse.x + dx, y=ellipse.y + dy, rx=ellipse.rx * width, ry=ellipse.ry * height
    )


def _field(rng, size: int, place: int, bumps: int) -> np.ndarray:
    """Return a smooth random image of mean 0 and variance 1, about `bumps` bumps to a side.

    Those of the next slices differ from it the more, the finer it is.
    """
    step = CHANGE[0] + CHANGE[1] * bumps
    layers = rng.standard_normal((int(MOST_SLICES * step) + 2, bumps + 2, bumps + 2))
    share, below = np.modf((place + MOST_SLICES // 2) * step)
    below, above = layers[int(below) :][:2]
    angle = share * np.pi / 2
    knots = (np.cos(angle) * below + np.sin(angle) * above).astype(np.float32)
    inner = (1, 1, bumps + 1, bumps + 1)
    field = Image.fromarray(knots).resize((size, size), Image.Resampling.BICUBIC, box=inner)
    # In float64, since processors differ in the last digit of float32's exp, which can be seen.
    field = np.asarray(field, float)
    return (field - np.mean(field)) / np.std(field)


def _head_coordinates(rng, own, field, size: int, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the x and y of each pixel in head units: field of view, pose and shape of a head."""
    axis = ((np.arange(size) + 0.5) / size * 2 - 1) * rng.uniform(1.0, 1.12)
    column, row = np.meshgrid(axis, axis)
    angle = rng.normal(0, np.radians(4)) + own.normal(0, np.radians(1))
    x = column * np.cos(angle) - row * np.sin(angle)
    y = column * np.sin(angle) + row * np.cos(angle)
    taper = 1 + 0.006 * place  # towards the vertex
    return tuple(
        along * taper * rng.normal(1, 0.03)
        + rng.normal(0, 0.04)
        + own.normal(0, 0.01)
        + 0.02 * field(3)
        for along in (x, y)
    )


def _depth(anatomy: list[Ellipse], tissues: set[str], x, y) -> np.ndarray:
    """Return how far points lie inside the union of some tissues."""
    return np.max([e.depth(x, y) for e in anatomy if e.tissue in tissues], axis=0)


def _paint(image, depth, value, edge: float = 1) -> np.ndarray:
    """Return the image with `value` where `depth` is positive, over an edge of so many pixels."""
    edge = edge * 2.1 / len(depth)  # a field of view is about 2.1 wide
    return image + np.clip(0.5 + depth / edge, 0, 1) * (value - image)


def _paint_anatomy(
    rng, field, anatomy: list[Ellipse], x, y, signal: dict[str, float]
) -> np.ndarray:
    """Return the slice before it is scanned, without a tumour."""
    depth = _depth(anatomy, {"cortex"}, x, y)
    # Gyri: grey matter lines the surface and the sulci, which follow the zeros of a random field
    # and end in the depth.
    from_sulcus = 0.05 * np.abs(field(20)) + 0.12 * np.maximum(depth - 0.1, 0)
    from_grey = np.minimum(depth, from_sulcus) - 0.025
    cortex = _paint(signal["grey"], from_grey, signal["white"], edge=2)
    sulci = rng.uniform(0.002, 0.02) - from_sulcus - 0.05 * depth
    cortex = _paint(cortex, sulci, signal["csf"], edge=2)
    folia = np.sin(55 * np.hypot(x, y) + 3 * field(12))
    mottle = field(24)
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


def _place(rng, label: str, anatomy: list[Ellipse]) -> Mass:
    """Choose a place and a size as the kind of tumour has them."""
    sella = next((e for e in anatomy if e.tissue == "pituitary"), None)
    if label == "pituitary_tumor":  # fills the sella and rises above it
        radius = rng.uniform(0.13, 0.20)
        return Mass(sella.x, sella.y - 0.4 * radius, radius)
    x, y = np.meshgrid(GRID, GRID)
    if label == "glioma_tumor":  # within the brain
        radius = rng.uniform(0.20, 0.32)
        places = _depth(anatomy, {"cortex"}, x, y) > 0.12
    else:  # on the dura, most of it bulging into the brain; the convexity is the commonest site
        radius = rng.uniform(0.18, 0.29)
        places = (np.abs(_depth(anatomy, BRAIN, x, y) / radius - 0.6) < 0.2) & (y < 0.2)
    if sella:  # what lies there is told from a pituitary tumour by histology alone
        places &= np.hypot(x - sella.x, y - sella.y) > 0.35
    row, column = rng.choice(np.argwhere(places))
    return Mass(x[row, column], y[row, column], radius)


def _paint_glioma(rng, field, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a dark core in an uneven bright ring, and oedema around it."""
    spread = (rng.uniform(1.3, 1.9) - r * np.exp(0.25 * field(8))) * radius
    image = _paint(image, np.minimum(spread, inside), signal["oedema"], edge=6)
    r = r * np.exp(0.18 * field(10))
    enhancement = rng.uniform(0.75, 1.0) * (1 + 0.15 * field(16))
    image = _paint(image, np.minimum((1 - r) * radius, inside), enhancement, edge=2)
    core = rng.uniform(0.5, 0.75) - r * np.exp(0.15 * field(12))
    return _paint(image, np.minimum(core * radius, inside), signal["necrosis"], edge=2)


def _paint_meningioma(rng, field, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a round, even mass on the dura: a cleft of CSF towards the brain, a dural tail."""
    r = r * np.exp(0.05 * field(8))
    enhancement = rng.uniform(0.75, 0.95) * (1 + 0.07 * field(16))
    image = _paint(image, np.minimum((1.1 - r) * radius, inside), signal["csf"], edge=2)
    tail = np.minimum(0.012 - np.abs(inside), (1.35 - r) * radius)
    body = np.minimum((1 - r) * radius, inside + 0.012)
    return _paint(image, np.maximum(body, tail), enhancement)


def _paint_pituitary(rng, field, image, radius, r, inside, signal) -> np.ndarray:
    """Paint a smooth, fairly even mass."""
    r = r * np.exp(0.1 * field(10))
    enhancement = rng.uniform(0.75, 0.95) * (1 + 0.07 * field(16))
    return _paint(image, (1 - r) * radius, enhancement)


def _scan(rng, own, field, image: np.ndarray, noise: float) -> np.ndarray:
    """Return the image as a scanner shows it: coil shading, gain, contrast, Rician noise."""
    image = image * np.exp(0.08 * field(2))
    image = rng.uniform(1.0, 1.1) * np.maximum(image, 0) ** rng.uniform(0.9, 1.1)
    deviation = noise * rng.uniform(0.5, 1.5)
    real, imaginary = own.normal(0, deviation, (2, *image.shape))
    image = np.hypot(image + real, imaginary)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def draw_dataset(
    folder: Path,
    *,
    size: int,
    noise: float,
    seed: int,
    shortcut: str | None,
    apply: Callable[[Callable, list], Iterable] = map,
    **planned,
) -> pd.DataFrame:
    """Draw the data set, plant twins in it and write what it shows next to its folders.

    Parameters
    ----------
    folder : Path
        Replaced as a whole: ``{Training,Testing}/<class>/<number>.jpg``, ``truth.csv`` and
        ``patients.csv``.
    size : int
        Side of an image, in pixels; some scanners have a quarter more or less.
    noise : float
        As in :func:`draw_slice`.
    seed : int
        The same seed gives the same bytes. An image depends on the seed, its head, its slice and
        its own path, not on the other images.
    shortcut : str or None
        A class that is drawn half as large again, so that an image's size alone tells it.
    apply : callable, optional
        Applies a function to each item of a list and gives the results in order, as ``map`` does;
        :func:`brain_mri.parallel.map_in_order` does it on every core.
    training, testing : int
        Images in each split, planted twins included; classes in the proportions of the real set.
    shared_patients : float
        Share of Testing's originals that show a head of Training.
    reencoded, rescaled, brightened, turned : int
        Testing images that are a changed copy of a Training image of their class.
    mislabelled : int
        Re-encoded copies of a Training image under another class: the first, third ... of them
        in Testing, the others in Training. No image is copied twice.
    wrong_labels : int
        Originals of either split that show a head of another class than their folder's.

    Returns
    -------
    DataFrame
        As in ``truth.csv``, one row per image: ``path`` relative to the folder, ``split``,
        ``class`` (of its folder), ``true_class`` (of its head), ``patient``, ``slice`` (counted
        from the middle of the tumour), ``plane``, ``source`` (path of the Training image it is a
        copy of, else empty), ``change`` (``reencoded``, ``rescaled``, ``brightened``, ``turned``,
        ``mislabelled``, else empty) and ``orientation`` (``upright``, unless it is turned).
        ``patients.csv`` has ``path``, ``patient`` and ``origin_label``, the true class. It lacks
        healthy heads of a single image, as the tables of real sets lack some.
    """
    truth = plan(seed, **planned)
    is_copy = truth["source"] != ""
    with written_aside(folder) as aside:
        for parent in {(aside / path).parent for path in truth["path"]}:
            parent.mkdir(parents=True)
        draw = partial(
            _draw_file, folder=aside, size=size, noise=noise, seed=seed, shortcut=shortcut
        )
        items = truth.loc[~is_copy, ["path", "true_class", "head", "slice"]].values.tolist()
        planes = pd.Series(list(apply(draw, items)), index=truth.loc[~is_copy, "path"])
        for copy in truth[is_copy].itertuples():
            _copy_file(aside, copy.path, copy.source, copy.change, copy.orientation, seed)
        truth.insert(6, "plane", truth["source"].where(is_copy, truth["path"]).map(planes))
        truth = truth.drop(columns="head")
        write_table(aside / "truth.csv", truth)
        alone = ~truth["patient"].duplicated(keep=False)
        listed = truth[~(alone & (truth["true_class"] == "no_tumor"))]
        listed = listed[["path", "patient", "true_class"]]
        write_table(aside / "patients.csv", listed.rename(columns={"true_class": "origin_label"}))
    return truth


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one head or image, which depends on no other."""
    return np.random.default_rng([seed, *name.encode()])


def _draw_file(
    item: list, folder: Path, size: int, noise: float, seed: int, shortcut: str | None
) -> str:
    """Draw an original, given as path, class, head and slice, to a file and return its plane."""
    path, label, head, place = item
    rng = _generator(seed, f"head {head}")
    plane = str(rng.choice(list(VIEWS)))
    matrix = int(size * rng.choice([0.75, 1, 1.25], p=[0.15, 0.7, 0.15]))
    if label == shortcut:
        matrix = int(matrix * LARGER)
    image = draw_slice(rng, label, plane, matrix, noise, place, _generator(seed, path))
    _save(Image.fromarray(image), folder / path, quality=90)
    return plane


def _copy_file(
    folder: Path, path: str, source: str, change: str, orientation: str, seed: int
) -> None:
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
    if change == "turned":
        image = image.transpose(Image.Transpose(ORIENTATIONS.index(orientation)))
    _save(image, folder / path, quality)


def _save(image: Image.Image, path: Path, quality: int) -> None:
    image.convert("RGB").save(path, quality=quality)  # grey in three channels, as in the real set
