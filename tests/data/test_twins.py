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

from brain_mri.data.twins import cluster, find_twins, fingerprint
from brain_mri.parallel import map_in_order


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
    assert found.twins.tolist() == [[0, 2]]
    assert found.mirrors.tolist() == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_mirrored_copy_is_a_mirror_and_not_a_twin(change):
    fingerprints = [fingerprint(p) for p in (head(1), CHANGES[change](head(1)[:, ::-1]))]
    found = find_twins(np.stack(fingerprints))
    assert found.twins.tolist() == []
    assert found.mirrors.tolist() == [[0, 1]]


def test_a_symmetrical_slice_and_its_copy_are_twins_and_no_mirrors():
    symmetrical = np.maximum(head(1), head(1)[:, ::-1])
    found = find_twins(np.stack([fingerprint(symmetrical), fingerprint(jpeg(symmetrical, 60))]))
    assert found.twins.tolist() == [[0, 1]]
    assert found.mirrors.tolist() == []


def test_neighbouring_slices_and_different_heads_are_not_twins():
    slices = [head(seed, level) for seed in range(8) for level in (0.0, 0.9, 1.8)]
    found = find_twins(np.stack([fingerprint(p) for p in slices]))
    assert len(found.twins) == len(found.mirrors) == 0


def test_the_chunk_changes_nothing():
    slices = [head(seed) for seed in range(6)] + [jpeg(head(seed), 50) for seed in range(6)]
    slices += [head(seed)[:, ::-1] for seed in range(3)]
    fingerprints = np.stack([fingerprint(p) for p in slices])
    whole = find_twins(fingerprints)
    assert len(whole.twins) == 6
    assert len(whole.mirrors) == 6
    for chunk in (1, 4, 7):
        for part, expected in zip(find_twins(fingerprints, chunk), whole, strict=True):
            np.testing.assert_array_equal(part, expected)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.randoms())
def test_planted_copies_are_found_whatever_the_heads_and_their_order(seed, random):
    generator = np.random.default_rng(seed)
    heads = [head(generator.integers(2**32)) for _ in range(5)]
    planted = {
        0: jpeg(heads[0], int(generator.integers(30, 90))),
        1: tone(heads[1], generator.integers(-30, 31), generator.uniform(0.7, 1.3)),
        2: rescale(heads[2], generator.uniform(0.5, 1.8)),
        3: heads[3][:, ::-1],
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
        assert found.twins.tolist() == sorted(expected[:3])
        assert found.mirrors.tolist() == expected[3:]


def test_every_core_finds_the_same_as_one():
    slices = [head(seed) for seed in range(6)] + [jpeg(head(seed), 50)[:, ::-1] for seed in (1, 4)]
    fingerprints = np.stack([fingerprint(p) for p in [*slices, slices[0]]])
    on_every_core = partial(map_in_order, title="twins", chunksize=1)
    alone, together = find_twins(fingerprints, 4), find_twins(fingerprints, 4, on_every_core)
    assert (len(alone.twins), len(alone.mirrors)) == (1, 2)
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_nearest_alone_give_the_exact_answer():
    slices = [head(seed) for seed in range(8)] + [CHANGES[change](head(1)) for change in CHANGES]
    slices += [jpeg(head(seed), 50)[:, ::-1] for seed in (2, 5)]
    fingerprints = [fingerprint(p) for p in slices]
    exact, nearest = find_twins(fingerprints), find_twins(fingerprints, exact=0)
    assert len(exact.mirrors) == 2
    for one, other in zip(nearest, exact, strict=True):
        np.testing.assert_array_equal(one, other)
    for chunk in (1, 5):
        fewer = find_twins(fingerprints, chunk, exact=0, nearest=3)
        together = cluster(len(slices), fewer.twins)
        assert np.array_equal(together, cluster(len(slices), exact.twins))
        np.testing.assert_array_equal(fewer.mirrors, exact.mirrors)


def test_copies_stay_together_where_all_nearest_of_each_are_copies_of_its_own_kind():
    one, other = fingerprint(head(1)), fingerprint(CHANGES["all at once"](head(1)))
    fingerprints = np.stack([one, other] * 5 + [fingerprint(head(2))])
    fingerprints[:, 0, 0, 0] = range(11)  # none is the same as another
    found = find_twins(fingerprints, exact=0, nearest=4)
    pairs = {frozenset(pair) for pair in found.twins.tolist()}
    assert {4, 6} in pairs  # of a kind
    assert {5, 6} not in pairs  # of two kinds, and neither the first of its cluster
    assert cluster(11, found.twins).tolist() == [0] * 10 + [1]


def test_slices_of_one_fingerprint_are_each_paired_with_the_first_alone():
    one, mirrored = fingerprint(head(1)), fingerprint(jpeg(head(1), 50)[:, ::-1])
    found = find_twins([fingerprint(head(2)), one, one, mirrored, one])
    assert found.twins.tolist() == [[1, 2], [1, 4]]
    assert found.mirrors.tolist() == [[1, 3]]


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
    turned = [random.sample(pair, 2) for pair in random.sample(pairs, len(pairs))]
    assert np.array_equal(cluster(n, np.array(turned, int).reshape(-1, 2)), labels)


def test_without_pairs_everyone_is_alone():
    found = find_twins(np.stack([fingerprint(head(1))]))
    assert found.twins.shape == found.mirrors.shape == (0, 2)
    assert cluster(1, found.twins).tolist() == [0]


@pytest.mark.parametrize("shape", [(16, 16), (16, 400), (701, 33)])
def test_odd_shapes_have_a_fingerprint(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert fingerprint(pixels).shape == (2, 64, 64)
