"""What a model's learning curves say, by stated rules of thumb."""

import numpy as np
import pandas as pd

# Training accuracy this far above validation accuracy is more than chance and dropout explain.
WIDE_GAP = 0.10
# A rise of the loss counts from this share of the first epoch's loss on; less is batch noise.
NOTABLE_RISE = 0.05
# Validation loss has turned when it is up from its minimum by this share of the first epoch's loss,
# which is about that of guessing; a share of the minimum itself would count noise near zero.
TURNED = 0.10
LAST_EPOCHS = 3  # averaged to tell whether it has turned, since one epoch is noisy
# Training that works lowers the loss nearly every epoch; with a quarter rising, steps overshoot.
MANY_RISES = 0.25
# A network that ends at chance, and whose first epoch cost this many times the loss of chance, was
# blown up by its first steps. Less can also come from its initial weights.
BLOWN_UP = 5
HIGH_ERROR = 0.10  # share of wrong answers; below it nothing is left that is worth a warning
# Under-fitting: most of the first epoch's errors are left, and the second half of training
# corrected next to none of those there were at its start.
MOST_ERRORS = 0.5
NEXT_TO_NONE = 0.10
# Steps too small: the loss falls nearly every epoch, but has not halved, and is as steep in the
# second half of training as in the first, while it levels off at a rate that is right.
NEARLY_ALWAYS = 0.8
SLOW = 0.5
STEEP_STILL = 0.5
NOTABLE_FALL = 0.01  # of the best validation loss before, below which an epoch is no better


def reading(history: pd.DataFrame) -> list[str]:
    """Read learning curves as a person who has seen many does.

    Accuracy is that of training or of validation, whichever is higher, wherever it tells how much
    was learned: dropout lowers the training figure, which is no fault.

    Parameters
    ----------
    history : DataFrame
        One row per epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.

    Returns
    -------
    list of str
        What applies, in this order:

        - ``overfitting``: at the best epoch training accuracy is far above validation accuracy; or
          validation loss has turned upwards since, while training loss went on falling.
        - ``underfitting``: training accuracy is low, and no longer rises.
        - ``rate_too_high``: training loss often rises, ends above its start, is not finite, or was
          enormous in the first epoch of a network that then learned nothing.
        - ``rate_too_low``: training loss falls steadily, but slowly.
        - ``still_improving``: the best epoch is the last, and notably better than all before.
        - ``fits``: none of these.

        A loss that is not finite is ``rate_too_high`` alone, since nothing else can be read, and a
        single epoch ``still_improving`` alone.
    """
    loss, val_loss = history["loss"].to_numpy(), history["val_loss"].to_numpy()
    if not np.isfinite([loss, val_loss]).all():
        return ["rate_too_high"]
    if len(history) == 1:
        return ["still_improving"]
    error = 1 - history[["accuracy", "val_accuracy"]].max(axis=1).to_numpy()
    gap = (history["accuracy"] - history["val_accuracy"]).to_numpy()
    best = int(val_loss.argmin())
    too_low = _falls_slowly(loss) and error[-1] > HIGH_ERROR
    stuck = _is_stuck(error) and not too_low
    found = {
        "overfitting": gap[best] > WIDE_GAP or _has_turned(loss, val_loss, best),
        "underfitting": stuck,
        "rate_too_high": _rises(loss) or (stuck and loss[0] > BLOWN_UP * loss[-1]),
        "rate_too_low": too_low,
        "still_improving": best == len(loss) - 1
        and val_loss[best] < (1 - NOTABLE_FALL) * val_loss[:best].min(),
    }
    return [code for code, applies in found.items() if applies] or ["fits"]


def _has_turned(loss, val_loss, best) -> bool:
    """Tell whether validation loss went up after its best epoch, and training loss did not."""
    after = val_loss[best + 1 :][-LAST_EPOCHS:]
    if not len(after) or loss[-1] >= loss[best]:
        return False
    return after.mean() - val_loss[best] > TURNED * min(loss[0], val_loss[0])


def _is_stuck(error) -> bool:
    second_half = error[(len(error) - 1) // 2 :]
    return (
        error[-1] > max(HIGH_ERROR, MOST_ERRORS * error[0])
        and second_half.min() >= (1 - NEXT_TO_NONE) * second_half[0]
    )


def _rises(loss) -> bool:
    rises = np.diff(loss) > NOTABLE_RISE * loss[0]
    return rises.mean() >= MANY_RISES or loss[-1] > (1 + NOTABLE_RISE) * loss[0]


def _falls_slowly(loss) -> bool:
    falls = -np.diff(loss)
    half = len(falls) // 2
    return (
        len(falls) > 1
        and (falls > 0).mean() >= NEARLY_ALWAYS
        and loss[-1] > SLOW * loss[0]
        and falls[-half:].mean() >= STEEP_STILL * falls[:half].mean()
    )
