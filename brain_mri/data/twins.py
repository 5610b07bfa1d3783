"""Find twins: slices that show the same thing, however they were stored.

Pairs are proposed by a coarse correlation of all with all, in the eight ways that an image can be
turned, then registered to each other and compared level by level of an image pyramid, so that a
re-encoded, rescaled, brightened, padded, cropped or turned copy is told from the next slice of the
same head, which differs somewhere. In a large set, only the likest that are proposed for a slice
are registered.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

# Whether an image's axes are swapped first, and the steps along y and x then: the four rotations,
# anticlockwise, and their mirror images.
_TURNS = {
    "upright": (False, 1, 1),
    "mirrored": (False, 1, -1),
    "flipped": (False, -1, 1),
    "rotated 90": (True, -1, 1),
    "rotated 180": (False, -1, -1),
    "rotated 270": (True, 1, -1),
    "transposed": (True, 1, 1),
    "transversed": (True, -1, -1),
}
ORIENTATIONS = tuple(_TURNS)
SIDE = 64  # of a fingerprint; the pyramid's levels are 16, 32 and 64
BATCH = 64  # pairs registered at once
# Beyond so many slices, a slice is registered to its NEAREST alone, by coarse correlation. To
# register all that are proposed takes most of the time then, and is quadratic. docs/scaling.md has
# what either takes, and that the same twins are found.
EXACT, NEAREST = 20_000, 32
# The least correlation of the coarsest levels that makes a pair worth registering, of frames and
# of heads. Set by copies trimmed by up to 6 % a side, which lose most; (0.80, 0.65) missed one such
# pair of the real set. There, about 1 pair in 35 is registered.
PROPOSED = (0.68, 0.52)
# Side of the level, and by how much the image must be explained at each step of registration for
# a pair to stay. They only save work: the real set's twins reach 0.57, 0.64, 0.63, 0.70 and 0.54.
LEVELS = ((16, (0.5, 0.6)), (32, (0.55, 0.65)), (64, (0.45, 0.45, 0.45)))
STORED = (16, 32)  # levels
# What the worst correlation of a pair must exceed, within a gap: of the real set's 5.3 million
# pairs the likest that are not twins, neighbours in one head, reach 0.71, and the least like twins
# 0.90. Noisy copies of 128 pixels reduced to 51 score down to 0.70, so the lower part is chosen.
ALIKE = 0.75


class Twins(NamedTuple):
    """Pairs of indices ``i < j`` of the same slice, and in which of eight ways `j` is turned."""

    pairs: np.ndarray
    orientations: np.ndarray


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
    asked: int | None = None,
) -> Twins:
    """Compare all slices with all, or the first few with all.

    The fingerprints (8 KiB a slice) and levels of their pyramids (10 KiB a slice) lie in files
    that all processes map; memory holds one tile of the comparison a process, in the eight
    orientations, whatever the number of slices. Time is quadratic.

    Parameters
    ----------
    fingerprints : iterable of ndarray (2, 64, 64), uint8
        Taken one after another.
    chunk : int
        Slices compared at once are a tile of `chunk` by `chunk`; no result depends on it.
    apply : callable, optional
        Applies a function to each item of a list and gives the results in order, as ``map`` does;
        :func:`brain_mri.parallel.map_in_order` does it on every core.
    folder : Path, optional
        Where the files are made, and removed; the system's own folder for such if none is given.
    exact : int
        Up to so many slices, every pair that is proposed is registered.
    nearest : int
        Beyond, a slice is registered to so many others alone, those that it correlates with most
        in a view, each in all orientations that correlate. A cluster may be larger than this, and
        its slices each other's nearest: so the first slice of every such cluster is registered to
        all that are proposed.
    asked : int, optional
        If given, only the first so many slices are compared with all; in the others, only the same
        fingerprint is found.

    Returns
    -------
    Twins
        Pairs (P, 2), sorted, and places (P,) in `ORIENTATIONS`, both int64: the second of a pair is
        the first turned so. A pair that is alike in several ways, as symmetrical images are, is
        upright if that is one of them, and else as it is likest. Twins connect a cluster, and are
        not all its pairs: of slices with the same fingerprint, each is paired with the first alone.
    """
    with TemporaryDirectory(dir=folder) as files:
        firsts, copies = _write_pyramids(Path(files), fingerprints)
        count = len(firsts)
        found = _Found(np.empty((0, 2), np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

        def compare(slices: np.ndarray, nearest: int | None) -> _Found:
            rows = [
                _Row(view, slices[start : start + chunk], nearest)
                for view in range(len(PROPOSED))
                for start in range(0, len(slices), chunk)
            ]
            parts = apply(partial(_find_pairs, folder=Path(files), chunk=chunk), rows)
            return _likest([found, *parts])

        first_rows = np.arange(count) if asked is None else np.flatnonzero(firsts < asked)
        found = compare(first_rows, None if count <= exact else nearest)
        compared = np.full(count, count <= exact or asked is not None)
        while len(large := _firsts_of_large(cluster(count, found.pairs), nearest, compared)):
            found = compare(large, count)
            compared[large] = True
    pairs = np.concatenate([firsts[found.pairs], copies])
    orientations = np.concatenate([found.orientations, np.zeros(len(copies), np.int64)])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return Twins(pairs[order], orientations[order])


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
    # Here, since every process of the search imports this module, and none needs these.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def orient(n: int, found: Twins) -> np.ndarray:
    """Tell how each slice is turned against the first of its cluster.

    Parameters
    ----------
    n : int
        Number of slices.
    found : Twins

    Returns
    -------
    ndarray (n,), int64
        Places in `ORIENTATIONS`, those of the pairs one after another along the fewest pairs.
    """
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for (i, j), turn in zip(found.pairs.tolist(), found.orientations.tolist(), strict=True):
        neighbours.setdefault(i, []).append((j, turn))
        neighbours.setdefault(j, []).append((i, _INVERSE[turn]))
    orientations, reached = np.zeros(n, np.int64), set()
    for first in sorted(neighbours):
        waiting = [] if first in reached else [first]
        reached.add(first)
        for one in waiting:  # it grows meanwhile
            for other, turn in neighbours[one]:
                if other not in reached:
                    reached.add(other)
                    orientations[other] = _THEN[orientations[one], turn]
                    waiting.append(other)
    return orientations


def turned(images: np.ndarray, orientation: int) -> np.ndarray:
    """Turn images, without a copy of them.

    `mirrored` swaps left and right, `flipped` top and bottom. `rotated 90`, `rotated 180` and
    `rotated 270` turn by so many degrees anticlockwise. `transposed` mirrors along the diagonal
    from top left to bottom right, so that rows become columns; `transversed` along the other one.
    `upright` is as it was.

    Parameters
    ----------
    images : ndarray (..., height, width)
    orientation : int
        Place in `ORIENTATIONS`.

    Returns
    -------
    ndarray (..., height, width) or (..., width, height)
    """
    swapped, y, x = _TURNS[ORIENTATIONS[orientation]]
    return (images.swapaxes(-2, -1) if swapped else images)[..., ::y, ::x]


def _combine() -> np.ndarray:
    """Make the table [a, b] of the orientation that turning by a, then by b, comes to."""
    corners, eight = np.arange(4).reshape(2, 2), range(len(ORIENTATIONS))
    place = {turned(corners, one).tobytes(): one for one in eight}
    both = [[turned(turned(corners, a), b).tobytes() for b in eight] for a in eight]
    return np.array([[place[corner] for corner in row] for row in both])


_THEN = _combine()
_INVERSE = _THEN.argmin(axis=1)  # what it takes to be upright again


class _Found(NamedTuple):
    """Pairs (P, 2), the orientation (P,) of the second against the first, how alike they are."""

    pairs: np.ndarray
    orientations: np.ndarray
    scores: np.ndarray


def _likest(parts: list[_Found]) -> _Found:
    """Give each pair once, in order: upright if it was found so, else as it is most alike."""
    pairs, orientations, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    backwards = pairs[:, 0] > pairs[:, 1]
    orientations = np.where(backwards, _INVERSE[orientations], orientations)
    pairs = np.sort(pairs, axis=1)
    # Rounded, since the last digits depend on what else was in the batch.
    keys = (orientations, -scores.round(3), orientations > 0, pairs[:, 1], pairs[:, 0])
    order = np.lexsort(keys)
    pairs, places = np.unique(pairs[order], axis=0, return_index=True)
    return _Found(pairs, orientations[order][places], scores[order][places])


class _Row(NamedTuple):
    """A row of tiles: some slices in one view, compared with all, however turned.

    Each is registered to the `nearest` others that it correlates with most; with None, to every
    slice that comes after it.
    """

    view: int
    slices: np.ndarray
    nearest: int | None


def _write_pyramids(
    folder: Path, fingerprints: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Write distinct fingerprints, and the levels that many pairs need, to files to be mapped.

    By plain writes: on a full disk they raise OSError, where numpy.save may lose the last bytes
    and a write to mapped memory ends the process. Return the place among all of each that was
    written, and pairs (n, 2) of the first place and a later one of the same fingerprint.
    """
    first_of: dict[bytes, int] = {}
    copies = [np.empty((0, 2), np.int64)]

    def distinct() -> Iterator[np.ndarray]:
        for place, fingerprint in enumerate(fingerprints):
            first = first_of.setdefault(sha256(fingerprint).digest(), place)
            if first == place:
                yield fingerprint
            else:
                copies.append(np.array([[first, place]]))

    waiting = distinct()
    with ExitStack() as stack:
        files = {
            side: stack.enter_context((folder / str(side)).open("wb")) for side in (SIDE, *STORED)
        }
        while batch := list(islice(waiting, BATCH)):
            images = np.stack(batch)
            files[SIDE].write(images.tobytes())
            for side in STORED:
                details = [_detail(view, side) for view in images.swapaxes(0, 1)]
                files[side].write(np.stack(details, axis=1).tobytes())
    return np.array([*first_of.values()], np.int64), np.concatenate(copies)


