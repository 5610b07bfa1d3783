"""ROC curves run from corner to corner, one for each class that has both sides."""

import numpy as np

from brain_mri.assessment.roc import roc_table


def test_a_roc_curve_runs_from_corner_to_corner_for_each_class():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(3), 50)
    table = roc_table(generator.integers(0, 3, 50), probabilities, ["a", "b", "c"])
    for _, curve in table.groupby("class"):
        rates = curve[["false_positive_rate", "true_positive_rate"]]
        assert list(rates.iloc[0]) == [0, 0]
        assert list(rates.iloc[-1]) == [1, 1]
    assert set(table["class"]) == {"a", "b", "c"}


def test_a_class_that_every_image_is_of_or_none_has_no_curve():
    table = roc_table(np.zeros(6, int), np.full((6, 2), 0.5), ["a", "b"])
    assert table.empty
    assert list(table) == ["class", "false_positive_rate", "true_positive_rate", "threshold"]
