"""Temperature scaling finds the temperature that was there, and the diagram counts its images."""

import numpy as np
import pytest
from scipy.special import softmax

from brain_mri.assessment.calibration import fit_temperature, reliability, scale
from brain_mri.assessment.weighted import calibration_errors


def test_a_known_temperature_is_found_exactly():
    # Two classes, always 0.9 sure, right three times in four: ln(0.9 / 0.1) / T = ln(0.75 / 0.25),
    # and ln 9 is twice ln 3.
    probabilities = np.tile([0.9, 0.1], (4, 1))
    found = fit_temperature(np.array([0, 0, 0, 1]), probabilities)
    assert found == pytest.approx(2, rel=1e-4)
    assert scale(probabilities, found)[0] == pytest.approx([0.75, 0.25], rel=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1, 3])
def test_a_known_temperature_is_found_again_in_random_answers(temperature):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 4)) * 2
    true = softmax(logits, axis=1)
    actual = (generator.random((20_000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    sure = softmax(logits * temperature, axis=1)  # too sure of itself by that much
    assert fit_temperature(actual, sure) == pytest.approx(temperature, rel=0.05)


def test_scaling_lowers_the_loss_it_is_fitted_to_and_keeps_every_answer():
    generator = np.random.default_rng(0)
    probabilities = softmax(generator.normal(size=(300, 4)) * 5, axis=1)
    actual = generator.integers(0, 4, 300)
    scaled = scale(probabilities, fit_temperature(actual, probabilities))
    before, after = (
        calibration_errors(actual, p, 10, np.ones(300)) for p in (probabilities, scaled)
    )
    assert after["log_loss"] < before["log_loss"]
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert scaled.sum(axis=1) == pytest.approx(np.ones(300))


def test_answers_that_are_all_right_are_left_as_they_are():
    assert fit_temperature(np.array([0, 1]), np.array([[0.6, 0.4], [0.1, 0.9]])) == 1


def test_answers_that_are_certain_and_wrong_stay_finite():
    certain = np.eye(4)
    temperature = fit_temperature(np.array([1, 2, 3, 0]), certain)
    assert temperature == pytest.approx(20, rel=0.01)
    assert np.isfinite(scale(certain, temperature)).all()


def test_the_reliability_diagram_counts_the_images_of_each_bin():
    # Bins of a quarter: 0.5 is the upper edge of the second, 1.0 of the last; the first is empty.
    confidence = np.array([0.5, 0.6, 0.7, 1.0])
    probabilities = np.column_stack([confidence, 1 - confidence])
    table = reliability(np.array([0, 0, 1, 0]), probabilities, 4)
    assert table.to_dict("records") == [
        {"bin": 2, "low": 0.25, "high": 0.5, "images": 1, "confidence": 0.5, "accuracy": 1.0},
        {
            "bin": 3,
            "low": 0.5,
            "high": 0.75,
            "images": 2,
            "confidence": pytest.approx(0.65),
            "accuracy": 0.5,
        },
        {"bin": 4, "low": 0.75, "high": 1.0, "images": 1, "confidence": 1.0, "accuracy": 1.0},
    ]


def test_the_calibration_error_is_that_of_the_diagram():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 200)
    actual = generator.integers(0, 3, 200)
    table = reliability(actual, probabilities, 10)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    found = calibration_errors(actual, probabilities, 10, np.ones(200))["ece"]
    assert found == pytest.approx((gaps * table["images"]).sum() / 200)
