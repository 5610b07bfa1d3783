"""What has to be known of a model to use it, and to believe it."""

from pydantic import BaseModel, ConfigDict, Field

from brain_mri import params
from brain_mri.assessment.answers import HEADLINE
from brain_mri.errors import InputError
from brain_mri.storage import read_json

FIGURES = tuple(name for name in HEADLINE if name != "loss")  # the loss has no interval
FARTHEST = 2  # of unit vectors


class Card(BaseModel):
    """What lies in a classifier's file beside the model.

    Attributes
    ----------
    temperature, threshold : float, optional
        Of the probabilities, and on that of the healthy class; see
        :class:`brain_mri.assessment.answers.Answers`.
    sensitivity : dict
        Of the threshold: ``target``, ``validation``, ``testing`` with its interval.
    confidence, farthest : float
        The model abstains below the one and beyond the other.
    abstains : dict of str to float
        The share of ``validation`` and ``testing`` that it abstains on.
    figures : dict
        By ``testing`` and, where known, ``folds``: each with ``value``, ``low`` and ``high``.
    trained_on : dict
        ``dataset`` and the number of ``images``.
    code, data : dict of str to str
        The digests that dvc.lock has of what the model was trained with.
    members : dict of str to str
        Digests of the other members of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    architecture: str
    classes: list[str] = Field(min_length=2)
    healthy_class: str | None
    image_size: int = Field(ge=1, le=4096)
    resize: str
    max_pixels: int
    mirror_answers: bool
    temperature: float | None = Field(gt=0)
    threshold: float | None
    sensitivity: dict
    confidence: float
    farthest: float = Field(ge=0, le=FARTHEST)
    abstains: dict[str, float]
    figures: dict
    trained_on: dict
    code: dict[str, str]
    data: dict[str, str]
    versions: dict[str, str]
    members: dict[str, str]


def card_of(
    name: str, parameters: params.Parameters, compared: dict, record: dict, trained_with: dict
) -> Card:
    """Collect what the stages before know of a model; it abstains from nothing that is far.

    Parameters
    ----------
    name : str
        Of the model.
    parameters : brain_mri.params.Parameters
    compared : dict
        Of ``comparison/figures.json``.
    record : dict
        Of the model's training.
    trained_with : dict
        As of :func:`stages.recorded.trained_with`.
    """
    settings, by_threshold = parameters.model(name), {}
    if "threshold" in compared:
        by_threshold = compared["threshold"]["models"][name]
    figures = {"testing": _figures(compared, name)}
    if parameters.select.folds:
        figures["folds"] = _figures(_of_folds(parameters.select.folds, name), name)
    sensitivity = {
        "target": parameters.compare.target_sensitivity,
        "validation": by_threshold.get("validation_sensitivity"),
        "testing": by_threshold.get("sensitivity"),
    }
    return Card(
        name=name,
        architecture=settings.architecture,
        classes=parameters.classes,
        healthy_class=parameters.healthy_class,
        image_size=parameters.image_size,
        resize=parameters.prepare.resize,
        max_pixels=parameters.audit.max_pixels,
        mirror_answers=settings.mirror_answers,
        temperature=compared["calibration"][name]["temperature"],
        threshold=by_threshold.get("threshold"),
        sensitivity=sensitivity,
        confidence=parameters.select.confidence,
        farthest=FARTHEST,
        abstains={},
        figures=figures,
        trained_on={"dataset": parameters.dataset, "images": record["images"]["training"]},
        versions=record["versions"],
        members={},
        **trained_with,
    )


def _figures(compared: dict, name: str) -> dict:
    found = compared["classifiers"][name]
    return {measure: found[measure] for measure in FIGURES if measure in found}


def _of_folds(path: str, name: str) -> dict:
    try:
        found = read_json(path)
    except FileNotFoundError:
        raise InputError(
            f"select.folds is {path!r}, which is not there; `dvc --cd studies/folds repro` makes "
            "studies/folds/figures.json"
        ) from None
    if name not in found["classifiers"]:
        raise InputError(f"select.folds is {path!r}, which has no figures of {name}")
    return found
