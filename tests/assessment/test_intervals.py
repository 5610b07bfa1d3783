"""Intervals hold the truth as often as they say, by groups, and never claim certainty."""

import numpy as np
import pytest
from scipy.stats import binom

from brain_mri.assessment.intervals import (
    error_interval,
    group_bootstrap,
    is_still,
    percentile_interval,
    proportion_interval,
)
from brain_mri.assessment.weighted import calibration_errors, share

UNKNOWN = {"low": None, "high": None}


def accuracy(right):
    """Give the figures of a classifier of which only the accuracy is wanted."""
    return lambda weights: {"accuracy": share(right, np.ones(len(right), bool), weights)}


def interval(right, group, resamples=2000, seed=1):
    values, draws = group_bootstrap(accuracy(right), group, resamples, seed)
    return percentile_interval(values["accuracy"], draws["accuracy"])


def holds(found, truth):
    return found["low"] <= truth <= found["high"]


def test_without_twins_the_draws_are_binomial():
    right = np.arange(200) < 180
    found = interval(right, np.arange(200), resamples=20_000)
    # 200 images drawn with a chance of 0.9 each to be right.
    assert found["value"] == 0.9
    assert found["low"] == pytest.approx(binom.ppf(0.025, 200, 0.9) / 200, abs=0.005)
    assert found["high"] == pytest.approx(binom.ppf(0.975, 200, 0.9) / 200, abs=0.005)


def test_intervals_over_groups_hold_the_truth_and_over_images_do_not():
    # 60 groups of 1 to 9 twins; a classifier is right on all of a group or on none, at 0.7.
    generator = np.random.default_rng(0)
    by_group = by_image = 0
    for seed in range(300):
        group = np.repeat(np.arange(60), generator.integers(1, 10, 60))
        right = (generator.random(60) < 0.7)[group]
        by_group += holds(interval(right, group, 300, seed), 0.7)
        by_image += holds(interval(right, np.arange(len(group)), 300, seed), 0.7)
    assert 0.91 <= by_group / 300 <= 0.98
    assert by_image / 300 < 0.75


def test_intervals_of_the_calibration_error_hold_the_truth_and_percentiles_alone_do_not():
    # Confidence 0.55, 0.65, ... 0.95, each 0.05 too high: an expected calibration error of 0.05.
    generator = np.random.default_rng(0)
    corrected = alone = 0
    for seed in range(200):
        confidence = generator.choice([0.55, 0.65, 0.75, 0.85, 0.95], 100)
        actual = (generator.random(100) > confidence - 0.05).astype(int)
        probabilities = np.column_stack([confidence, 1 - confidence])
        values, draws = group_bootstrap(
            lambda w, a=actual, p=probabilities: calibration_errors(a, p, 10, w),
            *(np.arange(100), 200, seed),
        )
        corrected += holds(error_interval(values["ece"], draws["ece"]), 0.05)
        alone += holds(percentile_interval(values["ece"], draws["ece"]), 0.05)
    assert corrected / 200 >= 0.92
    assert alone / 200 < 0.8


def test_the_same_seed_gives_the_same_draws_and_another_others():
    right = np.random.default_rng(0).random(50) < 0.7
    one, again, other = (
        group_bootstrap(accuracy(right), np.arange(50), 100, seed)[1]["accuracy"]
        for seed in (1, 1, 2)
    )
    assert (one == again).all()
    assert (one != other).any()


def test_many_images_are_drawn_in_batches_to_the_same_end():
    # 2 million weights fit at once: 400 resamples of 20,000 images do not.
    right = np.random.default_rng(0).random(20_000) < 0.8
    seen = []

    def figures(weights):
        seen.append(len(weights))
        return accuracy(right)(weights)

    values, draws = group_bootstrap(figures, np.arange(20_000), 400, 1)
    assert seen == [1, 100, 100, 100, 100]
    assert len(draws["accuracy"]) == 400
    assert draws["accuracy"].mean() == pytest.approx(values["accuracy"], abs=0.001)


def test_figures_of_one_resample_are_paired():
    right = np.random.default_rng(0).random(80) < 0.6
    both = lambda weights: {  # noqa: E731
        "a": accuracy(right)(weights)["accuracy"],
        "b": accuracy(~right)(weights)["accuracy"],
    }
    _, draws = group_bootstrap(both, np.arange(80), 100, 1)
    assert draws["a"] + draws["b"] == pytest.approx(np.ones(100))


def test_with_every_image_right_the_interval_is_clopper_and_pearsons():
    # All of n right: the lower bound is the p at which p^n = 0.025; for n = 10, 0.6915.
    found = proportion_interval(1.0, np.ones(100), 10)
    assert found == {"value": 1.0, "low": pytest.approx(0.025**0.1), "high": 1.0}
    assert found["low"] == pytest.approx(0.6915, abs=5e-5)
    found = proportion_interval(0.0, np.zeros(100), 10)
    assert found == {"value": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025**0.1)}


def test_with_all_but_a_few_right_the_interval_reaches_over_clopper_and_pearsons():
    # 146 of 147 right: from 0.9627 to 0.9998; one error more never raises the lower bound.
    found = proportion_interval(146 / 147, np.full(100, 146 / 147), 147)
    assert (found["low"], found["high"]) == pytest.approx((0.9627, 0.9998), abs=5e-5)
    lows = [proportion_interval(k / 147, np.full(99, k / 147), 147)["low"] for k in (147, 146, 145)]
    assert lows == sorted(lows, reverse=True)
    wide = proportion_interval(146 / 147, np.linspace(0.9, 1, 100), 147)  # few, large groups
    assert (wide["low"], wide["high"]) == (pytest.approx(0.9025), pytest.approx(0.9998, abs=5e-5))


def test_a_proportion_of_nothing_could_be_anything():
    assert proportion_interval(0.0, np.zeros(9), 0) == {"value": 0.0, "low": 0.0, "high": 1.0}


def test_a_proportion_of_one_group_has_no_interval():
    assert proportion_interval(0.5, np.full(9, 0.5), 1) == {"value": 0.5} | UNKNOWN


def test_one_group_alone_gives_values_without_intervals():
    found = interval(np.array([True, False]), np.array([7, 7]))
    assert found == {"value": 0.5} | UNKNOWN


def test_resamples_without_the_figure_are_left_out():
    found = percentile_interval(0.5, np.array([0.4, np.nan, 0.6, np.nan]))
    assert found["low"] == pytest.approx(0.405)
    assert found["high"] == pytest.approx(0.595)
    assert percentile_interval(0.5, np.full(4, np.nan)) == {"value": 0.5} | UNKNOWN


def test_a_figure_that_does_not_exist_has_no_interval():
    assert percentile_interval(np.nan, np.array([np.nan])) == {"value": None} | UNKNOWN
    assert error_interval(np.nan, np.array([np.nan])) == {"value": None} | UNKNOWN


def test_a_figure_is_still_if_no_resample_moves_it():
    assert is_still(np.array([0.25, np.nan, 0.25]))
    assert not is_still(np.array([0.25, 0.5]))
    assert not is_still(np.empty(0))