def _find_pairs(row: _Row, folder: Path, chunk: int) -> _Found:
    """Compare a row of tiles: propose the pairs that correlate, keep those of the same slice."""

    def mapped(dtype: type, side: int) -> np.ndarray:
        whole = np.asarray(np.memmap(folder / str(side), dtype, "r"))
        return whole.reshape(-1, len(PROPOSED), side, side)[:, row.view]

    fingerprints = mapped(np.uint8, SIDE)
    stored = {side: mapped(np.float32, side) for side in STORED}
    # One thread, so that processes do not get in each other's way and results are the same bytes.
    with threadpool_limits(1):
        rows = {side: images[row.slices] for side, images in stored.items()}
        bases = {side: _basis(images) for side, images in rows.items()}

        def level(side: int, pairs: np.ndarray) -> tuple:
            """Give both slices' images, the first's basis, and the places of the pairs in them."""
            if side in STORED:
                return rows[side], stored[side], bases[side], pairs.T
            (a, of_a), (b, of_b) = (
                np.unique(images, return_inverse=True)
                for images in (row.slices[pairs[:, 0]], pairs[:, 1])
            )
            fixed, moving = (_detail(fingerprints[images], side) for images in (a, b))
            return fixed, moving, _basis(fixed), (of_a, of_b)

        def same(orientation: int, pairs: np.ndarray) -> _Found:
            """Register pairs level by level, the second turned back, and keep the same slices."""
            back = _INVERSE[orientation]
            motion = np.zeros((len(pairs), 4), np.float32)
            for side, thresholds in LEVELS:
                fixed, moving, basis, (a, b) = level(side, pairs)
                for threshold in thresholds:
                    parts = []
                    for k in _batches(len(pairs)):
                        of_a = (part[a[k]] for part in basis)
                        parts.append(_register(turned(moving[b[k]], back), *of_a, motion[k]))
                    share, motion = (np.concatenate(part) for part in zip(*parts, strict=True))
                    kept = share > threshold
                    pairs, a, b, motion = pairs[kept], a[kept], b[kept], motion[kept]
            scores = np.concatenate(
                [
                    _worst_correlation(fixed[a[k]], turned(moving[b[k]], back), motion[k])
                    for k in _batches(len(pairs))
                ]
            )
            alike = scores > ALIKE
            i, j = pairs[alike].T
            found = np.stack([row.slices[i], j], axis=1)
            return _Found(found, np.full(len(found), orientation), scores[alike])

        return _likest([same(*proposed) for proposed in _propose(row, rows[16], stored[16], chunk)])


