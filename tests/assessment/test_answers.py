"""The figures that are shown are those of the origin study to the digit, and of scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from brain_mri.assessment.answers import Answers, Images, figures, headline

CLASSES = ["glioma", "meningioma", "no_tumor", "pituitary"]


def images(actual, classes, healthy_class):
    """Give images without twins, each a group of its own."""
    alone = np.arange(len(actual)), *[np.zeros(len(actual), bool)] * 3
    return Images(np.array(actual), *alone, classes, healthy_class)


def measured(images, answers):
    """Give every figure on the images as they are."""
    found = figures(images, answers, 10, np.ones(len(images.actual)))
    return {key: value.item() for key, value in found.items()}


def test_the_studys_global_f1_is_the_harmonic_mean_of_weighted_precision_and_recall():
    matrix = np.array([[17, 24, 56, 3], [1, 101, 10, 3], [1, 3, 101, 0], [2, 21, 6, 45]])
    actual, predicted = np.indices(matrix.shape).reshape(2, -1).repeat(matrix.ravel(), axis=1)
    found = measured(images(actual, CLASSES, "no_tumor"), Answers(predicted))
    assert found["accuracy", None] == pytest.approx(0.6701, abs=5e-5)
    assert found["weighted_f1", None] == pytest.approx(0.623519, abs=5e-7)
    assert found["global_f1", None] == pytest.approx(0.69626, abs=1e-5)  # printed with a cut digit
    assert found["sensitivity", None] == pytest.approx(1 - (56 + 10 + 6) / 289)
    assert found["specificity", None] == pytest.approx(101 / 105)


def test_without_a_healthy_class_there_is_no_sensitivity():
    found = headline(images([0, 1], ["a", "b"], None), Answers(np.array([0, 1]), np.eye(2)))
    assert list(found) == ["accuracy", "macro_f1", "loss", "macro_auc"]


def test_a_figure_that_does_not_exist_is_none_and_gives_no_warning():
    """Here every image is of the healthy class, so no tumour can be missed and no AUC be had."""
    probabilities = np.full((6, 2), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = headline(
            images([1] * 6, ["a", "b"], "b"), Answers(probabilities.argmax(1), probabilities)
        )
    assert found["sensitivity"] is None
    assert found["macro_auc"] is None
    assert found["macro_f1"] == 0


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_every_figure_is_scikit_learns(classes, count, seed, digits):
    generator = np.random.default_rng(seed)
    # Few images, so that classes are absent; few digits, so that probabilities are tied.
    actual = generator.integers(0, generator.integers(1, classes, endpoint=True), count)
    probabilities = generator.dirichlet(np.ones(classes), count).round(digits) + 10.0**-digits
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    names = [f"class_{n}" for n in range(classes)]
    truth, answers = images(actual, names, names[0]), Answers(predicted, probabilities)
    found, shown = measured(truth, answers), headline(truth, answers)
    present = np.unique(actual)
    aucs = []
    for label, name in enumerate(names):
        if label in present:
            expected = sk.f1_score(actual == label, predicted == label, zero_division=0)
            assert found["f1", name] == pytest.approx(expected)
        if 0 < (actual == label).sum() < count:
            aucs.append(sk.roc_auc_score(actual == label, probabilities[:, label]))
            assert found["auc", name] == pytest.approx(aucs[-1])
    expected = {
        "accuracy": sk.accuracy_score(actual, predicted),
        "macro_f1": sk.f1_score(
            actual, predicted, labels=present, average="macro", zero_division=0
        ),
        "loss": sk.log_loss(actual, probabilities, labels=range(classes)),
        "macro_auc": np.mean(aucs) if aucs else None,
        "sensitivity": (predicted != 0)[actual != 0].mean() if actual.any() else None,
    }
    assert list(shown) == list(expected)
    for name, value in expected.items():
        assert shown[name] == (None if value is None else pytest.approx(value))
