"""The typed parameters: the single description of params.yaml."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.errors import InputError, one_line

Activation = Literal["relu", "tanh", "sigmoid"]
Strategy = Literal["none", "oversample", "undersample", "class_weight", "augment"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
FolderName = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$")]


class Section(BaseModel):
    """A mapping in params.yaml: every key known, every type exact."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Phantom(Section):
    """What the embedded data set is made of."""

    training: Annotated[int, Field(ge=20)]
    testing: Annotated[int, Field(ge=20)]
    size: Annotated[int, Field(ge=64, le=1024)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count
    reencoded: Count
    rescaled: Count
    brightened: Count
    mislabelled: Count

    @model_validator(mode="after")
    def _twins_fit(self):
        planted = self.reencoded + self.rescaled + self.brightened + self.mislabelled
        if planted > min(self.testing, self.training):
            raise ValueError(f"plants {planted} twins, more than its Training or Testing images")
        return self


class Audit(Section):
    """What the audit refuses."""

    max_pixels: Positive


class Prepare(Section):
    """How images are resized and Training is split."""

    resize: Literal["pad", "stretch"]
    validation: Annotated[float, Field(gt=0, lt=1)]


class Balance(Section):
    """Ranges of the random changes that make a synthetic image."""

    rotation: Annotated[float, Field(ge=0, le=180)]
    zoom: Share
    shift: Share
    contrast: Share
    brightness: Share


class Train(Section):
    """How a model is trained."""

    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"]
    schedule: Literal["constant", "cosine", "reduce_on_plateau"]
    early_stopping: Count
    dropout: Share
    l2: Annotated[float, Field(ge=0)]
    batch_norm: bool
    precision: Precision
    deterministic: bool
    threads: Count


class Model(Train):
    """A model: its architecture, its training data, and what it changes in ``train``.

    ``activation`` and ``data`` reach the stage through dvc.yaml, which is why a model that shares
    the top-level ``activation`` does not name its own.
    """

    architecture: Literal["inception_v3", "model_1", "model_4"]
    data: Strategy
    activation: Activation | None = None
    weights: str = "none"
    fine_tune_layers: Count = 0
    fine_tune_epochs: Count = 0

    @model_validator(mode="after")
    def _weights_have_a_backbone(self):
        if self.architecture != "inception_v3" and self.weights != "none":
            raise ValueError(f"takes weights for inception_v3 alone, not for {self.architecture}")
        if self.weights == "none" and self.fine_tune_epochs:
            raise ValueError("takes fine_tune_epochs with weights alone, but weights is none")
        return self


class Parameters(Section):
    """All of params.yaml."""

    dataset: Annotated[str, Field(min_length=1)]
    classes: Annotated[list[FolderName], Field(min_length=2)]
    healthy_class: str | None
    leakage: Literal["drop", "keep"]
    image_size: Annotated[int, Field(ge=32, le=2048)]
    activation: Activation
    seed: Count
    shard_mb: Positive
    phantom: Phantom
    audit: Audit
    prepare: Prepare
    balance: Balance
    train: Train
    models: Annotated[dict[str, Model], Field(min_length=1)]

    @model_validator(mode="after")
    def _classes_agree(self):
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes names a class twice: {', '.join(self.classes)}")
        if self.healthy_class is not None and self.healthy_class not in self.classes:
            raise ValueError(
                f"healthy_class is {self.healthy_class!r}, "
                f"but takes null or one of the classes: {', '.join(self.classes)}"
            )
        return self

    def model(self, name: str, activation: str | None = None) -> Model:
        """Give a model's settings, with the activation that dvc.yaml passed."""
        if name not in self.models:
            raise InputError(
                f"{name!r} is not among params.yaml's models: {', '.join(self.models)}"
            )
        settings = self.models[name].model_dump()
        try:
            return Model.model_validate(
                settings | ({"activation": activation} if activation else {})
            )
        except ValidationError as error:
            raise InputError(f"models.{name}: {_sentence(error.errors()[0])}") from None


def load(path: str | Path = "params.yaml") -> Parameters:
    """Read and check every parameter.

    Parameters
    ----------
    path : str or Path
        The YAML file.

    Returns
    -------
    stages.params.Parameters
        With every model completed from ``train``.

    Raises
    ------
    InputError
        If the file is missing, not YAML, or holds a value that is not allowed: the sentence names
        the first such parameter, what it got and what it takes.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing here; run from the project's root") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no parameters; `git checkout {path}` brings them back")
    _inherit(content)
    try:
        return Parameters.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error.errors()[0])}") from None


def _inherit(content: dict) -> None:
    """Complete each model from `train`; what has the wrong shape is left for validation to name."""
    train, models = content.get("train"), content.get("models")
    if isinstance(train, dict) and isinstance(models, dict):
        content["models"] = {
            name: train | model if isinstance(model, dict) else model
            for name, model in models.items()
        }


def _sentence(error: dict) -> str:
    """Say which parameter, what it got and what it takes."""
    name = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "missing":
            return f"{name} is missing."
        case "extra_forbidden":
            return (
                f"{name} is not a parameter; see the comments of params.yaml for those there are."
            )
        case "value_error":
            return f"{name} {error['ctx']['error']}.".lstrip()
        case _:
            takes = error["msg"].removeprefix("Input ")
            return f"{name} is {error['input']!r}, but {takes[0].lower()}{takes[1:]}."
