"""The look-up finds the nearest training image, as scikit-learn does."""

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from brain_mri.assessment.look_up import commonest, nearest_rows
from brain_mri.storage import ImageSet


def image_set(pixels, *, shards=1):
    """Give an image set of (n, side, side) pixels."""
    index = pd.DataFrame({"source": [f"{row}.png" for row in range(len(pixels))]})
    return ImageSet(index, tuple(np.array_split(np.asarray(pixels, np.uint8), shards)))


def random_pixels(count, side, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side))


def test_a_copy_and_a_brighter_copy_are_found():
    training = random_pixels(50, 16, 0)
    testing = np.stack([training[31], np.minimum(training[7] + 3, 255)])
    assert nearest_rows(image_set(training), image_set(testing)).tolist() == [31, 7]


def test_of_equal_neighbours_the_first_wins():
    training = np.stack([random_pixels(1, 8, 0)[0]] * 3)
    assert nearest_rows(image_set(training), image_set(training[:1])).tolist() == [0]


def test_a_set_larger_than_a_block_gives_scikit_learns_neighbours():
    # 3000 images of 64 x 64 are two blocks, in shards cut elsewhere.
    training, testing = random_pixels(3000, 64, 0), random_pixels(20, 64, 1)
    testing[3] = training[2990]
    testing[4] = training[5] = training[2995]  # in either block
    found = nearest_rows(image_set(training, shards=3), image_set(testing))
    model = NearestNeighbors(n_neighbors=1).fit(training.reshape(3000, -1))
    expected = model.kneighbors(testing.reshape(20, -1), return_distance=False)
    assert found.tolist() == expected.ravel().tolist()
    assert found[3:5].tolist() == [2990, 5]


def test_the_commonest_label_is_the_first_of_equals_in_the_order_of_classes():
    assert commonest(pd.Series(["b", "a", "b"]), ["a", "b"]) == "b"
    assert commonest(pd.Series(["a", "b", "c", "b", "a"]), ["c", "b", "a"]) == "b"
