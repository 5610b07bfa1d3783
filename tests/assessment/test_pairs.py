"""The tests of pairs give the values that textbooks and other programs print."""

import warnings

import numpy as np
import pytest

from brain_mri.assessment.intervals import group_bootstrap
from brain_mri.assessment.pairs import (
    bootstrap_p,
    holm,
    mcnemar,
    smallest_p,
    stuart_maxwell,
    verdict,
)


def answers(table):
    """Give two classifiers' predictions that make a table, the first by row."""
    table = np.array(table)
    return np.indices(table.shape).reshape(2, -1).repeat(table.ravel(), axis=1)


def rights(both, only_a, only_b, neither):
    """Give on which images two classifiers are right."""
    a, b = answers([[neither, only_b], [only_a, both]]).astype(bool)
    return a, b


def test_mcnemar_on_two_media_for_a_culture():
    # Armitage and Berry 1994, Statistical Methods in Medical Research, p. 127, as StatsDirect's
    # manual gives it: of 50 specimens 12 grew on A only and 2 on B only; exact P = 0.0129.
    # By hand: 2 * (1 + 14 + 91) / 2^14 = 212 / 16384.
    found = mcnemar(*rights(20, 12, 2, 16))
    assert found == {"only_a_right": 12, "only_b_right": 2, "p": pytest.approx(212 / 16384)}
    assert round(found["p"], 4) == 0.0129


def test_mcnemar_without_a_difference_gives_one():
    assert mcnemar(*rights(5, 3, 3, 1))["p"] == 1
    assert mcnemar(*rights(5, 0, 0, 1))["p"] == 1


@pytest.mark.parametrize(
    ("table", "statistic", "degrees", "p"),
    [
        # Stuart 1955, unaided vision of 7477 women; statsmodels' manual prints 11.957 and 0.008.
        (
            [[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]],
            *(11.957, 3, 0.00753),
        ),
        # Uebersax, john-uebersax.com/stat/mcnemar.htm; R's DescTools has it as its example.
        ([[20, 10, 5], [3, 30, 15], [0, 5, 40]], 13.765, 2, 0.001026),
        # Three classes have a closed form (Fleiss and Everitt 1971, British Journal of Mathematical
        # and Statistical Psychology 24:117), with m the means of opposite cells and d the
        # differences of margins, here m12 = 10, m13 = m23 = 5, d = (-20, 10, 10):
        # (m23 d1² + m13 d2² + m12 d3²) / (2 (m12 m13 + m12 m23 + m13 m23)) = 3500 / 250 = 14,
        # and with two degrees of freedom p = exp(-14 / 2).
        ([[35, 5, 0], [15, 20, 5], [10, 5, 5]], 14.0, 2, 0.000912),
        # Uebersax's MH program, a class of perfect agreement: 0.667, and p 0.414 with the degree
        # of freedom that is left. By hand as McNemar's chi-squared: (4 - 2)² / (4 + 2).
        ([[30, 0, 0], [0, 10, 2], [0, 4, 8]], 0.667, 1, 0.414),
    ],
)
def test_stuart_maxwell_on_published_tables(table, statistic, degrees, p):
    found = stuart_maxwell(*answers(table), len(table))
    assert found["statistic"] == pytest.approx(statistic, abs=5e-4)
    assert found["degrees_of_freedom"] == degrees
    assert found["p"] == pytest.approx(p, rel=2e-3)


def test_stuart_maxwell_leaves_out_a_class_that_neither_predicts():
    table = [[20, 10, 5], [3, 30, 15], [0, 5, 40]]
    wider = np.insert(np.insert(table, 1, 0, axis=0), 1, 0, axis=1)
    assert stuart_maxwell(*answers(wider), 4) == stuart_maxwell(*answers(table), 3)


