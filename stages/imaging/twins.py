"""Find twins: slices that show the same thing, however they were stored.

Pairs are proposed by a coarse correlation of all with all, then registered to each other and
compared level by level of an image pyramid, so that a re-encoded, rescaled, brightened, padded or
cropped copy is told from the next slice of the same head, which differs somewhere.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 64  # of a fingerprint; the pyramid's levels are 16, 32 and 64
BATCH = 256  # pairs registered at once


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
    progress: Callable[[list], Iterable] = iter,
) -> Twins:
    """Compare all slices with all.

    Beside the fingerprints (8 KiB a slice) memory holds their coarsest levels (4 KiB a slice) and
    one tile of the comparison, whatever their number; time is quadratic.

    Parameters
    ----------
    fingerprints : ndarray (N, 2, 64, 64), uint8
    chunk : int
        Slices compared at once are a tile of `chunk` by `chunk`; no result depends on it.
    progress : callable, optional
        Wraps the list of tiles, as ``tqdm`` does; called for twins, then for mirrors.

    Returns
    -------
    Twins
        Two arrays (P, 2) of int64, each sorted. A pair that is alike both ways, as symmetrical
        images are, is a twin and not a mirror.
    """
    starts = range(0, len(fingerprints), chunk)
    tiles = [
        (view, slice(row, row + chunk), slice(column, column + chunk))
        for view in range(len(PROPOSED))
        for row in starts
        for column in starts
        if column >= row
    ]
    twins = _find_pairs(fingerprints, fingerprints, progress(tiles))
    mirrors = _find_pairs(fingerprints, fingerprints[..., ::-1], progress(tiles))
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


def _find_pairs(fingerprints: np.ndarray, others: np.ndarray, tiles: Iterable) -> np.ndarray:
    """Propose the pairs of each tile that correlate, and keep those that show the same slice."""
    found = [np.empty((0, 2), np.int64)]
    left, right = (
        [_coarsest(images[:, view]) for view in range(len(PROPOSED))]
        for images in (fingerprints, others)
    )
    for view, rows, columns in tiles:
        alike = _unit(left[view][rows]) @ _unit(right[view][columns]).T > PROPOSED[view]
        pairs = np.argwhere(alike) + np.array([rows.start, columns.start])
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        for k in range(0, len(pairs), BATCH):
            i, j = pairs[k : k + BATCH].T
            likely, motion = _compare(left[view][i], right[view][j], *COMPARISONS[0][1:])
            i, j = i[likely], j[likely]
            same = _same(fingerprints[i, view], others[j, view], motion)
            found.append(np.stack([i[same], j[same]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


# The least correlation of the coarsest levels that makes a pair worth registering, of frames and
# of heads. Set by copies trimmed by up to 6 % a side, which lose most; (0.80, 0.65) missed one such
# pair of the real set. There, about 1 pair in 35 is registered.
PROPOSED = (0.68, 0.52)


def _coarsest(images: np.ndarray) -> np.ndarray:
    """Return the detail of the coarsest level, once for all the pairs that an image is in."""
    detail = np.empty((len(images), 16, 16), np.float32)
    for k in range(0, len(images), BATCH):
        detail[k : k + BATCH] = _detail(images[k : k + BATCH], 16)
    return detail


def _unit(detail: np.ndarray) -> np.ndarray:
    """Flatten images to unit vectors, whose dot product is their correlation."""
    vectors = detail.reshape(len(detail), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _same(fixed: np.ndarray, moving: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return the places of the pairs of thumbnails (P, 64, 64) that show the same slice."""
    left = np.arange(len(fixed))  # pairs not yet told apart
    for side, *comparison in COMPARISONS[1:]:
        a, b = _detail(fixed[left], side), _detail(moving[left], side)
        alike, motion = _compare(a, b, *comparison, motion=motion)
        left = left[alike]
    return left


def _compare(a, b, steps: int, measure: Callable, threshold: float, motion=None):
    """Register pairs; return which are alike, and the motion of those."""
    motion = np.zeros((len(a), 4), np.float32) if motion is None else motion
    motion = _register(a, b, motion, steps)
    alike = measure(a, *_warp(b, motion)) > threshold
    return alike, motion[alike]


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
    distance = (source[..., None] + 1) * (side - 1) / 2 - np.arange(side, dtype=np.float32)
    weights = np.maximum(0, 1 - np.abs(distance))
    inside = weights.sum(-1) > 0.99
    warped = weights[:, 0] @ images @ weights[:, 1].transpose(0, 2, 1)
    return warped, inside[:, 0, :, None] & inside[:, 1, None, :]


def _register(fixed: np.ndarray, moving: np.ndarray, motion: np.ndarray, steps: int) -> np.ndarray:
    """Refine the motion that lays `moving` on `fixed`, by Gauss-Newton (Lucas & Kanade, 1981)."""
    side = fixed.shape[-1]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    for _ in range(steps):
        warped, inside = _warp(moving, motion)
        by_y, by_x = np.gradient(warped, 2 / (side - 1), axis=(1, 2))
        slopes = [by_y * axis[:, None], by_y, by_x * axis, by_x, warped]
        jacobian = (np.stack(slopes, -1) * inside[..., None]).reshape(-1, side**2, 5)
        residual = ((fixed - warped) * inside).reshape(-1, side**2, 1)
        normal = jacobian.transpose(0, 2, 1) @ jacobian
        damping = 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-6
        normal += damping * np.eye(5, dtype=np.float32)
        step = np.linalg.solve(normal, jacobian.transpose(0, 2, 1) @ residual)[:, :4, 0]
        motion = np.clip(motion + np.clip(step, -0.1, 0.1), -0.4, 0.4)
    return motion


def _correlation(fixed: np.ndarray, warped: np.ndarray, inside: np.ndarray) -> np.ndarray:
    a, b = (images * inside for images in (fixed, warped))
    return (a * b).sum((1, 2)) / np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2)) + 1e-9)


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


# Side of the level, steps of registration, and what a pair must exceed to stay. The first two only
# save work. The last decides, within a gap: of the real set's 5.3 million pairs the likest that are
# not twins, neighbours in one head, reach 0.70, and the least like twins 0.88. Noisy copies of 128
# pixels reduced to 51 score down to 0.70, so the lower part of the gap is chosen.
COMPARISONS = (
    (16, 8, _correlation, 0.75),
    (32, 5, _correlation, 0.75),
    (64, 4, _worst_correlation, 0.75),
)
