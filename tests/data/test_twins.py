"""Twins are found by what is seen, and neighbours in one head are not twins."""

import io
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from brain_mri.data.twins import (
    ORIENTATIONS,
    Twins,
    cluster,
    find_twins,
    fingerprint,
    orient,
    turned,
)
from brain_mri.parallel import map_in_order
from brain_mri.phantom import heads


def head(seed: int, level: float = 0.0, size: int = 200) -> np.ndarray:
    """Draw a head of random anatomy; `level` moves through it, as from slice to slice."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1.1 : 1.1 : size * 1j, -1.1 : 1.1 : size * 1j]
    radius = np.hypot(x / rng.uniform(0.7, 0.8), y / rng.uniform(0.9, 1.0))
    below, above = gaussian_filter(rng.standard_normal((2, size, size)), (0, 3.5, 3.5))
    tissue = np.cos(level) * below + np.sin(level) * above
    image = np.where(radius < 0.9, 0.35 + 0.12 * tissue / tissue.std(), 0.0)
    image += np.where((radius > 0.93) & (radius < 1), 0.8, 0.0)
    noise = 0.02 * np.random.default_rng([seed, int(level * 1000)]).standard_normal(image.shape)
    return np.uint8(np.clip(np.abs(gaussian_filter(image, 1) + noise), 0, 1) * 255)


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def rescale(pixels: np.ndarray, factor: float) -> np.ndarray:
    height, width = pixels.shape
    return np.asarray(Image.fromarray(pixels).resize((int(width * factor), int(height * factor))))


def tone(pixels: np.ndarray, brightness=0.0, contrast=1.0, gamma=1.0) -> np.ndarray:
    grey = ((pixels / 255) ** gamma - 0.5) * contrast + 0.5 + brightness / 255
    return np.uint8(np.clip(grey, 0, 1) * 255)


def said(found: Twins) -> list[str]:
    """Name the orientations that were found."""
    return [ORIENTATIONS[place] for place in found.orientations]


def inverse(place: int) -> int:
    """Give what turns an image back."""
    corners = np.arange(4).reshape(2, 2)
    there = turned(corners, place)
    return next(back for back in range(8) if np.array_equal(turned(there, back), corners))


TURNED = {  # what an array becomes
    "upright": lambda p: p,
    "mirrored": np.fliplr,
    "flipped": np.flipud,
    "rotated 90": np.rot90,
    "rotated 180": lambda p: np.rot90(p, 2),
    "rotated 270": lambda p: np.rot90(p, 3),
    "transposed": np.transpose,
    "transversed": lambda p: np.rot90(p, 2).T,
}
CHANGES = {
    "the same": lambda p: p,
    "JPEG of quality 30": lambda p: jpeg(p, 30),
    "reduced": lambda p: rescale(p, 0.4),
    "enlarged": lambda p: rescale(p, 1.6),
    "squeezed": lambda p: np.asarray(Image.fromarray(p).resize((150, 260))),
    "brighter": lambda p: tone(p, brightness=30),
    "darker": lambda p: tone(p, brightness=-30),
    "more contrast": lambda p: tone(p, contrast=1.3),
    "less contrast": lambda p: tone(p, contrast=0.7),
    "gamma below 1": lambda p: tone(p, gamma=0.7),
    "gamma above 1": lambda p: tone(p, gamma=1.4),
    "padded": lambda p: np.pad(p, ((10, 25), (0, 30))),
    "trimmed": lambda p: p[6:-3, 4:-5],
    "all at once": lambda p: jpeg(tone(rescale(p, 0.63), -15, 1.15, 1.2), 50),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_twin(change):
    fingerprints = [fingerprint(p) for p in (head(1), head(2), CHANGES[change](head(1)))]
    found = find_twins(np.stack(fingerprints))
    assert found.pairs.tolist() == [[0, 2]]
    assert said(found) == ["upright"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_turned_copy_is_a_twin_and_its_orientation_is_told(change, orientation):
    copy = CHANGES[change](TURNED[orientation](head(1)))
    found = find_twins(np.stack([fingerprint(p) for p in (head(1), head(2), copy)]))
    assert found.pairs.tolist() == [[0, 2]]
    assert said(found) == [orientation]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_image_is_turned_by_what_its_orientation_means(orientation):
    image, place = np.arange(6).reshape(2, 3), ORIENTATIONS.index(orientation)
    np.testing.assert_array_equal(turned(image, place), TURNED[orientation](image))


def test_the_phantom_names_orientations_as_the_search_does():
    assert ("upright", *heads.ORIENTATIONS) == ORIENTATIONS == tuple(TURNED)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("shape", [(200, 200), (231, 170)])
def test_the_fingerprint_of_a_turned_image_is_the_fingerprint_turned(orientation, shape):
    image = np.asarray(Image.fromarray(head(3)).resize(shape[::-1]))
    one, other = fingerprint(image), fingerprint(TURNED[orientation](image))
    difference = turned(one, ORIENTATIONS.index(orientation)).astype(int) - other
    assert np.abs(difference).max() <= 4  # resampling rounds


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_slice_that_is_alike_in_two_ways_is_upright_if_that_is_one(orientation):
    symmetrical = np.maximum(head(1), head(1)[:, ::-1])
    copy = jpeg(TURNED[orientation](symmetrical), 60)
    found = find_twins(np.stack([fingerprint(symmetrical), fingerprint(copy)]))
    assert found.pairs.tolist() == [[0, 1]]
    assert (said(found) == ["upright"]) == (orientation in ("upright", "mirrored"))
    shown = TURNED[said(found)[0]](symmetrical)
    np.testing.assert_array_equal(shown, TURNED[orientation](symmetrical))


def test_a_symmetrical_slice_alone_is_no_twin_of_itself():
    symmetrical = np.maximum(head(1), head(1)[:, ::-1])
    for exact in (10, 0):
        assert len(find_twins([fingerprint(symmetrical)], exact=exact).pairs) == 0


def test_orientations_are_composed_along_the_pairs_of_a_cluster():
    image, of = np.arange(6).reshape(2, 3), ORIENTATIONS.index
    turns = ["rotated 90", "transposed", "mirrored", "rotated 270"]
    shown = [image]  # each is the one before, turned
    for turn in turns:
        shown.append(TURNED[turn](shown[-1]))
    order = [3, 0, 4, 1, 2]  # where each lies
    ends = zip(order, order[1:], map(of, turns), strict=False)
    pairs = [(i, j, turn) if i < j else (j, i, inverse(turn)) for i, j, turn in ends]
    pairs = np.array(sorted(pairs))
    found = orient(6, Twins(pairs[:, :2], pairs[:, 2]))
    first = shown[order.index(0)]
    for place, seen in zip(order, shown, strict=True):
        np.testing.assert_array_equal(turned(first, found[place]), seen)
    assert found[[0, 5]].tolist() == [0, 0]


def test_turned_copies_end_in_one_cluster_each_with_its_orientation():
    names = [*ORIENTATIONS[3:], *ORIENTATIONS[:3]]
    shown = [jpeg(TURNED[name](head(1)), 60) for name in names]
    found = find_twins([fingerprint(p) for p in (*shown, head(2))])
    assert cluster(9, found.pairs).tolist() == [0] * 8 + [1]
    orientations = orient(9, found)
    for place, seen in enumerate(shown):
        again = turned(shown[0], orientations[place])
        assert np.corrcoef(again.ravel(), seen.ravel())[0, 1] > 0.99


def test_neighbouring_slices_and_different_heads_are_not_twins():
    slices = [head(seed, level) for seed in range(8) for level in (0.0, 0.9, 1.8)]
    found = find_twins(np.stack([fingerprint(p) for p in slices]))
    assert len(found.pairs) == 0


def test_the_chunk_changes_nothing():
    slices = [head(seed) for seed in range(6)] + [jpeg(head(seed), 50) for seed in range(6)]
    slices += [TURNED[name](head(seed)) for seed, name in enumerate(ORIENTATIONS[1:7])]
    fingerprints = np.stack([fingerprint(p) for p in slices])
    whole = find_twins(fingerprints)
    assert len(whole.pairs) == 18
    for chunk in (1, 4, 7):
        for part, expected in zip(find_twins(fingerprints, chunk), whole, strict=True):
            np.testing.assert_array_equal(part, expected)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.randoms())
def test_planted_copies_are_found_whatever_the_heads_and_their_order(seed, random):
    generator = np.random.default_rng(seed)
    orientation = generator.choice(ORIENTATIONS[1:])
    heads = [head(generator.integers(2**32)) for _ in range(5)]
    planted = {
        0: jpeg(heads[0], int(generator.integers(30, 90))),
        1: tone(heads[1], generator.integers(-30, 31), generator.uniform(0.7, 1.3)),
        2: rescale(heads[2], generator.uniform(0.5, 1.8)),
        3: TURNED[orientation](heads[3]),
    }
    slices = heads + list(planted.values())
    places = random.sample(range(len(slices)), len(slices))
    fingerprints = np.stack([fingerprint(slices[place]) for place in places])
    expected = [
        sorted((places.index(source), places.index(len(heads) + n)))
        for n, source in enumerate(planted)
    ]
    for chunk in (2, 512):
        found = find_twins(fingerprints, chunk)
        assert found.pairs.tolist() == sorted(expected)
        source, copy = places.index(3), places.index(8)
        turn = found.orientations[found.pairs.tolist().index(sorted((source, copy)))]
        assert ORIENTATIONS[turn if source < copy else inverse(turn)] == orientation
        assert np.count_nonzero(found.orientations) == 1


def test_every_core_finds_the_same_as_one():
    slices = [head(seed) for seed in range(6)] + [np.rot90(jpeg(head(seed), 50)) for seed in (1, 4)]
    fingerprints = np.stack([fingerprint(p) for p in [*slices, slices[0]]])
    on_every_core = partial(map_in_order, title="twins", chunksize=1)
    alone, together = find_twins(fingerprints, 4), find_twins(fingerprints, 4, on_every_core)
    assert (len(alone.pairs), np.count_nonzero(alone.orientations)) == (3, 2)
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_nearest_alone_give_the_exact_answer():
    slices = [head(seed) for seed in range(8)] + [CHANGES[change](head(1)) for change in CHANGES]
    slices += [TURNED[name](jpeg(head(2), 50)) for name in ORIENTATIONS[1:]]
    fingerprints = [fingerprint(p) for p in slices]
    exact, nearest = find_twins(fingerprints), find_twins(fingerprints, exact=0)
    assert set(orient(len(slices), exact)) == set(range(8))
    for one, other in zip(nearest, exact, strict=True):
        np.testing.assert_array_equal(one, other)
    for chunk in (1, 5):
        fewer = find_twins(fingerprints, chunk, exact=0, nearest=3)
        together = cluster(len(slices), fewer.pairs)
        assert np.array_equal(together, cluster(len(slices), exact.pairs))
        assert np.array_equal(orient(len(slices), fewer), orient(len(slices), exact))


def test_copies_stay_together_where_all_nearest_of_each_are_copies_of_its_own_kind():
    one, other = fingerprint(head(1)), fingerprint(CHANGES["all at once"](head(1)))
    fingerprints = np.stack([one, other] * 5 + [fingerprint(head(2))])
    fingerprints[:, 0, 0, 0] = range(11)  # none is the same as another
    found = find_twins(fingerprints, exact=0, nearest=4)
    pairs = {frozenset(pair) for pair in found.pairs.tolist()}
    assert {4, 6} in pairs  # of a kind
    assert {5, 6} not in pairs  # of two kinds, and neither the first of its cluster
    assert cluster(11, found.pairs).tolist() == [0] * 10 + [1]


def test_copies_of_a_symmetrical_slice_do_not_take_the_places_of_its_other_twins():
    symmetrical = np.maximum(head(1), head(1)[:, ::-1])
    one, other = fingerprint(symmetrical), fingerprint(CHANGES["all at once"](symmetrical))
    fingerprints = np.stack([one, other] * 3 + [fingerprint(head(2))])
    fingerprints[:, 0, 0, 0] = range(7)  # none is the same as another
    found = find_twins(fingerprints, exact=0, nearest=4)
    assert cluster(7, found.pairs).tolist() == [0] * 6 + [1]
    assert set(said(found)) == {"upright"}


def test_slices_of_one_fingerprint_are_each_paired_with_the_first_alone():
    one, mirrored = fingerprint(head(1)), fingerprint(jpeg(head(1), 50)[:, ::-1])
    found = find_twins([fingerprint(head(2)), one, one, mirrored, one])
    assert found.pairs.tolist() == [[1, 2], [1, 3], [1, 4]]
    assert said(found) == ["upright", "mirrored", "upright"]


def test_twins_that_stand_behind_copies_are_found():
    one = fingerprint(head(1))
    late = [fingerprint(p) for p in (head(2), head(3), jpeg(head(3), 50))]
    found = find_twins([one, one, one, one, *late])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [5, 6]]


def test_the_twin_search_keeps_no_fingerprints_in_memory():
    generator = np.random.default_rng(0)
    count, size = 2000, 2 * 64 * 64
    tracemalloc.start()
    fingerprints = (generator.integers(0, 256, (2, 64, 64), np.uint8) for _ in range(count))
    find_twins(fingerprints, chunk=32, exact=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * size * 0.9


def test_clusters_follow_pairs_and_are_numbered_in_order_of_appearance():
    assert cluster(6, np.array([[1, 4], [2, 5], [4, 5]])).tolist() == [0, 1, 1, 2, 1, 1]


@given(st.data(), st.integers(1, 20), st.randoms())
def test_clusters_are_what_pairs_connect_whatever_their_order(data, n, random):
    ends = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(ends, ends), max_size=20))
    labels = cluster(n, np.array(pairs, int).reshape(-1, 2))
    together = {frozenset([place]) for place in range(n)}
    for pair in pairs:
        joined = {group for group in together if group & set(pair)}
        together = together - joined | {frozenset().union(*joined)}
    assert together == {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}
    assert list(dict.fromkeys(labels)) == list(range(len(together)))
    mixed = [random.sample(pair, 2) for pair in random.sample(pairs, len(pairs))]
    assert np.array_equal(cluster(n, np.array(mixed, int).reshape(-1, 2)), labels)


def test_without_pairs_everyone_is_alone():
    found = find_twins(np.stack([fingerprint(head(1))]))
    assert found.pairs.shape == (0, 2)
    assert found.orientations.shape == (0,)
    assert cluster(1, found.pairs).tolist() == orient(1, found).tolist() == [0]


@pytest.mark.parametrize("shape", [(16, 16), (16, 400), (701, 33)])
def test_odd_shapes_have_a_fingerprint(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert fingerprint(pixels).shape == (2, 64, 64)
