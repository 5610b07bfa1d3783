"""A study's arms are compared over seeds and test images, seed by seed, as its design says."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from brain_mri.assessment.replicates import (
    arm_table,
    contrast_table,
    contrasts,
    endings,
    measure_runs,
    student,
)

CLASSES = ["ill", "well"]


def runs_of(right_shares, seeds=4, images=120):
    """Make runs that answer a share of the images rightly, other images with every seed."""
    actual = np.arange(images) % 2
    predicted = {}
    for arm, share in right_shares.items():
        for seed in range(seeds):
            right = np.random.default_rng([seed, len(arm)]).random(images) < share
            predicted[arm, seed] = np.where(right, actual, 1 - actual)
    return actual, predicted


def measured(actual, predicted, resamples=400, healthy_class="well"):
    truth = {"group": np.arange(len(actual)), "actual": np.array(CLASSES)[actual]}
    predictions = {
        run: pd.DataFrame(truth | {"predicted": np.array(CLASSES)[answers]})
        for run, answers in predicted.items()
    }
    return measure_runs(predictions, CLASSES, healthy_class, resamples, 1)


def test_every_run_is_measured_as_scikit_learn_does():
    actual, predicted = runs_of({"a": 0.7, "bb": 0.5})
    values, draws = measured(actual, predicted)
    for (arm, seed), answers in predicted.items():
        assert values["accuracy", arm, seed] == pytest.approx((answers == actual).mean())
        f1 = f1_score(actual, answers, average="macro")
        assert values["macro_f1", arm, seed] == pytest.approx(f1)
        sensitivity = (answers[actual == 0] == 0).mean()
        assert values["sensitivity", arm, seed] == pytest.approx(sensitivity)
        assert draws["macro_f1", arm, seed].shape == (400,)


def test_an_arms_spread_is_that_of_its_seeds():
    actual, predicted = runs_of({"a": 0.7, "bb": 0.5})
    table = arm_table(measured(actual, predicted)[0], "accuracy").set_index("arm")
    own = [(predicted["a", seed] == actual).mean() for seed in range(4)]
    row = table.loc["a"]
    assert row["runs"] == 4
    assert row["mean"] == pytest.approx(np.mean(own))
    assert row["spread"] == pytest.approx(np.std(own, ddof=1))
    assert (row["lowest"], row["highest"]) == (min(own), max(own))


def test_the_two_by_two_gives_main_effects_and_interaction():
    found = contrasts(
        ["none", "over", "both", "aug", "under"],
        "none",
        {"balancing": ["over", "both"], "augmentation": ["aug", "both"]},
    )
    means = {"none": 0.5, "over": 0.6, "aug": 0.7, "both": 1.0, "under": 0.0}

    def effect(name):
        return sum(weight * means[arm] for arm, weight in found[name].items())

    assert effect("over") == pytest.approx(0.1)
    assert effect("factor: balancing") == pytest.approx((0.6 + 1.0) / 2 - (0.5 + 0.7) / 2)
    assert effect("factor: augmentation") == pytest.approx((0.7 + 1.0) / 2 - (0.5 + 0.6) / 2)
    interaction = (1.0 - 0.7) - (0.6 - 0.5)
    assert effect("interaction: balancing x augmentation") == pytest.approx(interaction)


def test_a_real_difference_is_found_and_none_is_not():
    actual, predicted = runs_of({"ref": 0.6, "same": 0.6, "better": 0.9}, images=300)
    values, draws = measured(actual, predicted)
    wanted = contrasts(["ref", "same", "better"], "ref", {})
    table = contrast_table(values, draws, "accuracy", wanted, 1).set_index("contrast")
    assert table.loc["better", "verdict"] == "higher"
    assert table.loc["better", "low"] > 0
    assert table.loc["same", "verdict"] == "undecided"
    assert table.loc["same", "low"] < 0 < table.loc["same", "high"]
    assert (table["p_holm"] >= table["p"]).all()


def test_seeds_that_disagree_widen_the_interval():
    """The same mean difference is less sure when one seed makes all of it."""
    actual = np.zeros(200, int)
    actual[100:] = 1
    steady, erratic = {}, {}
    for seed in range(4):
        for runs, wrong in ((steady, 10), (erratic, 40 if seed == 0 else 0)):
            answers = actual.copy()
            answers[:wrong] = 1
            runs["ref", seed], runs["arm", seed] = actual, answers
    widths = []
    for runs in (steady, erratic):
        values, draws = measured(actual, runs)
        table = contrast_table(values, draws, "accuracy", contrasts(["ref", "arm"], "ref", {}), 1)
        assert table["difference"].iloc[0] == pytest.approx(-0.05)
        widths.append(table["high"].iloc[0] - table["low"].iloc[0])
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_arms_that_differ_by_their_seeds_alone_are_seldom_told_apart(seeds):
    """Drawing the seeds anew, alone, calls a fifth of such arms different."""
    generator = np.random.default_rng(0)
    pairs = {f"pair {n}": {f"one {n}": 1.0, f"other {n}": -1.0} for n in range(400)}
    runs = [
        ("accuracy", arm, seed) for pair in pairs.values() for arm in pair for seed in range(seeds)
    ]
    values = {run: generator.normal(0.7, 0.1) for run in runs}
    draws = {run: value + generator.normal(0, 0.02, 300) for run, value in values.items()}
    table = contrast_table(values, draws, "accuracy", pairs, 1)
    assert (table["p"] < 0.05).mean() < 0.08


def test_students_interval_is_the_textbooks():
    """The extra sleep of ten patients by the second drug over the first (Student 1908)."""
    more = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert student(more) == pytest.approx((0.7001, 2.4599, 0.00283), abs=5e-5)
    assert student(np.array([0.5, 0.5])) == (0.5, 0.5, 0.0)


def test_without_an_ill_image_there_is_no_sensitivity():
    values, _ = measured(np.ones(9, int), {("a", 1): np.ones(9, int)}, resamples=9)
    assert {measure for measure, _, _ in values} == {"accuracy", "macro_f1"}


def test_without_a_healthy_class_there_is_no_sensitivity():
    actual, predicted = runs_of({"a": 0.7, "bb": 0.5})
    values, _ = measured(actual, predicted, resamples=100, healthy_class=None)
    assert {measure for measure, _, _ in values} == {"accuracy", "macro_f1"}


def diagnosis(verdict, collapse=None, saturation=None):
    def seen(step):
        return None if step is None else {"step": step, "layer": f"at {step}", "value": 0.5}

    return {"verdict": verdict, "collapse": seen(collapse), "saturation": seen(saturation)}


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (["saturation", "saturation"], "confirmed"),
        (["collapse", "slow"], "refuted"),
        (["collapse", "saturation"], "mixed"),
    ],
)
def test_the_origin_studys_claim_is_judged_by_the_sigmoid_runs_that_failed(verdicts, answer):
    found = endings(
        {
            ("s", 1): diagnosis(verdicts[0]),
            ("s", 2): diagnosis(verdicts[1]),
            ("s", 3): diagnosis("learns"),
            ("r", 1): diagnosis("saturation" if answer == "refuted" else "collapse"),
        },
        {"s": "sigmoid", "r": "tanh"},
    )
    assert found["claim"]["answer"] == answer
    assert found["claim"]["saturated"] == verdicts.count("saturation")
    assert found["claim"]["failed"] == 2
    assert found["ended"]["s"]["learns"] == 1


def test_where_no_sigmoid_run_failed_nothing_is_claimed():
    found = endings({("s", 1): diagnosis("learns")}, {"s": "sigmoid"})
    assert found["claim"] is None
    assert found["failed"] == []


def test_what_was_first_seen_in_an_arm_is_of_the_earliest_run():
    runs = {("s", 1): diagnosis("collapse", 4, 16), ("s", 2): diagnosis("collapse", 2, None)}
    (row,) = endings(runs, {"s": "sigmoid"})["failed"]
    assert row["collapse"]["step"] == 2
    assert row["saturation"]["step"] == 16
