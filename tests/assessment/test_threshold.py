"""The threshold misses no more tumours on validation than it may, and calls no alarm in vain."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_mri.assessment.threshold import choose_threshold


def test_the_threshold_lies_just_above_the_first_tumour_that_must_be_found():
    # Ten tumours; 0.9 of them must be found, so that the one at 0.8 may be missed, 0.6 not.
    tumours = np.array([0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1, 0.1, 0.0])
    scores = np.append(tumours, [0.95, 0.7, 0.61])
    ill = np.arange(13) < 10
    found = choose_threshold(scores, ill, 0.9)
    assert found == np.nextafter(0.6, 1)
    assert choose_threshold(scores, ill, 1.0) == np.nextafter(0.8, 1)


def test_tumours_of_equal_score_are_found_together():
    scores = np.array([0.8, 0.6, 0.6, 0.6, 0.1])
    assert choose_threshold(scores, np.ones(5, bool), 0.6) == np.nextafter(0.6, 1)
    assert choose_threshold(scores, np.ones(5, bool), 0.2) == np.nextafter(0.1, 1)


def test_a_target_that_is_a_whole_number_of_tumours_is_not_missed_by_rounding():
    # 0.55 * 100 is 55.00000000000001 in binary: 55 must be found, not 56.
    scores = np.arange(100) / 100
    found = choose_threshold(scores, np.ones(100, bool), 0.55)
    assert (scores < found).sum() == 55


def test_a_tumour_of_certain_health_leaves_no_threshold_to_pass():
    found = choose_threshold(np.array([1.0, 0.2]), np.array([True, True]), 1.0)
    assert 1 < found < 1.001


def test_without_a_tumour_there_is_no_threshold():
    assert choose_threshold(np.array([0.2, 0.9]), np.array([False, False]), 0.95) is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 100),
)
def test_the_threshold_is_the_smallest_that_reaches_the_target(images, percent):
    scores = np.array([score / 20 for score, _ in images])
    ill = np.array([tumour for _, tumour in images])
    threshold = choose_threshold(scores, ill, percent / 100)
    if not ill.any():
        assert threshold is None
        return
    found = (scores[ill] < threshold).sum()
    assert 100 * found >= percent * ill.sum()
    smaller = np.nextafter(threshold, -1)
    assert 100 * (scores[ill] < smaller).sum() < percent * ill.sum()
