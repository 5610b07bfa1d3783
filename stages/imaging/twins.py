"""Find twins: slices that show the same thing, however they were stored.

Pairs are proposed by a coarse correlation of all with all, then registered to each other and
compared level by level of an image pyramid, so that a re-encoded, rescaled, brightened, padded or
cropped copy is told from the next slice of the same head, which differs somewhere.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

SIDE = 64  # of a fingerprint; the pyramid's levels are 16, 32 and 64
BATCH = 256  # pairs registered at once
LAID = ".twins.partial"  # how the name of the folder of mapped files starts; Git and DVC ignore it


class Twins(NamedTuple):
    """Pairs of indices ``i < j``: the same slice, and the same slice mirrored left-right."""

    twins: np.ndarray
    mirrors: np.ndarray


def fingerprint(pixels: np.ndarray) -> np.ndarray:
    """Describe a slice by two thumbnails: of the whole frame, and of the head alone.

    The head's own is what padding and trimming of the margin leave alike; the frame's serves where
    the head's outline is uncertain. Each is stretched to the full range of grey.

    Parameters
    ----------
    pixels : ndarray (height, width), uint8

    Returns
    -------
    ndarray (2, 64, 64), uint8
    """
    image = Image.fromarray(pixels)
    frame = (0, 0, *image.size)
    return np.stack([_thumbnail(image, box) for box in (frame, _head_box(image))])


def find_twins(
    fingerprints: np.ndarray,
    chunk: int = 512,
    apply: Callable[[Callable, list], Iterable] = map,
    folder: Path | None = None,
) -> Twins:
    """Compare all slices with all.

    Beside the fingerprints (8 KiB a slice), levels of their pyramids (10 KiB a slice) lie in files
    that all processes map; memory holds one tile of the comparison a process, whatever the number
    of slices. Time is quadratic.

    Parameters
    ----------
    fingerprints : ndarray (N, 2, 64, 64), uint8
    chunk : int
        Slices compared at once are a tile of `chunk` by `chunk`; no result depends on it.
    apply : callable, optional
        Applies a function to each item of a list and gives the results in order, as ``map`` does;
        :func:`stages.parallel.map_in_order` does it on every core.
    folder : Path, optional
        Where the mapped files lie meanwhile, if not where temporary files do.

    Returns
    -------
    Twins
        Two arrays (P, 2) of int64, each sorted. A pair that is alike both ways, as symmetrical
        images are, is a twin and not a mirror.
    """
    rows = [
        (mirrored, view, start)
        for mirrored in (False, True)
        for view in range(len(PROPOSED))
        for start in range(0, len(fingerprints), chunk)
    ]
    found: dict = {False: [np.empty((0, 2), np.int64)], True: [np.empty((0, 2), np.int64)]}
    with TemporaryDirectory(prefix=LAID, dir=folder) as laid:
        _write_pyramids(Path(laid), fingerprints)
        find = partial(_find_pairs, folder=Path(laid), chunk=chunk)
        for (mirrored, *_), pairs in zip(rows, apply(find, rows), strict=True):
            found[mirrored].append(pairs)
    twins, mirrors = (np.unique(np.concatenate(parts), axis=0) for parts in found.values())
    labels = cluster(len(fingerprints), twins)
    return Twins(twins, mirrors[labels[mirrors[:, 0]] != labels[mirrors[:, 1]]])


def cluster(n: int, pairs: np.ndarray) -> np.ndarray:
    """Put slices that pairs connect, directly or through others, into one cluster.

    Parameters
    ----------
    n : int
        Number of slices.
    pairs : ndarray (P, 2), int

    Returns
    -------
    ndarray (n,), int32
        Cluster of each slice, counted from 0 in order of first appearance.
    """
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def _write_pyramids(folder: Path, fingerprints: np.ndarray) -> None:
    """Write fingerprints, and the levels that many pairs need, to files to be mapped.

    By plain writes: on a full disk they raise OSError, where numpy.save may lose the last bytes
    and a write to mapped memory ends the process.
    """
    (folder / "fingerprints").write_bytes(fingerprints.tobytes())
    for side in STORED:
        with (folder / str(side)).open("wb") as file:
            for k in range(0, len(fingerprints), BATCH):
                views = fingerprints[k : k + BATCH].swapaxes(0, 1)
                file.write(np.stack([_detail(view, side) for view in views], axis=1).tobytes())


def _find_pairs(row: tuple[bool, int, int], folder: Path, chunk: int) -> np.ndarray:
    """Compare a row of tiles: propose the pairs that correlate, keep those of the same slice."""
    mirrored, view, start = row
    flip = slice(None, None, -1 if mirrored else 1)

    def mapped(name: str, dtype: type, side: int) -> np.ndarray:
        whole = np.asarray(np.memmap(folder / name, dtype, "r"))
        return whole.reshape(-1, len(PROPOSED), side, side)[:, view]

    fingerprints = mapped("fingerprints", np.uint8, SIDE)
    stored = {side: mapped(str(side), np.float32, side) for side in STORED}

    def level(images, side: int) -> np.ndarray:
        return stored[side][images] if side in stored else _detail(fingerprints[images], side)

    found = [np.empty((0, 2), np.int64)]
    # One thread, so that processes do not get in each other's way and results are the same bytes.
    with threadpool_limits(1):
        rows = {side: level(slice(start, start + chunk), side) for side in STORED}
        inverses = {side: _inverse(images) for side, images in rows.items()}
        for column in range(start, len(fingerprints), chunk):
            columns = level(slice(column, column + chunk), 16)[..., flip]
            pairs = np.argwhere(_unit(rows[16]) @ _unit(columns).T > PROPOSED[view])
            pairs = pairs[start + pairs[:, 0] < column + pairs[:, 1]]
            for k in range(0, len(pairs), BATCH):
                i, j = pairs[k : k + BATCH].T
                motion = np.zeros((len(i), 4), np.float32)
                for side, steps, measure, threshold in COMPARISONS:
                    if side in STORED:
                        fixed, inverse = rows[side][i], inverses[side][i]
                    else:
                        fixed = level(start + i, side)
                        inverse = _inverse(fixed)
                    moving = level(column + j, side)[..., flip]
                    motion = _register(fixed, moving, inverse, motion, steps)
                    alike = measure(fixed, *_warp(moving, motion)) > threshold
                    i, j, motion = i[alike], j[alike], motion[alike]
                    if not len(i):
                        break
                found.append(np.stack([start + i, column + j], axis=1))
    return np.concatenate(found)


# The least correlation of the coarsest levels that makes a pair worth registering, of frames and
# of heads. Set by copies trimmed by up to 6 % a side, which lose most; (0.80, 0.65) missed one such
# pair of the real set. There, about 1 pair in 35 is registered.
PROPOSED = (0.68, 0.52)


def _unit(detail: np.ndarray) -> np.ndarray:
    """Flatten images to unit vectors, whose dot product is their correlation."""
    vectors = detail.reshape(len(detail), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _head_box(image: Image.Image) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of what stands out from the border of the frame."""
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    background = np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]]))
    head = small > background + 0.15 * (np.percentile(small, 99) - background)
    rows, columns = (np.flatnonzero(head.sum(axis) > 3) for axis in (1, 0))
    if min(len(rows), len(columns)) < SIDE // 4:
        return (0, 0, *image.size)
    x, y = image.width / SIDE, image.height / SIDE
    return (columns[0] * x, rows[0] * y, (columns[-1] + 1) * x, (rows[-1] + 1) * y)