def _batches(count: int) -> list[slice]:
    """Cut the places of pairs into parts, at least one, that fit the processor's cache."""
    return [slice(start, start + BATCH) for start in range(0, max(count, 1), BATCH)]


def _propose(
    row: _Row, rows: np.ndarray, images: np.ndarray, chunk: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield an orientation and pairs worth registering: a place in the row's slices, and another.

    The other is like the row's slice turned so.
    """
    view, slices, nearest = row
    eight = range(len(ORIENTATIONS))
    units = np.stack([_unit(turned(rows, orientation)) for orientation in eight])
    least = np.full(len(slices), PROPOSED[view], np.float32)
    pairs, scores = np.empty((0, 2), np.int64), np.empty(0, np.float32)
    worth = np.empty((0, len(eight)), bool)  # of a pair, in each orientation
    waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for column in range(0 if nearest else slices[0], len(images), chunk):
        correlation = units @ _unit(images[column : column + chunk]).T
        if nearest is None:
            for orientation, found in enumerate(correlation > PROPOSED[view]):
                i, j = np.divmod(np.flatnonzero(found), found.shape[1])  # faster than argwhere
                yield orientation, np.stack([i, column + j], axis=1)[slices[i] < column + j]
            continue
        # An image takes one place among the nearest in however many orientations it is alike, so
        # that symmetrical slices, alike in several, do not fill the places of others.
        likest = correlation.max(axis=0)
        i, j = np.divmod(np.flatnonzero(likest > least[:, None]), likest.shape[1])
        other = slices[i] != column + j
        i, j = i[other], j[other]
        new = np.stack([i, column + j], axis=1)
        waiting.append((new, likest[i, j], (correlation[:, i, j] > PROPOSED[view]).T))
        last = column + chunk >= len(images)
        if last or sum(len(some) for some, _, _ in waiting) > nearest * len(slices):
            pairs, scores, worth = (
                np.concatenate(parts)
                for parts in zip((pairs, scores, worth), *waiting, strict=True)
            )
            order = np.lexsort((pairs[:, 1], -scores, pairs[:, 0]))
            pairs, scores, worth, waiting = pairs[order], scores[order], worth[order], []
            place = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
            full = place == nearest - 1
            least[pairs[full, 0]] = scores[full]
            kept = place < nearest
            pairs, scores, worth = pairs[kept], scores[kept], worth[kept]
    if nearest:
        for orientation in eight:
            yield orientation, pairs[worth[:, orientation]]


def _unit(detail: np.ndarray) -> np.ndarray:
    """Flatten images to unit vectors, whose dot product is their correlation."""
    vectors = detail.reshape(len(detail), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _head_box(image: Image.Image) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of what stands out from the border of the frame."""
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    bright = np.sort(small, axis=None)[-small.size // 100]
    background = np.median(np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]]))
    head = small > background + 0.15 * (bright - background)
    rows, columns = (np.flatnonzero(head.sum(axis) > 3) for axis in (1, 0))
    if min(len(rows), len(columns)) < SIDE // 4:
        return (0, 0, *image.size)
    x, y = image.width / SIDE, image.height / SIDE
    return (columns[0] * x, rows[0] * y, (columns[-1] + 1) * x, (rows[-1] + 1) * y)


