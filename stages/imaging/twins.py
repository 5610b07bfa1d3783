"""Find twins: slices that show the same thing, however they were stored.

Pairs are proposed by a coarse correlation of all with all, then registered to each other and
compared level by level of an image pyramid, so that a re-encoded, rescaled, brightened, padded or
cropped copy is told from the next slice of the same head, which differs somewhere. In a large set,
only the likest that are proposed for a slice are registered.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
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
# Beyond so many slices, a slice is registered to its NEAREST alone, by coarse correlation. To
# register all that are proposed takes most of the time then, and is quadratic. docs/scaling.md has
# what either takes, and that the same twins are found.
EXACT, NEAREST = 20_000, 32


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
    fingerprints: Iterable[np.ndarray],
    chunk: int = 512,
    apply: Callable[[Callable, list], Iterable] = map,
    folder: Path | None = None,
    exact: int = EXACT,
    nearest: int = NEAREST,
) -> Twins:
    """Compare all slices with all.

    The fingerprints (8 KiB a slice) and levels of their pyramids (10 KiB a slice) lie in files
    that all processes map; memory holds one tile of the comparison a process, whatever the number
    of slices. Time is quadratic.

    Parameters
    ----------
    fingerprints : iterable of ndarray (2, 64, 64), uint8
        Taken one after another.
    chunk : int
        Slices compared at once are a tile of `chunk` by `chunk`; no result depends on it.
    apply : callable, optional
        Applies a function to each item of a list and gives the results in order, as ``map`` does;
        :func:`stages.parallel.map_in_order` does it on every core.
    folder : Path, optional
        Where the files are made, and removed; the system's own folder for such if none is given.
    exact : int
        Up to so many slices, every pair that is proposed is registered.
    nearest : int
        Beyond, a slice is registered to so many alone, those that it correlates with most in a
        view. A cluster may be larger than this, and its slices each other's nearest: so the first
        slice of every such cluster is registered to all that are proposed.

    Returns
    -------
    Twins
        Two arrays (P, 2) of int64, each sorted. A pair that is alike both ways, as symmetrical
        images are, is a twin and not a mirror. Beyond `exact`, twins connect a cluster, and are not
        all its pairs.
    """
    with TemporaryDirectory(dir=folder) as files:
        count = _write_pyramids(Path(files), fingerprints)
        found = {mirrored: np.empty((0, 2), np.int64) for mirrored in (False, True)}

        def compare(slices: np.ndarray, nearest: int | None) -> None:
            rows = [
                _Row(mirrored, view, slices[start : start + chunk], nearest)
                for mirrored in found
                for view in range(len(PROPOSED))
                for start in range(0, len(slices), chunk)
            ]
            parts: dict = {mirrored: [pairs] for mirrored, pairs in found.items()}
            find = partial(_find_pairs, folder=Path(files), chunk=chunk)
            for row, pairs in zip(rows, apply(find, rows), strict=True):
                parts[row.mirrored].append(np.sort(pairs, axis=1))
            for mirrored, pairs in parts.items():
                found[mirrored] = np.unique(np.concatenate(pairs), axis=0)

        compare(np.arange(count), None if count <= exact else nearest)
        compared = np.full(count, count <= exact)
        while len(firsts := _firsts_of_large(cluster(count, found[False]), nearest, compared)):
            compare(firsts, count)
            compared[firsts] = True
    labels, mirrors = cluster(count, found[False]), found[True]
    return Twins(found[False], mirrors[labels[mirrors[:, 0]] != labels[mirrors[:, 1]]])


def _firsts_of_large(labels: np.ndarray, size: int, compared: np.ndarray) -> np.ndarray:
    """Give the first slice of every cluster of more than `size` slices, unless it was compared."""
    _, firsts, sizes = np.unique(labels, return_index=True, return_counts=True)
    firsts = firsts[sizes > size]
    return firsts[~compared[firsts]]


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


class _Row(NamedTuple):
    """A row of tiles: some slices in one view, compared with all.

    Each is registered to the `nearest` that it correlates with most; with None, to every slice
    that comes after it.
    """

    mirrored: bool
    view: int
    slices: np.ndarray
    nearest: int | None


def _write_pyramids(folder: Path, fingerprints: Iterable[np.ndarray]) -> int:
    """Write fingerprints, and the levels that many pairs need, to files to be mapped; count them.

    By plain writes: on a full disk they raise OSError, where numpy.save may lose the last bytes
    and a write to mapped memory ends the process.
    """
    count, fingerprints = 0, iter(fingerprints)
    with ExitStack() as stack:
        files = {
            side: stack.enter_context((folder / str(side)).open("wb")) for side in (SIDE, *STORED)
        }
        while batch := list(islice(fingerprints, BATCH)):
            images = np.stack(batch)
            files[SIDE].write(images.tobytes())
            for side in STORED:
                details = [_detail(view, side) for view in images.swapaxes(0, 1)]
                files[side].write(np.stack(details, axis=1).tobytes())
            count += len(batch)
    return count


def _find_pairs(row: _Row, folder: Path, chunk: int) -> np.ndarray:
    """Compare a row of tiles: propose the pairs that correlate, keep those of the same slice."""
    mirrored, view, slices, _ = row
    flip = slice(None, None, -1 if mirrored else 1)

    def mapped(dtype: type, side: int) -> np.ndarray:
        whole = np.asarray(np.memmap(folder / str(side), dtype, "r"))
        return whole.reshape(-1, len(PROPOSED), side, side)[:, view]

    fingerprints = mapped(np.uint8, SIDE)
    stored = {side: mapped(np.float32, side) for side in STORED}

    def level(images, side: int) -> np.ndarray:
        return stored[side][images] if side in stored else _detail(fingerprints[images], side)

    found = [np.empty((0, 2), np.int64)]
    # One thread, so that processes do not get in each other's way and results are the same bytes.
    with threadpool_limits(1):
        rows = {side: level(slices, side) for side in STORED}
        inverses = {side: _inverse(images) for side, images in rows.items()}
        for pairs in _propose(row, rows[16], stored[16], chunk):
            for k in range(0, len(pairs), BATCH):
                i, j = pairs[k : k + BATCH].T
                motion = np.zeros((len(i), 4), np.float32)
                for side, steps, measure, threshold in COMPARISONS:
                    if side in STORED:
                        fixed, inverse = rows[side][i], inverses[side][i]
                    else:
                        fixed = level(slices[i], side)
                        inverse = _inverse(fixed)
                    moving = level(j, side)[..., flip]
                    motion = _register(fixed, moving, inverse, motion, steps)
                    alike = measure(fixed, *_warp(moving, motion)) > threshold
                    i, j, motion = i[alike], j[alike], motion[alike]
                    if not len(i):
                        break
                found.append(np.stack([slices[i], j], axis=1))
    return np.concatenate(found)


def _propose(row: _Row, rows: np.ndarray, images: np.ndarray, chunk: int) -> Iterator[np.ndarray]:
    """Yield pairs worth registering: a place in the row's slices, and another slice."""
    mirrored, view, slices, nearest = row
    units = _unit(rows)
    least = np.full(len(slices), PROPOSED[view], np.float32)
    pairs, scores = np.empty((0, 2), np.int64), np.empty(0, np.float32)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    for column in range(0 if nearest else slices[0], len(images), chunk):
        columns = images[column : column + chunk, :, :: -1 if mirrored else 1]
        correlation = units @ _unit(columns).T
        flat = np.flatnonzero(correlation > least[:, None])  # six times as fast as argwhere
        i, j = np.divmod(flat, len(columns))
        score, new = correlation.ravel()[flat], np.stack([i, column + j], axis=1)
        if nearest is None:
            yield new[slices[i] < column + j]
            continue
        other = slices[i] != column + j
        waiting.append((new[other], score[other]))
        last = column + chunk >= len(images)
        if last or sum(len(some) for some, _ in waiting) > nearest * len(slices):
            pairs, scores = (
                np.concatenate(parts) for parts in zip((pairs, scores), *waiting, strict=True)
            )
            order = np.lexsort((pairs[:, 1], -scores, pairs[:, 0]))
            pairs, scores, waiting = pairs[order], scores[order], []
            place = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
            full = place == nearest - 1
            least[pairs[full, 0]] = scores[full]
            pairs, scores = pairs[place < nearest], scores[place < nearest]
    if nearest:
        yield pairs


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