def _thumbnail(image: Image.Image, box: tuple[float, float, float, float]) -> np.ndarray:
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box), np.float32)
    low, high = np.percentile(small, (1, 99))
    return np.clip((small - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)


def _detail(images: np.ndarray, side: int) -> np.ndarray:
    """Return the detail of images at one level: high-passed, and evened out in contrast.

    So brightness, contrast and gamma cancel, and no single bright structure decides.
    """
    step = SIDE // side
    level = images.reshape(-1, side, step, side, step).mean((2, 4), dtype=np.float32)
    detail = level - _blur(level)
    spread = np.sqrt(_blur(detail**2))
    overall = np.sqrt((detail**2).mean((1, 2), keepdims=True))
    return detail / (spread + 0.3 * overall + 1e-3)


def _blur(images: np.ndarray) -> np.ndarray:
    return gaussian_filter(images, sigma=1.5, axes=(1, 2))


def _warp(images: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resample images along each axis; also say which pixels came from inside the frame.

    `motion` (P, 4) is the stretch and shift in y and in x, on an axis from -1 to 1.
    """
    side = images.shape[-1]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    source = (1 + motion[:, ::2, None]) * axis + motion[:, 1::2, None]
    inside = np.abs(source) <= 1 + 0.02 / side
    weights = (source[..., None] - axis) * np.float32((side - 1) / 2)  # distances, in pixels
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    np.maximum(weights, 0, out=weights)
    warped = weights[:, 0] @ images @ weights[:, 1].transpose(0, 2, 1)
    return warped, inside[:, 0, :, None] & inside[:, 1, None, :]


def _inverse(images: np.ndarray) -> np.ndarray:
    """Return what gives, of an image like one of these, its contrast and how it is moved.

    Contrast and motion of the other are least squares over the image and its slopes by each part
    of the motion; this is the matrix (n, 5, side * side) that solves them, once for all pairs.
    """
    side = images.shape[-1]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    by_y, by_x = np.gradient(images, 2 / (side - 1), axis=(1, 2))
    slopes = np.stack([images, by_y * axis[:, None], by_y, by_x * axis, by_x], axis=1)
    slopes = slopes.reshape(len(images), 5, side**2)
    normal = slopes @ slopes.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-6
    return np.linalg.inv(normal + damping * np.eye(5, dtype=np.float32)) @ slopes


def _register(fixed, moving, inverse, motion: np.ndarray, steps: int) -> np.ndarray:
    """Refine the motion that lays `moving` on `fixed`, by inverse composition.

    After Baker & Matthews (2004): each step finds how `fixed` would move to look like the warped
    image, whose slopes are known beforehand, and undoes it.
    """
    for _ in range(steps):
        warped, inside = _warp(moving, motion)
        seen = np.where(inside, warped, fixed).reshape(len(fixed), fixed[0].size, 1)
        _, *step = (inverse @ seen)[..., 0].T
        step = np.clip(np.stack(step, 1), -0.1, 0.1)
        stretch = (1 + motion[:, ::2]) / (1 + step[:, ::2])
        shift = motion[:, 1::2] - stretch * step[:, 1::2]
        motion = np.stack([stretch - 1, shift], axis=-1).reshape(-1, 4)
        motion = np.clip(motion, -0.4, 0.4)
    return motion


def _correlation(fixed: np.ndarray, warped: np.ndarray, inside: np.ndarray) -> np.ndarray:
    a, b = (images * inside for images in (fixed, warped))
    products = (np.einsum("nyx,nyx->n", *pair) for pair in ((a, b), (a, a), (b, b)))
    both, of_a, of_b = products
    return both / np.sqrt(of_a * of_b + 1e-9)


def _worst_correlation(fixed: np.ndarray, warped: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the 15th percentile of the correlations within blocks of 8 x 8 pixels.

    Coding and rescaling wear detail everywhere a little; another slice is another somewhere.
    """

    def total(images):
        return images.reshape(len(images), 8, SIDE // 8, 8, SIDE // 8).sum((2, 4)).reshape(-1, 64)

    a, b = (images * inside for images in (fixed, warped))
    energy_a, energy_b = total(a**2), total(b**2)
    correlation = total(a * b) / np.sqrt(energy_a * energy_b + 1e-3)
    energy = energy_a + energy_b
    plain = energy < 0.25 * energy.mean(1, keepdims=True)  # background, or outside of the frame
    return np.nanpercentile(np.where(plain, np.nan, correlation), 15, axis=1)


# Side of the level, steps of registration, and what a pair must exceed to stay. All but the last
# only save work: the real set's twins reach 0.67, 0.79 and 0.85 there. The last decides, within a
# gap: of the real set's 5.3 million pairs the likest that are not twins, neighbours in one head,
# reach 0.70, and the least like twins 0.91. Noisy copies of 128 pixels reduced to 51 score down to
# 0.70, so the lower part of the gap is chosen.
COMPARISONS = (
    (16, 1, _correlation, 0.64),
    (32, 1, _correlation, 0.70),
    (32, 1, _correlation, 0.75),
    (64, 3, _worst_correlation, 0.75),
)
STORED = (16, 32)  # levels
