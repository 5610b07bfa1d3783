"""Saturation, collapse and slow learning are told apart by what was measured, not by the name."""

import numpy as np
import pandas as pd
import pytest

from brain_mri.assessment.diagnosis import COLLAPSED, LEARNED, SATURATED, diagnose, relative_spread

EVEN = [5] * 4
KNOWS_NOTHING = float(np.log(4))


def signals(activation="sigmoid", **by_step):
    """Make two hidden layers: {step: (spread over images, share at the extremes)}."""
    rows = []
    for step, (spread, extremes) in by_step.items():
        for layer, kind in (("first", activation), ("second", activation), ("logits", "softmax")):
            worse = layer == "second"
            rows.append(
                {
                    "step": int(step[1:]),
                    "layer": layer,
                    "activation": kind,
                    "mean": 0.3,
                    "spread_units": 0.4,  # root mean square 0.5
                    "spread_images": 0.5 * (spread if worse else 0.2),
                    "below_0.05": extremes if worse else 0.1,
                    "above_0.95": 0.0,
                }
            )
    return pd.DataFrame(rows)


def history(first, last):
    return pd.DataFrame({"loss": [first, last]})


STUCK = history(KNOWS_NOTHING, KNOWS_NOTHING)
COLLAPSE, SATURATION = COLLAPSED / 2, SATURATED + 0.1


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({"s0": (0.2, 0.0), "s9": (0.2, SATURATION)}, "saturation"),
        ({"s0": (0.2, 0.0), "s9": (COLLAPSE, SATURATION)}, "saturation"),
        ({"s0": (COLLAPSE, 0.0), "s9": (COLLAPSE, 0.0)}, "collapse"),
        # Nothing depends on the image before any activation is at its extremes.
        ({"s0": (COLLAPSE, 0.0), "s9": (COLLAPSE, SATURATION)}, "collapse"),
        # Passing trouble explains nothing.
        ({"s0": (COLLAPSE, SATURATION), "s9": (0.2, 0.0)}, "unclear"),
        ({"s0": (0.2, 0.0), "s9": (0.2, 0.0)}, "unclear"),
    ],
)
def test_what_came_first_and_stayed_is_named(measured, verdict):
    assert diagnose(signals(**measured), STUCK, EVEN)["verdict"] == verdict


def test_a_network_that_learns_is_not_blamed():
    found = diagnose(
        signals(s0=(COLLAPSE, 0.0), s9=(COLLAPSE, SATURATION)),
        history(KNOWS_NOTHING, 0.99 * LEARNED * KNOWS_NOTHING),
        EVEN,
    )
    assert found["verdict"] == "learns"


def test_learning_slowly_is_neither():
    found = diagnose(signals(s0=(0.2, 0.0), s9=(0.2, 0.0)), history(1.5, 0.98 * 1.5), EVEN)
    assert found["verdict"] == "slow"
    assert found["fall"] == pytest.approx(0.02)


def test_uneven_classes_make_the_loss_of_knowing_nothing_lower():
    uneven = [7, 1, 1, 1]
    entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.1)
    found = diagnose(signals(s0=(0.2, 0.0)), history(entropy, 0.95 * entropy), uneven)
    assert found["entropy"] == pytest.approx(entropy)
    assert found["verdict"] != "learns"
    assert (
        diagnose(signals(s0=(0.2, 0.0)), history(1.4, 0.95 * entropy), EVEN)["verdict"] == "learns"
    )


def test_where_it_was_first_seen_is_told():
    found = diagnose(signals(s0=(0.2, 0.0), s4=(0.004, 0.0), s9=(0.001, 0.8)), STUCK, EVEN)
    assert found["collapse"] == {"step": 4, "layer": "second", "value": pytest.approx(0.004)}
    assert found["saturation"] == {"step": 9, "layer": "second", "value": pytest.approx(0.8)}


def test_a_relu_has_no_extremes_but_can_die():
    table = signals("relu", s0=(0.2, 0.9), s9=(0.2, 0.9))
    assert diagnose(table, STUCK, EVEN)["saturation"] is None
    gone = table["layer"].eq("second") & table["step"].eq(9)
    table.loc[gone, ["mean", "spread_units", "spread_images"]] = 0.0
    assert diagnose(table, STUCK, EVEN)["verdict"] == "dead"


def test_the_spread_is_relative_to_the_size_of_the_activations():
    table = pd.DataFrame({"mean": [3.0, 0], "spread_units": [4.0, 0], "spread_images": [1.0, 0]})
    assert list(relative_spread(table)) == [1 / 5, 0]
