"""The metrics are those of the origin study to the digit, and of scikit-learn on any table."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from stages.assessment.metrics import classification_metrics, roc_table, subset_metrics

CLASSES = ["glioma", "meningioma", "no_tumor", "pituitary"]


def from_confusion(matrix):
    """Give actual and predicted classes that make a confusion matrix, with sure probabilities."""
    matrix = np.array(matrix)
    actual, predicted = np.indices(matrix.shape).reshape(2, -1).repeat(matrix.ravel(), axis=1)
    return actual, predicted, np.eye(len(matrix))[predicted] * 0.96 + 0.04 / len(matrix)


@pytest.mark.parametrize(
    ("matrix", "precision", "recall", "f1", "accuracy"),
    [
        (
            [[17, 24, 56, 3], [1, 101, 10, 3], [1, 3, 101, 0], [2, 21, 6, 45]],
            *("0.72462", "0.670051", "0.623519", "0.6701"),
        ),
        (
            [[17, 27, 52, 4], [1, 97, 15, 2], [3, 4, 97, 1], [1, 12, 10, 51]],
            *("0.712068", "0.664975", "0.623227", "0.664975"),
        ),
        (
            [[100, 0, 0, 0], [115, 0, 0, 0], [105, 0, 0, 0], [74, 0, 0, 0]],
            *("0.064418", "0.253807", "0.102756", "0.2538"),
        ),
    ],
)
def test_the_studys_confusion_matrices_give_its_printed_figures(
    matrix, precision, recall, f1, accuracy
):
    found = classification_metrics(*from_confusion(matrix), CLASSES, "no_tumor")
    printed = {"precision": precision, "recall": recall, "f1": f1}
    for name, digits in printed.items():
        assert round(found["weighted"][name], len(digits) - 2) == float(digits)
    assert round(found["accuracy"], 4) == round(float(accuracy), 4)


def test_the_studys_global_f1_is_the_harmonic_mean_of_weighted_precision_and_recall():
    matrix = [[17, 24, 56, 3], [1, 101, 10, 3], [1, 3, 101, 0], [2, 21, 6, 45]]
    found = classification_metrics(*from_confusion(matrix), CLASSES)
    assert found["global_f1"] == pytest.approx(0.69626, abs=1e-5)  # printed with a cut last digit
    assert found["global_f1"] != found["weighted"]["f1"]


def test_the_two_class_view_counts_missed_tumours_and_false_alarms():
    matrix = [[17, 24, 56, 3], [1, 101, 10, 3], [1, 3, 101, 0], [2, 21, 6, 45]]
    found = classification_metrics(*from_confusion(matrix), CLASSES, "no_tumor")["tumour"]
    assert found["missed_tumours"] == 56 + 10 + 6
    assert found["false_alarms"] == 4
    assert found["sensitivity"] == pytest.approx(1 - 72 / 289)
    assert found["specificity"] == pytest.approx(101 / 105)


def test_without_a_healthy_class_there_is_no_two_class_view():
    assert "tumour" not in classification_metrics(*from_confusion(np.eye(4, dtype=int)), CLASSES)


def test_a_class_never_predicted_gives_zero_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classification_metrics(*from_confusion([[5, 0], [5, 0]]), ["a", "b"], "b")
    assert found["per_class"]["b"]["precision"] == 0
    assert found["per_class"]["b"]["f1"] == 0


def test_a_class_without_a_test_image_has_no_figures_and_is_in_no_average():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classification_metrics(*from_confusion([[5, 1], [0, 0]]), ["a", "b"], "b")
        table = roc_table(*from_confusion([[5, 1], [0, 0]])[::2], ["a", "b"])
    unknown = dict.fromkeys(("precision", "recall", "f1", "auc"))
    assert found["per_class"]["b"] == unknown | {"support": 0}
    assert found["macro"] == {key: found["per_class"]["a"][key] for key in found["macro"]}
    assert found["macro_auc"] is None
    assert found["tumour"]["specificity"] is None
    assert table.empty


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_every_figure_is_scikit_learns(classes, count, seed, digits):
    generator = np.random.default_rng(seed)
    # Few images, so that classes are absent; few digits, so that probabilities are tied.
    actual = generator.integers(0, generator.integers(1, classes, endpoint=True), count)
    probabilities = generator.dirichlet(np.ones(classes), count).round(digits) + 10.0**-digits
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = np.where(
        generator.random(count) < 0.3,
        actual,
        generator.integers(0, generator.integers(1, classes, endpoint=True), count),
    )
    names = [f"class_{n}" for n in range(classes)]
    found = classification_metrics(actual, predicted, probabilities, names, names[0])
    labels = list(range(classes))
    known = {"labels": np.unique(actual), "zero_division": 0}
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(actual, predicted))
    assert found["loss"] == pytest.approx(-np.log(probabilities[range(count), actual]).mean())
    for average in ("macro", "weighted"):
        for figure, score in scores.items():
            expected = score(actual, predicted, average=average, **known)
            assert found[average][figure] == pytest.approx(expected)
    matrix = sk.confusion_matrix(actual, predicted, labels=labels)
    aucs = []
    for label, name in enumerate(names):
        row = found["per_class"][name]
        assert row["support"] == matrix[label].sum()
        for figure, score in scores.items():
            expected = score(actual == label, predicted == label, zero_division=0)
            assert row[figure] == (pytest.approx(expected) if row["support"] else None)
        if 0 < row["support"] < count:
            aucs.append(sk.roc_auc_score(actual == label, probabilities[:, label]))
            assert row["auc"] == pytest.approx(aucs[-1])
        else:
            assert row["auc"] is None
    assert found["macro_auc"] == (pytest.approx(np.mean(aucs)) if aucs else None)
    ill, called_ill = actual != 0, predicted != 0
    two = sk.confusion_matrix(ill, called_ill, labels=[False, True])
    tumour = found["tumour"]
    assert (tumour["false_alarms"], tumour["missed_tumours"]) == (two[0, 1], two[1, 0])
    for figure, side in (("specificity", 0), ("sensitivity", 1)):
        known_side = two[side].any()
        expected = two[side, side] / two[side].sum() if known_side else None
        assert tumour[figure] == (pytest.approx(expected) if known_side else None)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_subset_has_scikit_learns_figures_too(count, seed):
    generator = np.random.default_rng(seed)
    actual, predicted = generator.integers(0, 4, (2, count))
    subset = generator.random(count) < 0.5
    found = subset_metrics(actual, predicted, subset)
    assert found["images"] == subset.sum()
    if subset.any():
        actual, predicted = actual[subset], predicted[subset]
        assert found["accuracy"] == pytest.approx(sk.accuracy_score(actual, predicted))
        per_class = sk.f1_score(actual, predicted, labels=range(4), average=None, zero_division=0)
        assert found["macro_f1"] == pytest.approx(per_class[np.unique(actual)].mean())


def test_a_subset_is_measured_on_its_own_images_alone():
    actual, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    subset = np.array([True, True, False, False])
    assert subset_metrics(actual, predicted, subset)["accuracy"] == 0.5
    assert subset_metrics(actual, predicted, ~subset)["accuracy"] == 1
    assert subset_metrics(actual, predicted, np.zeros(4, bool)) == {
        "images": 0,
        "accuracy": None,
        "macro_f1": None,
    }


def test_a_roc_curve_runs_from_corner_to_corner_for_each_class():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 50)
    table = roc_table(generator.integers(0, 3, 50), probabilities, ["a", "b", "c"])
    for _, curve in table.groupby("class"):
        rates = curve[["false_positive_rate", "true_positive_rate"]]
        assert list(rates.iloc[0]) == [0, 0]
        assert list(rates.iloc[-1]) == [1, 1]
    assert set(table["class"]) == {"a", "b", "c"}
