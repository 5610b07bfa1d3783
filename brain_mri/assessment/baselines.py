"""What needs no model, as answers beside those of the models."""

from collections.abc import Iterable

from brain_mri.assessment.answers import Answers
from brain_mri.assessment.look_up import LOOK_UP, MAJORITY, commonest, nearest_rows
from brain_mri.errors import InputError
from brain_mri.storage import ImageSet

NAMES = (LOOK_UP, MAJORITY)


def require_other_names(models: Iterable[str]) -> None:
    """Raise InputError if a model has the name of what needs none."""
    if taken := sorted(set(NAMES).intersection(models)):
        raise InputError(f"models.{taken[0]} needs another name; compare has its own")


def baselines(training: ImageSet, testing: ImageSet, classes: list[str]) -> dict[str, Answers]:
    """Answer for each testing image without a model.

    Returns
    -------
    dict of str to Answers
        By name: the label of the most similar training image, and the commonest label.
    """
    labels = training.index["label"]
    nearest = labels.to_numpy()[nearest_rows(training, testing)]
    majority = [commonest(labels, classes)] * len(testing)
    return {
        LOOK_UP: Answers.of_labels(nearest, classes),
        MAJORITY: Answers.of_labels(majority, classes),
    }
