"""The reading of a learning curve is what a person would say of it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_mri.assessment.learning import reading

CODES = [
    "overfitting",
    "underfitting",
    "rate_too_high",
    "rate_too_low",
    "still_improving",
    "fits",
]


def history(loss, accuracy, val_loss, val_accuracy):
    """Give a history; what is one number is the same in every epoch."""
    columns = {
        "loss": loss,
        "accuracy": accuracy,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
    }
    epochs = max(np.size(column) for column in columns.values())
    table = pd.DataFrame(
        {name: np.broadcast_to(column, epochs) for name, column in columns.items()}
    )
    return table.assign(epoch=np.arange(1, epochs + 1), learning_rate=0.001)


# Measured with model_4 of the default parameters on the default data, over 8 epochs.
MEASURED = {
    "adam, 0.00001": (
        [1.367, 1.352, 1.344, 1.339, 1.327, 1.322, 1.311, 1.307],
        [0.294, 0.309, 0.311, 0.335, 0.361, 0.335, 0.367, 0.395],
        [1.359, 1.347, 1.336, 1.327, 1.319, 1.312, 1.304, 1.298],
        [0.290, 0.346, 0.477, 0.374, 0.467, 0.355, 0.486, 0.477],
        ["rate_too_low"],
    ),
    "sgd, 0.001": (
        [1.372, 1.367, 1.366, 1.366, 1.362, 1.358, 1.355, 1.352],
        [0.293, 0.281, 0.286, 0.286, 0.296, 0.307, 0.291, 0.319],
        [1.370, 1.366, 1.363, 1.360, 1.357, 1.355, 1.352, 1.349],
        [0.290, 0.290, 0.299, 0.290, 0.318, 0.318, 0.318, 0.327],
        ["rate_too_low"],
    ),
    "adam, 0.001": (
        [1.325, 1.097, 0.738, 0.495, 0.320, 0.266, 0.217, 0.179],
        [0.324, 0.540, 0.698, 0.800, 0.888, 0.919, 0.946, 0.961],
        [1.253, 0.864, 0.538, 0.350, 0.291, 0.185, 0.143, 0.089],
        [0.393, 0.626, 0.729, 0.888, 0.907, 0.963, 0.963, 0.963],
        ["still_improving"],
    ),
    "adam, 0.005": (
        [1.402, 1.096, 0.742, 0.634, 0.480, 0.403, 0.350, 0.351],
        [0.302, 0.467, 0.730, 0.792, 0.808, 0.854, 0.857, 0.888],
        [1.278, 0.696, 0.572, 0.435, 0.420, 0.345, 0.311, 0.326],
        [0.299, 0.701, 0.804, 0.804, 0.832, 0.841, 0.860, 0.832],
        ["fits"],
    ),
    "adam, 0.3": (
        [211377.8, 775.821, 356.860, 1.393, 1.360, 1.354, 1.353, 1.353],
        [0.273, 0.293, 0.273, 0.296, 0.285, 0.288, 0.276, 0.294],
        [1.361, 1.380, 1.804, 1.354, 1.339, 1.342, 1.343, 1.343],
        [0.299, 0.290, 0.290, 0.299, 0.290, 0.290, 0.299, 0.290],
        ["underfitting", "rate_too_high"],
    ),
    "sigmoid, adam, 0.0001": (
        [1.476, 1.363, 1.357, 1.358, 1.362, 1.366, 1.349, 1.358],
        [0.270, 0.288, 0.270, 0.265, 0.294, 0.267, 0.309, 0.286],
        [1.348, 1.344, 1.339, 1.342, 1.343, 1.343, 1.338, 1.341],
        [0.290, 0.290, 0.290, 0.290, 0.290, 0.299, 0.290, 0.290],
        ["underfitting"],
    ),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_curves_are_read_as_a_person_reads_them(name):
    *curves, expected = MEASURED[name]
    assert reading(history(*curves)) == expected


FALLING = [1.4, 1.0, 0.7, 0.5, 0.36, 0.26, 0.19, 0.13]
RISING = [0.3, 0.5, 0.68, 0.78, 0.85, 0.9, 0.93, 0.95]


def test_a_validation_loss_that_turns_while_training_goes_on_is_overfitting():
    turning = [1.3, 1.0, 0.8, 0.7, 0.7001, 0.75, 0.85, 0.95]
    steady = [1.3, 1.0, 0.8, 0.7, 0.7001, 0.71, 0.7, 0.71]
    assert reading(history(FALLING, RISING, turning, RISING)) == ["overfitting"]
    assert reading(history(FALLING, RISING, steady, RISING)) == ["fits"]


def test_one_noisy_epoch_among_the_last_is_no_overfitting():
    noisy = [1.3, 1.0, 0.8, 0.6, 0.59, 0.61, 0.6, 0.8]
    assert reading(history(FALLING, RISING, noisy, RISING)) == ["fits"]


def test_a_validation_loss_near_zero_may_wobble():
    wobbling = [1.25, 0.3, 0.05, 0.02, 0.013, 0.014, 0.042, 0.03]
    assert reading(history(FALLING, RISING, wobbling, RISING)) == ["fits"]


def test_a_training_accuracy_far_above_that_of_validation_is_overfitting():
    val_loss = [1.3, 1.0, 0.9, 0.85, 0.85, 0.86, 0.85, 0.86]
    val_accuracy = [0.3, 0.5, 0.6, 0.65, 0.66, 0.65, 0.66, 0.65]
    assert reading(history(FALLING, RISING, val_loss, val_accuracy)) == ["overfitting"]


def test_dropout_that_keeps_training_accuracy_below_validation_is_no_fault():
    loss = [1.3, 1.0, 0.8, 0.75, 0.72, 0.71, 0.7, 0.7]
    accuracy = [0.4, 0.55, 0.62, 0.65, 0.66, 0.66, 0.66, 0.66]
    val_loss = [1.0, 0.5, 0.3, 0.2, 0.16, 0.16, 0.16, 0.161]
    val_accuracy = [0.6, 0.8, 0.9, 0.93, 0.95, 0.95, 0.95, 0.95]
    assert reading(history(loss, accuracy, val_loss, val_accuracy)) == ["fits"]


def test_a_training_accuracy_that_stays_low_after_some_progress_is_underfitting():
    loss = [1.3, 1.15, 1.05, 1.0, 1.0, 0.99, 1.0, 0.99]
    accuracy = [0.35, 0.45, 0.52, 0.55, 0.55, 0.55, 0.56, 0.55]
    assert reading(history(loss, accuracy, loss, accuracy)) == ["underfitting"]


def test_two_classes_at_chance_are_underfitting_too():
    accuracy = [0.5, 0.52, 0.49, 0.51, 0.52, 0.5]
    assert reading(history(0.693, accuracy, 0.693, 0.5)) == ["underfitting"]


@pytest.mark.parametrize(
    "loss",
    [
        [1.0, 0.6, 0.9, 0.5, 0.8, 0.4, 0.7, 0.45],
        [1.4, 1.5, 1.7, 2.4, 3.0, 4.1, 6.0, 9.0],
        [1.0, 1.2],
    ],
    ids=["swinging", "diverging", "two epochs"],
)
def test_a_training_loss_that_swings_or_rises_is_a_rate_too_high(loss):
    found = reading(history(loss, 0.7, 0.5, 0.7))
    assert "rate_too_high" in found
    assert "overfitting" not in found


def test_a_training_loss_that_swings_near_zero_is_not():
    loss = [1.0, 0.4, 0.1, 0.06, 0.04, 0.06, 0.03, 0.05]
    assert reading(history(loss, RISING, [*FALLING[:-1], 0.2], RISING)) == ["fits"]


@pytest.mark.parametrize("column", ["loss", "val_loss"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_a_rate_too_high_and_nothing_else(column, value):
    table = history(FALLING, RISING, FALLING, RISING)
    table.loc[7, column] = value
    assert reading(table) == ["rate_too_high"]


def test_a_slow_and_steady_fall_at_a_low_loss_is_no_rate_too_low():
    """As when a pretrained network is tuned."""
    loss = np.linspace(0.10, 0.08, 8)
    assert "rate_too_low" not in reading(history(loss, 0.97, loss, 0.97))
    assert "rate_too_low" in reading(history(loss + 1, 0.5, loss + 1, 0.5))


def test_a_fall_that_levels_off_is_no_rate_too_low():
    loss = 1.0 + 0.4 * 0.5 ** np.arange(8)
    assert reading(history(loss, RISING, loss + 0.1, RISING)) == ["fits"]


def test_a_last_epoch_that_is_hardly_the_best_is_not_still_improving():
    hardly, notably = [*FALLING[:-1], 0.1899], FALLING
    assert reading(history(FALLING, RISING, hardly, RISING)) == ["fits"]
    assert reading(history(FALLING, RISING, notably, RISING)) == ["still_improving"]


def test_a_single_epoch_can_only_go_on():
    assert reading(history(1.3, 0.9, 1.3, 0.3)) == ["still_improving"]


@pytest.mark.parametrize(("accuracy", "expected"), [(0.25, "underfitting"), (1.0, "fits")])
def test_a_loss_that_never_moves_is_read_by_its_accuracy(accuracy, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reading(history([1.386] * 6, accuracy, 1.386, accuracy)) == [expected]
        assert reading(history([0.0] * 6, 1.0, 0.0, 1.0)) == ["fits"]


LEVEL = [1.0, 0.8, 0.7, 0.66, 0.65, 0.65, 0.65, 0.65]


@pytest.mark.parametrize(
    ("code", "without", "with_it"),
    [
        # Training accuracy 9 and 11 points above validation's.
        ("overfitting", (LEVEL, 0.95, LEVEL, 0.86), (LEVEL, 0.95, LEVEL, 0.84)),
        # Validation loss turns by 8 and by 12 % of the first epoch's loss.
        (
            "overfitting",
            (FALLING[:6], 0.95, [1.3, 0.6, 0.6, 0.704, 0.704, 0.704], 0.95),
            (FALLING[:6], 0.95, [1.3, 0.6, 0.6, 0.756, 0.756, 0.756], 0.95),
        ),
        # 8 and 12 % of the training images are wrong, and that stays so.
        ("underfitting", (LEVEL, 0.92, LEVEL, 0.9), (LEVEL, 0.88, LEVEL, 0.87)),
        # Of the first epoch's errors 45 and 55 % are left.
        (
            "underfitting",
            (LEVEL, [0.2] + [0.64] * 7, LEVEL, 0.1),
            (LEVEL, [0.2] + [0.56] * 7, LEVEL, 0.1),
        ),
        # The second half corrects 15 and 5 % of its errors.
        (
            "underfitting",
            (LEVEL, [0.2] + [0.3] * 6 + [0.405], LEVEL, 0.1),
            (LEVEL, [0.2] + [0.3] * 6 + [0.335], LEVEL, 0.1),
        ),
        # Two of eight rises of 4 and of 6 % of the first epoch's loss.
        (
            "rate_too_high",
            ([1.0, 0.8, 0.7, 0.74, 0.6, 0.5, 0.54, 0.4, 0.3], 0.95, [*LEVEL, 0.65], 0.95),
            ([1.0, 0.8, 0.7, 0.76, 0.6, 0.5, 0.56, 0.4, 0.3], 0.95, [*LEVEL, 0.65], 0.95),
        ),
        # One and two of eight epochs with a rise.
        (
            "rate_too_high",
            ([1.0, 0.8, 0.7, 0.76, 0.6, 0.5, 0.45, 0.4, 0.3], 0.95, [*LEVEL, 0.65], 0.95),
            ([1.0, 0.8, 0.7, 0.76, 0.6, 0.5, 0.56, 0.4, 0.3], 0.95, [*LEVEL, 0.65], 0.95),
        ),
        # The first epoch cost 4 and 6 times what a stuck network ends with.
        (
            "rate_too_high",
            ([4.0] + [1.0] * 5, 0.25, 1.0, 0.25),
            ([6.0] + [1.0] * 5, 0.25, 1.0, 0.25),
        ),
        # A straight fall to 45 and to 55 % of the first epoch's loss.
        (
            "rate_too_low",
            (np.linspace(1, 0.45, 8), 0.5, LEVEL, 0.5),
            (np.linspace(1, 0.55, 8), 0.5, LEVEL, 0.5),
        ),
        # It falls in 5 and in 6 of 7 steps.
        (
            "rate_too_low",
            ([1.0, 0.95, 0.96, 0.9, 0.85, 0.86, 0.8, 0.75], 0.5, LEVEL, 0.5),
            ([1.0, 0.95, 0.96, 0.9, 0.86, 0.84, 0.8, 0.75], 0.5, LEVEL, 0.5),
        ),
        # The second half falls 0.4 and 0.6 times as fast as the first.
        (
            "rate_too_low",
            ([1.0, 0.95, 0.9, 0.88, 0.86], 0.5, 1.0, 0.5),
            ([1.0, 0.95, 0.9, 0.87, 0.84], 0.5, 1.0, 0.5),
        ),
        # The last epoch is better by 0.5 and by 2 %.
        (
            "still_improving",
            (LEVEL, 0.95, [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4975], 0.95),
            (LEVEL, 0.95, [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.49], 0.95),
        ),
    ],
)
def test_a_rule_applies_from_its_threshold_on(code, without, with_it):
    assert code not in reading(history(*without))
    assert code in reading(history(*with_it))


@given(st.data(), st.integers(1, 12))
def test_any_history_has_a_reading_in_a_fixed_order_and_fits_stands_alone(data, epochs):
    losses = st.lists(st.floats(0, 1e6) | st.just(np.nan), min_size=epochs, max_size=epochs)
    shares = st.lists(st.floats(0, 1), min_size=epochs, max_size=epochs)
    table = history(*(data.draw(column) for column in (losses, shares, losses, shares)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reading(table)
    assert found
    assert found == [code for code in CODES if code in found]
    assert "fits" not in found or found == ["fits"]