def test_stuart_maxwell_adds_up_groups_of_classes_confused_among_themselves():
    # The covariance is singular: 0 and 1 are never taken for 2 or 3. (7 - 2)² / 9 + (1 - 4)² / 5
    table = [[9, 7, 0, 0], [2, 9, 0, 0], [0, 0, 9, 1], [0, 0, 4, 9]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = stuart_maxwell(*answers(table), 4)
    assert found["statistic"] == pytest.approx(25 / 9 + 9 / 5)
    assert found["degrees_of_freedom"] == 2


@pytest.mark.parametrize(
    ("table", "degrees"), [([[5, 0], [0, 5]], 0), ([[5, 2], [2, 5]], 1), ([[9, 0], [0, 0]], 0)]
)
def test_stuart_maxwell_of_equal_margins_gives_one(table, degrees):
    found = stuart_maxwell(*answers(table), 2)
    assert found == {"statistic": 0, "degrees_of_freedom": degrees, "p": 1}


def test_stuart_maxwell_of_classifiers_that_never_agree():
    found = stuart_maxwell(np.zeros(40, int), np.full(40, 2), 4)
    assert found["statistic"] == pytest.approx(40)  # McNemar's: (40 - 0)² / 40
    assert found["degrees_of_freedom"] == 1


def test_holm_corrects_by_rank():
    # Wikipedia, Holm-Bonferroni method: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 at least as much.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_does_not_count_tests_that_do_not_exist():
    assert holm([None, 0.01, 0.04, None]) == [None, pytest.approx(0.02), pytest.approx(0.04), None]
    assert holm([None]) == [None]


def test_the_bootstraps_p_is_twice_the_share_beyond_zero():
    # Three of 99 at or below zero: 2 * (3 + 1) / (99 + 1).
    draws = np.concatenate([[-0.1, 0, -0.2], np.full(96, 0.3)])
    assert bootstrap_p(draws, 50) == pytest.approx(0.08)
    assert bootstrap_p(-draws, 50) == pytest.approx(0.08)
    assert bootstrap_p(np.append(draws, np.nan), 50) == pytest.approx(0.08)


def test_the_bootstraps_p_is_one_without_a_difference_and_never_zero():
    assert bootstrap_p(np.zeros(99), 0) == 1
    assert bootstrap_p(np.full(99, 0.1), 50) == smallest_p(99) == 0.02
    assert bootstrap_p(np.empty(0), 50) is None


def test_the_bootstraps_p_is_not_below_the_sign_tests():
    # Four groups all in favour: 2 / 2^4, what exact McNemar gives too.
    assert bootstrap_p(np.full(1999, 0.1), 4) == 0.125
    assert mcnemar(*rights(9, 4, 0, 0))["p"] == 0.125


def test_with_twins_the_bootstrap_keeps_its_word_and_mcnemar_does_not():
    # Equal classifiers, right or wrong on whole groups of 1 to 4 twins: p below 0.05 is chance.
    generator = np.random.default_rng(0)
    by_bootstrap = by_mcnemar = 0
    for seed in range(200):
        group = np.repeat(np.arange(100), generator.integers(1, 5, 100))
        known = generator.random(100) < 0.8
        a, b = (
            np.where(generator.random(100) < 0.15, generator.random(100) < 0.8, known)[group]
            for _ in "ab"
        )
        difference = a.astype(float) - b
        _, draws = group_bootstrap(
            lambda weights, d=difference: {"accuracy": weights @ d / weights.sum(axis=-1)},
            *(group, 400, seed),
        )
        differ = len(np.unique(group[a != b]))
        by_bootstrap += bootstrap_p(draws["accuracy"], differ) < 0.05
        by_mcnemar += mcnemar(a, b)["p"] < 0.05
    assert by_bootstrap / 200 < 0.07
    assert by_mcnemar / 200 > 0.1


def test_a_difference_is_shown_where_p_is_below_the_level_and_has_a_direction_only_then():
    assert verdict(0.1, 0.049) == "higher"
    assert verdict(-0.1, 0.049) == "lower"
    assert {verdict(0.1, p) for p in (0.05, 1.0, np.nan)} == {"undecided"}
    assert verdict(None, None) == "undecided"
