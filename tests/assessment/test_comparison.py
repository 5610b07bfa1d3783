"""A comparison says what its figures allow: no certainty, no verdict without evidence, no crash."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from brain_mri.assessment.answers import Answers, Images, headline, recommend, settle
from brain_mri.assessment.comparison import compare

CLASSES = ["glioma", "meningioma", "no_tumor", "pituitary"]


def images(actual, group=None, healthy_class="no_tumor", classes=CLASSES):
    count = len(actual)
    return Images(
        actual=np.asarray(actual),
        group=np.arange(count) if group is None else np.asarray(group),
        twin=np.arange(count) % 3 == 0,
        same_patient=np.arange(count) % 3 == 0,
        known=np.zeros(count, bool),
        classes=classes,
        healthy_class=healthy_class,
    )


def model(actual, skill, seed, classes=4):
    """Give the answers of a model that knows as much."""
    logits = np.random.default_rng(seed).normal(size=(len(actual), classes))
    logits[np.arange(len(actual)), actual] += skill
    probabilities = softmax(logits, axis=1)
    return Answers(probabilities.argmax(axis=1), probabilities)


def certain(predicted, classes=4):
    return Answers(np.asarray(predicted), np.eye(classes)[predicted])


def compared(truth, models, look_up=None, resamples=200, bins=10):
    first = Answers(np.zeros(len(truth.actual), int))
    others = {
        "look_up": Answers(first.predicted if look_up is None else look_up),
        "majority": first,
    }
    how = {"bins": bins, "resamples": resamples, "seed": 1, "target_sensitivity": 0.99}
    return compare(truth, models, others, **how)


def intervals_in(content):
    """Give every interval there is, at any depth."""
    for value in content.values():
        if isinstance(value, dict):
            if {"value", "low", "high"} <= value.keys():
                yield value
            else:
                yield from intervals_in(value)


def test_values_are_those_that_metrics_show():
    truth = images(np.random.default_rng(0).integers(0, 4, 150))
    answers = model(truth.actual, 1, 1)
    found = compared(truth, {"m": answers})["classifiers"]["m"]
    for name, value in headline(truth, answers).items():
        assert found[name]["value"] == pytest.approx(value)
    for interval in intervals_in(found):
        assert interval["low"] <= interval["value"] <= interval["high"]


def test_the_accuracy_of_images_with_and_without_a_twin_is_told_apart():
    truth = images([0, 0, 1, 1, 2, 2])  # the first and the fourth have a twin
    found = compared(truth, {"m": certain([0, 1, 1, 0, 2, 2])})["classifiers"]["m"]
    assert found["with_twin_accuracy"]["value"] == 0.5
    assert found["without_twin_accuracy"]["value"] == 0.75
    none = replace(truth, twin=np.zeros(6, bool))
    found = compared(none, {"m": certain([0, 1, 1, 0, 2, 2])})["classifiers"]["m"]
    assert "with_twin_accuracy" not in found
    assert found["without_twin_accuracy"] == found["accuracy"]


def test_a_model_that_is_always_right_is_not_certain_to_be():
    truth = images(np.arange(80) % 4)
    found = compared(truth, {"m": certain(truth.actual)})["classifiers"]["m"]
    assert found["accuracy"] == {"value": 1.0, "low": pytest.approx(0.025 ** (1 / 80)), "high": 1.0}
    scores = [score for label in found["per_class"].values() for score in label.values()]
    averages = [score for name, score in found.items() if name.split("_")[0] in ("macro", "global")]
    for interval in scores + averages:
        assert interval["value"] == interval["high"] == 1
        assert 0.75 < interval["low"] < 0.95
    # 20 images per class: recall 0.025^(1/20) = 0.832. Of F1 that bounds J, so 2J / (1 + J).
    glioma = found["per_class"]["glioma"]
    assert glioma["recall"]["low"] == pytest.approx(0.8316, abs=1e-4)
    assert glioma["f1"]["low"] == pytest.approx(2 * 0.8316 / 1.8316, abs=1e-4)
    assert found["macro_recall"]["low"] == pytest.approx(glioma["recall"]["low"])


def test_a_model_that_always_says_the_same_has_intervals_too():
    truth = images(np.arange(80) % 4)
    found = compared(truth, {"m": certain(np.zeros(80, int))})["classifiers"]["m"]
    assert found["macro_recall"]["value"] == 0.25
    assert found["macro_recall"]["low"] < 0.25 < found["macro_recall"]["high"]
    assert found["per_class"]["pituitary"]["precision"] == {"value": 0.0, "low": 0.0, "high": 1.0}
    assert found["per_class"]["pituitary"]["recall"]["high"] == pytest.approx(1 - 0.8316, abs=1e-4)
    assert found["specificity"]["value"] == 0
    assert found["sensitivity"]["value"] == 1


def test_the_interval_of_a_small_class_is_wider():
    truth = images(np.repeat([0, 1], [300, 20]))
    found = compared(truth, {"m": model(truth.actual, 2, 0)})["classifiers"]["m"]["per_class"]
    width = {
        name: found[name]["recall"]["high"] - found[name]["recall"]["low"] for name in CLASSES[:2]
    }
    assert width["meningioma"] > 2 * width["glioma"]


def test_identical_models_do_not_differ():
    truth = images(np.arange(60) % 4)
    answers = model(truth.actual, 1, 0)
    found = compared(truth, {"a": answers, "b": answers}, resamples=2000)["pairs"]["a - b"]
    assert found["mcnemar"] == {"only_a_right": 0, "only_b_right": 0, "p": 1, "p_holm": 1}
    assert found["stuart_maxwell"]["p"] == 1
    for name in ("accuracy", "macro_f1", "sensitivity"):
        assert found[name] == {"value": 0, "low": 0, "high": 0, "p": 1, "p_holm": 1}


def test_differences_are_paired_and_a_minus_b():
    # b errs where a does and on four images more: the difference is surer than either accuracy.
    truth = images(np.arange(200) % 4)
    wrong = (truth.actual + 1) % 4
    a = np.where(np.arange(200) < 60, wrong, truth.actual)
    b = np.where(np.arange(200) < 64, wrong, truth.actual)
    found = compared(truth, {"a": certain(a), "b": certain(b)}, resamples=2000)
    difference = found["pairs"]["a - b"]["accuracy"]
    assert difference["value"] == pytest.approx(0.02)
    assert found["pairs"]["a - b"]["mcnemar"]["only_a_right"] == 4
    alone = found["classifiers"]["a"]["accuracy"]
    assert difference["high"] - difference["low"] < (alone["high"] - alone["low"]) / 2
    assert difference["p"] >= found["pairs"]["a - b"]["mcnemar"]["p"] == 0.125


def test_a_difference_as_large_as_can_be_is_not_certain_either():
    truth = images(np.repeat([0, 2], 40))
    models = {"right": certain(truth.actual), "healthy": certain(np.full(80, 2))}
    found = compared(truth, models)["pairs"]["right - healthy"]["sensitivity"]
    assert found["value"] == found["high"] == 1
    # Each is exact for 40 of 40 and 0 of 40: from 0.025^(1/40) = 0.9119 and up to 0.0881.
    assert found["low"] == pytest.approx(0.9119 - 0.0881, abs=1e-4)


def test_one_slice_with_a_tumour_is_no_evidence_of_sensitivity():
    # Two twins with a tumour; b misses one of them, and errs on every healthy image besides.
    truth = images([0, 0] + [2] * 40, [0, 0, *range(1, 41)])
    models = {"a": certain(truth.actual), "b": certain([0, 2] + [0] * 40)}
    found = compared(truth, models)["pairs"]["a - b"]
    expected = {"value": 0.5, "low": None, "high": None, "p": 1, "p_holm": 1}
    assert found["sensitivity"] == expected
    assert found["accuracy"]["p"] < 0.05


def test_pairs_are_all_pairs_of_models_and_each_with_what_needs_no_model():
    truth = images(np.arange(60) % 4)
    models = {name: model(truth.actual, 1, seed) for seed, name in enumerate("abc")}
    found = compared(truth, models)["pairs"]
    others = [f"{name} - {other}" for name in "abc" for other in ("look_up", "majority")]
    assert list(found) == ["a - b", "a - c", "b - c", *others]


def test_each_test_is_corrected_for_all_pairs_on_its_own():
    truth = images(np.arange(200) % 4)
    models = {name: model(truth.actual, seed, seed) for seed, name in enumerate("abc")}
    pairs = compared(truth, models)["pairs"].values()
    for test in ("mcnemar", "stuart_maxwell", "accuracy", "macro_f1", "sensitivity"):
        p = np.array([pair[test]["p"] for pair in pairs])
        corrected = np.array([pair[test]["p_holm"] for pair in pairs])
        assert corrected.min() == pytest.approx(min(1, 9 * p.min()))
        assert (corrected >= p).all()


def test_a_model_beats_the_look_up_only_with_evidence():
    truth = images(np.arange(200) % 4)
    wrong = (truth.actual + 1) % 4
    look_up = np.where(np.arange(200) < 100, wrong, truth.actual)
    better = certain(np.where(np.arange(200) < 50, wrong, truth.actual))
    hardly = certain(np.where(np.arange(200) < 97, wrong, truth.actual))
    worse = certain(wrong)
    models = {"better": better, "hardly": hardly, "same": certain(look_up), "worse": worse}
    found = compared(truth, models, look_up, resamples=2000)["classifiers"]
    beats = {name: found[name]["beats"]["look_up"] for name in models}
    assert beats == {"better": True, "hardly": False, "same": False, "worse": False}
    assert "beats" not in found["look_up"]


def test_twins_are_not_taken_for_evidence():
    # The same answers, on 200 images without a twin and on 4 slices of 50 twins each.
    actual = np.repeat([0, 1, 2, 3], 50)
    a, b = certain(actual), certain(np.where(actual == 0, 1, actual))
    apart = compared(images(actual), {"a": a, "b": b})["pairs"]["a - b"]["accuracy"]
    twins = compared(images(actual, actual), {"a": a, "b": b})["pairs"]["a - b"]["accuracy"]
    assert apart["p"] < 0.05
    assert twins["p"] == 1
    assert twins["high"] - twins["low"] > 2 * (apart["high"] - apart["low"])


def test_without_a_healthy_class_nothing_is_said_of_tumours():
    truth = images(np.arange(60) % 4, healthy_class=None)
    found = compared(truth, {"m": model(truth.actual, 1, 0)})
    assert "threshold" not in found
    assert "sensitivity" not in found["classifiers"]["m"]
    assert "sensitivity" not in found["pairs"]["m - look_up"]


def test_a_class_without_a_test_image_has_no_figures():
    truth = images(np.arange(60) % 2)
    found = compared(truth, {"m": model(truth.actual, 1, 0)})["classifiers"]["m"]
    unknown = {"value": None, "low": None, "high": None}
    assert found["per_class"]["pituitary"] == dict.fromkeys(
        ("precision", "recall", "f1", "auc"), unknown
    )
    assert found["specificity"] == unknown
    assert found["sensitivity"]["value"] is not None


def test_a_threshold_is_settled_on_validation_and_costs_what_testing_shows():
    # Validation: tumours at 0.3 and 0.6 of no tumour, so that to find all, 0.6 must be passed.
    known = images([0, 1, 2, 2])
    scores = [0.3, 0.6, 0.7, 0.9]
    probabilities = np.array([[(1 - p) / 2, (1 - p) / 2, p, 0] for p in scores])
    answers = Answers(probabilities.argmax(axis=1), probabilities)
    settled = settle(known, answers, temperature_scaling=False, target_sensitivity=1)
    assert settled.threshold == np.nextafter(0.6, 1)
    # Testing: of three tumours one is at 0.8, missed; of two healthy one is at 0.5, an alarm.
    truth = images([0, 1, 3, 2, 2])
    scores = [0.1, 0.8, 0.6, 0.5, 0.9]
    probabilities = np.array([[(1 - p) / 2, (1 - p) / 2, p, 0] for p in scores])
    tested = replace(settled, predicted=probabilities.argmax(axis=1), probabilities=probabilities)
    found = compared(truth, {"m": tested})["threshold"]["models"]["m"]
    assert found["missed_tumours"] == 1
    assert found["false_alarms"] == 1
    assert found["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert found["specificity"]["value"] == 0.5


def test_with_temperature_scaling_the_threshold_is_on_scaled_probabilities():
    # At temperature 2 (0.9 sure, right three times in four) a score of 0.9 becomes 0.75.
    known = images([0, 0, 0, 1], classes=["no", "yes"], healthy_class="no")
    answers = Answers(np.zeros(4, int), np.tile([0.9, 0.1], (4, 1)))
    settled = settle(known, answers, temperature_scaling=True, target_sensitivity=1)
    assert settled.temperature == pytest.approx(2, rel=1e-4)
    assert settled.threshold == pytest.approx(0.75, rel=1e-4)
    found = compared(known, {"m": settled})["calibration"]["m"]
    assert found["ece"]["value"] == pytest.approx(0.15)
    assert found["scaled"]["ece"]["value"] == pytest.approx(0, abs=1e-4)


def test_validation_without_a_tumour_settles_no_threshold():
    known = images([2, 2])
    settled = settle(
        known, model(known.actual, 1, 0), temperature_scaling=True, target_sensitivity=0.95
    )
    assert settled.threshold is None
    truth = images([0, 1, 2])
    tested = replace(model(truth.actual, 1, 0), temperature=settled.temperature)
    found = compared(truth, {"m": tested})["threshold"]["models"]["m"]
    assert found["threshold"] is found["missed_tumours"] is found["sensitivity"]["value"] is None


def test_the_recommended_model_has_the_highest_macro_f1_of_validation_then_the_lowest_loss():
    truth = images(np.arange(40) % 4)
    sure, unsure = np.eye(4) * 0.96 + 0.01, np.eye(4) * 0.36 + 0.16
    right = truth.actual
    wrong = np.where(np.arange(40) < 4, (right + 1) % 4, right)
    models = {
        "worse": Answers(wrong, sure[wrong]),
        "unsure": Answers(right, unsure[right]),
        "sure": Answers(right, sure[right]),
        "as sure": Answers(right, sure[right]),
    }
    found = recommend(truth, models)
    assert found["model"] == "sure"
    assert found["rule"] == "macro_f1"
    assert found["macro_f1"] == 1
    assert found["loss"] == pytest.approx(-np.log(0.97))


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([None, "a", "b"]),
    st.integers(0, 10_000),
)
def test_sets_of_any_make_are_compared_without_a_crash(classes, count, groups, healthy, seed):
    generator = np.random.default_rng(seed)
    truth = images(
        generator.integers(0, classes, count),
        generator.integers(0, groups, count),
        healthy,
        list("abcde")[:classes],
    )
    models = {
        "guess": model(truth.actual, 0, seed, classes),
        "right": certain(truth.actual, classes),
        "first": certain(np.zeros(count, int), classes),
    }
    models = {
        name: settle(truth, answers, temperature_scaling=seed % 2 == 0, target_sensitivity=0.9)
        for name, answers in models.items()
    }
    found = compared(truth, models, generator.integers(0, classes, count), resamples=100)
    json.dumps(found, allow_nan=False)
    for interval in intervals_in(found):
        assert (interval["low"] is None) == (interval["high"] is None)
        if interval["low"] is not None:
            assert interval["value"] is not None
            assert -1 <= interval["low"] <= interval["high"]
    for pair in found["pairs"].values():
        for test in pair.values():
            assert test["p"] is None or 0 < test["p"] <= test["p_holm"] <= 1
