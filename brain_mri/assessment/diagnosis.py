"""Why a network did not learn, read from the signals measured while it trained."""

from collections.abc import Collection

import numpy as np
import pandas as pd

LEARNED = 0.9  # of the entropy of the class shares: a loss below it says the images were used
COLLAPSED = 0.01  # spread over images, relative to the activations: below, no image matters
SATURATED = 0.5  # share of a layer's activations at the extremes of their range
FALLING = 0.01  # relative fall of the training loss over the later half: above, it still learns
BOUNDED = ("sigmoid", "tanh")  # activations with two extremes, where the gradient vanishes


def diagnose(signals: pd.DataFrame, history: pd.DataFrame, counts: Collection[int]) -> dict:
    """Tell whether a network learned, and what stood in its way if it did not.

    Parameters
    ----------
    signals : DataFrame
        As :meth:`brain_mri.models.signals.Probe.table` gives them.
    history : DataFrame
        With ``loss``, one row per epoch. Learning is judged by the training loss: what does not
        carry over to validation was still learned.
    counts : collection of int
        Training images of each class. A model that knows the classes' shares and nothing else
        has a loss equal to their entropy.

    Returns
    -------
    dict
        ``verdict``: *learns*, if the lowest training loss is below :data:`LEARNED` times the
        entropy of the shares. If not, *dead*, if at the end a ReLU layer is 0 for every image;
        *saturation* or *collapse*, if at the end a hidden layer's activations sit at their extremes
        or hardly depend on the image, whichever came first, and saturation if both came at once;
        *slow*, if neither, and the training loss fell by more than :data:`FALLING` in the
        later half of the epochs; else *unclear*.

        ``collapse`` and ``saturation``: where each was first seen, as ``step``, ``layer`` (the
        worst there) and ``value`` (relative spread over images; share at the extremes), or None.
        ``loss``, ``entropy``, ``fall``: the figures behind the rest.
    """
    shares = np.array([count / sum(counts) for count in counts if count > 0])
    entropy = float(-(shares * np.log(shares)).sum())
    losses = history["loss"].to_numpy()
    loss = float(np.nanmin(losses))  # training ends with a sentence if none is finite
    middle = losses[(len(losses) - 1) // 2]
    fall = float(1 - losses[-1] / middle) if middle else 0.0
    hidden = layer_signals(signals)
    collapse = _first(hidden, hidden["relative_spread"] < COLLAPSED, "relative_spread", False)
    saturation = _first(hidden, hidden["extremes"] >= SATURATED, "extremes", True)
    last = hidden[hidden["step"] == hidden["step"].max()]
    dead = (last["activation"] == "relu") & (last["mean"] == 0)
    collapsed = (last["relative_spread"] < COLLAPSED).any()
    saturated = (last["extremes"] >= SATURATED).any()
    if loss < LEARNED * entropy:
        verdict = "learns"
    elif dead.any():
        verdict = "dead"
    elif saturated and (not collapsed or saturation["step"] <= collapse["step"]):
        verdict = "saturation"
    elif collapsed:
        verdict = "collapse"
    elif fall > FALLING:
        verdict = "slow"
    else:
        verdict = "unclear"
    figures = {"loss": loss, "entropy": entropy, "fall": fall}
    return {"verdict": verdict, "collapse": collapse, "saturation": saturation, **figures}


def layer_signals(signals: pd.DataFrame) -> pd.DataFrame:
    """Give the hidden layers' signals with two figures that any activation can be judged by.

    Returns
    -------
    DataFrame
        The rows of layers with an activation, except the softmax, with the figure
        of :func:`relative_spread` and ``extremes``, the share below and above the extremes of a
        bounded range (NaN for others).
    """
    hidden = signals[~signals["activation"].isin(["softmax", "linear"])]
    extremes = (hidden["below_0.05"] + hidden["above_0.95"]).where(
        hidden["activation"].isin(BOUNDED)
    )
    return hidden.assign(relative_spread=relative_spread(hidden), extremes=extremes)


def relative_spread(signals: pd.DataFrame) -> pd.Series:
    """Give ``spread_images`` over the root mean square of the activations, 0 where these are 0.

    An activation's range cannot be the measure, since that of ReLU has no end.
    """
    size = np.hypot(signals["mean"], signals["spread_units"])
    return (signals["spread_images"] / size).where(size != 0, 0.0)


def _first(hidden: pd.DataFrame, found: pd.Series, figure: str, highest: bool) -> dict | None:
    """Give the first step where something was found, and the layer where it is worst."""
    if not found.any():
        return None
    step = hidden.loc[found, "step"].min()
    there = hidden[found & (hidden["step"] == step)].sort_values(
        figure, ascending=not highest, kind="stable"
    )
    worst = there.iloc[0]
    return {"step": int(step), "layer": worst["layer"], "value": float(worst[figure])}
