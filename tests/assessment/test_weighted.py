"""Weighted figures are scikit-learn's for that sample_weight, so a resample's are what they say."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from brain_mri.assessment.weighted import (
    area_under_roc,
    averages,
    calibration_errors,
    class_scores,
    share,
)


def made_up(classes, count, seed):
    """Give classes, predictions, probabilities and three rows of weights, many of them 0."""
    generator = np.random.default_rng(seed)
    actual = generator.integers(0, classes, count)
    probabilities = generator.dirichlet(np.ones(classes), count)
    weights = generator.poisson(0.7, (3, count)).astype(float)
    weights[0] = 1
    weights[:, 0] += 1  # some image is always drawn
    return actual, probabilities.argmax(axis=1), probabilities, weights


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 1000))
def test_class_scores_and_averages_are_scikit_learns(classes, count, seed):
    actual, predicted, _, weights = made_up(classes, count, seed)
    found = class_scores(actual, predicted, classes, weights)
    means = averages(found)
    for row, weight in enumerate(weights):
        drawn = {"sample_weight": weight, "labels": range(classes), "zero_division": 0}
        expected = sk.precision_recall_fscore_support(actual, predicted, **drawn)
        known = expected[3] > 0
        for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
            assert found[name][row][known] == pytest.approx(values[known])
            assert np.isnan(found[name][row][~known]).all()
        assert found["support"][row] == pytest.approx(expected[3])
        drawn["labels"] = np.flatnonzero(known)
        for average in ("macro", "weighted"):
            scores = sk.precision_recall_fscore_support(actual, predicted, average=average, **drawn)
            for name, value in zip(("precision", "recall", "f1"), scores, strict=False):
                assert means[f"{average}_{name}"][row] == pytest.approx(value)


def test_an_average_leaves_out_a_class_of_which_no_image_was_drawn():
    actual, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    found = averages(class_scores(actual, predicted, 3, np.array([[1.0, 1.0, 1.0, 0.0]])))
    assert found["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["weighted_recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("matrix", "precision", "recall", "f1"),
    [
        (
            [[17, 24, 56, 3], [1, 101, 10, 3], [1, 3, 101, 0], [2, 21, 6, 45]],
            *(0.72462, 0.670051, 0.623519),
        ),
        (
            [[17, 27, 52, 4], [1, 97, 15, 2], [3, 4, 97, 1], [1, 12, 10, 51]],
            *(0.712068, 0.664975, 0.623227),
        ),
        (
            [[100, 0, 0, 0], [115, 0, 0, 0], [105, 0, 0, 0], [74, 0, 0, 0]],
            *(0.064418, 0.253807, 0.102756),
        ),
    ],
)
def test_the_studys_confusion_matrices_give_its_printed_figures(matrix, precision, recall, f1):
    actual, predicted = np.indices((4, 4)).reshape(2, -1)  # each cell once, weighing its count
    found = averages(class_scores(actual, predicted, 4, np.ravel(matrix).astype(float)))
    assert round(float(found["weighted_precision"]), 6) == precision
    assert round(float(found["weighted_recall"]), 6) == recall
    assert round(float(found["weighted_f1"]), 6) == f1


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(0, 1000), st.integers(0, 2))
def test_the_area_under_roc_is_scikit_learns_also_where_scores_tie(count, seed, digits):
    generator = np.random.default_rng(seed)
    positive = generator.random(count) < 0.4
    score = generator.random(count).round(digits)
    weights = generator.poisson(1, (4, count)).astype(float)
    found = area_under_roc(positive, score, weights)
    for area, weight in zip(found, weights, strict=True):
        drawn = weight > 0
        if len(set(positive[drawn])) < 2:
            assert np.isnan(area)
        else:
            assert area == pytest.approx(sk.roc_auc_score(positive, score, sample_weight=weight))


def test_the_area_under_roc_counts_pairs_and_half_of_ties():
    # Of 2 x 3 pairs: 0.8 is above 0.1, 0.5 and 0.7; 0.5 is above 0.1, level with 0.5: 4.5 of 6.
    positive = np.array([True, True, False, False, False])
    score = np.array([0.8, 0.5, 0.1, 0.5, 0.7])
    assert area_under_roc(positive, score, np.ones(5)) == pytest.approx(4.5 / 6)


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 1000))
def test_log_loss_and_brier_score_are_scikit_learns(classes, count, seed):
    actual, _, probabilities, weights = made_up(classes, count, seed)
    weights += 0.5
    found = calibration_errors(actual, probabilities, 10, weights)
    for row, weight in enumerate(weights):
        drawn = {"sample_weight": weight, "labels": range(classes)}
        assert found["log_loss"][row] == pytest.approx(sk.log_loss(actual, probabilities, **drawn))
        expected = sk.brier_score_loss(actual, probabilities, scale_by_half=False, **drawn)
        assert found["brier"][row] == pytest.approx(expected)


def test_the_errors_of_a_worked_prediction():
    # Cross-entropy: -ln 0.2 = 1.609. Brier: 0.8² + 0.1² + 0.6² + 0.1² = 1.02. ECE: |0 - 0.6|.
    found = calibration_errors(np.array([0]), np.array([[0.2, 0.1, 0.6, 0.1]]), 10, np.array([1.0]))
    assert found["log_loss"] == pytest.approx(1.609, abs=5e-4)
    assert found["brier"] == pytest.approx(1.02)
    assert found["ece"] == pytest.approx(0.6)


def test_the_calibration_error_is_the_mean_gap_of_bins_between_confidence_and_accuracy():
    # Ten images of confidence 0.9, seven right: a gap of 0.2. Five of 0.6, four right: also 0.2,
    # the other way. Five of 0.7, in a bin of their own, all wrong: 0.7.
    # 10/20 * 0.2 + 5/20 * 0.2 + 5/20 * 0.7 = 0.325
    confidence = np.repeat([0.9, 0.6, 0.7], [10, 5, 5])
    right = np.repeat([True, False, True, False], [7, 3, 4, 6])
    probabilities = np.column_stack([confidence, 1 - confidence])
    found = calibration_errors(np.where(right, 0, 1), probabilities, 10, np.ones(20))
    assert found["ece"] == pytest.approx(0.325)
    # In one bin the gaps cancel: accuracy 11/20, mean confidence 0.775.
    one = calibration_errors(np.where(right, 0, 1), probabilities, 1, np.ones(20))
    assert one["ece"] == pytest.approx(0.775 - 0.55)


def test_a_share_of_no_image_does_not_exist():
    part, whole = np.array([True, False, True]), np.array([True, True, False])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = share(part, whole, np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    assert found[:2].tolist() == [0.5, 1.0]
    assert np.isnan(found[2])