def _thumbnail(image: Image.Image, box: tuple[float, float, float, float]) -> np.ndarray:
    bicubic = Image.Resampling.BICUBIC
    small = np.asarray(image.resize((SIDE, SIDE), bicubic, box, reducing_gap=2), np.float32)
    low, high = np.sort(small, axis=None)[[small.size // 100, -small.size // 100]]
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
    """Blur by a Gaussian, as two products of matrices: a third of the time of a convolution."""
    kernel = _blurring(images.shape[-1])
    return kernel @ images @ kernel.T


@cache
def _blurring(side: int) -> np.ndarray:
    """Return the matrix of a Gaussian of 1.5 pixels, the image mirrored at its borders."""
    i, j = np.indices((side, side))
    distances = np.stack([i - j, i + j + 1, 2 * side - 1 - i - j])
    weights = np.exp(-((distances / 1.5) ** 2) / 2).sum(0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _warp(images: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Resample images (P, side, side) along each axis, by linear interpolation; 0 outside.

    `motion` (P, 4) is the stretch and shift in y and in x, on an axis from -1 to 1.
    """
    side = images.shape[-1]
    weights = _source(side, motion)[..., None] - np.arange(side, dtype=np.float32)
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    np.maximum(weights, 0, out=weights)
    return weights[:, 0] @ images @ weights[:, 1].transpose(0, 2, 1)


def _source(side: int, motion: np.ndarray) -> np.ndarray:
    """Say where along y and x (P, 2, side) the pixels of warped images come from, in pixels."""
    half = np.float32((side - 1) / 2)
    axis = np.arange(side, dtype=np.float32) - half
    return (1 + motion[:, ::2, None]) * axis + motion[:, 1::2, None] * half + half


def _basis(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what tells, of an image like one of these, how it is moved, once for all pairs.

    Contrast and motion of the other are least squares over the image and its slopes by each part
    of the motion. The first array (n, 5, side * side) spans the same images and is orthonormal, but
    for some damping; the second (n, 5, 5) makes coefficients of those from coefficients of these.
    """
    side = images.shape[-1]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    by_y, by_x = np.gradient(images, 2 / (side - 1), axis=(1, 2))
    slopes = np.stack([images, by_y * axis[:, None], by_y, by_x * axis, by_x], axis=1)
    slopes = slopes.reshape(len(images), 5, side**2)
    normal = slopes @ slopes.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-6
    whitening = np.linalg.inv(np.linalg.cholesky(normal + damping * np.eye(5, dtype=np.float32)))
    return whitening @ slopes, whitening.transpose(0, 2, 1)


def _register(moving, basis, to_motion, motion) -> tuple[np.ndarray, np.ndarray]:
    """Refine the motion that lays `moving` on an image of a basis, by inverse composition.

    After Baker & Matthews (2004): each step finds how the image would move to look like the warped
    one, whose slopes are known beforehand, and undoes it. Also tell by how much such a move
    explains the warped image: the correlation that the step would reach if slopes were straight.
    """
    seen = _warp(moving, motion) if motion.any() else moving
    seen = seen.reshape(len(seen), basis.shape[2], 1)
    coefficients = basis @ seen
    norms = np.linalg.norm(coefficients[..., 0], axis=1), np.linalg.norm(seen[..., 0], axis=1)
    share = norms[0] / np.maximum(norms[1], 1e-6)
    step = np.clip((to_motion @ coefficients)[:, 1:, 0], -0.1, 0.1)
    stretch = (1 + motion[:, ::2]) / (1 + step[:, ::2])
    shift = motion[:, 1::2] - stretch * step[:, 1::2]
    motion = np.stack([stretch - 1, shift], axis=-1).reshape(-1, 4)
    return share, np.clip(motion, -0.4, 0.4)


def _worst_correlation(fixed: np.ndarray, moving: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return the 15th percentile of the correlations within blocks of 8 x 8 pixels.

    Coding and rescaling wear detail everywhere a little; another slice is another somewhere.
    """
    source = _source(SIDE, motion)
    inside = (source > -0.01) & (source < SIDE - 0.99)

    def total(images):
        return images.reshape(len(images), 8, SIDE // 8, 8, SIDE // 8).sum((2, 4)).reshape(-1, 64)

    inside = inside[:, 0, :, None] & inside[:, 1, None, :]
    a, b = fixed * inside, _warp(moving, motion) * inside
    energy_a, energy_b = total(a**2), total(b**2)
    correlation = total(a * b) / np.sqrt(energy_a * energy_b + 1e-3)
    energy = energy_a + energy_b
    plain = energy < 0.25 * energy.mean(1, keepdims=True)  # background, or outside of the frame
    ascending = np.sort(np.where(plain, np.inf, correlation), axis=1)
    place = (0.15 * (~plain).sum(1)).astype(int)
    return ascending[np.arange(len(place)), place]
