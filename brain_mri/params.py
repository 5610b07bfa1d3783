"""The typed parameters: the single description of params.yaml."""

import ast
import re
import reprlib
import unicodedata
from functools import partial
from inspect import isfunction
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

from brain_mri.data import balancing
from brain_mri.errors import InputError, one_line
from brain_mri.phantom.heads import CLASSES
from brain_mri.storage import TEXT

# An architecture is a module and its function; to import one would be to import TensorFlow.
_FOLDER = Path(__file__).parent / "models/architectures"
ARCHITECTURES = tuple(sorted(path.stem for path in _FOLDER.glob("[!_]*.py")))
STRATEGIES = tuple(
    name
    for name, value in vars(balancing).items()
    if isfunction(value) and value.__module__ == balancing.__name__ and name[0] != "_"
)
Activation = Literal["relu", "tanh", "sigmoid"]
ArmActivation = Literal[Activation, "sigmoid_centred", "sigmoid_tangent"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]

# Bounds from above are far beyond use; a number there is a slip that memory would end on.
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
# An accent is written in one of Unicode's two ways, whichever way a file was saved or typed in.
Text = Annotated[str, AfterValidator(partial(unicodedata.normalize, "NFC"))]
FolderName = Annotated[Text, Field(pattern=r"^[^/\\.\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*$")]
ModelName = Annotated[str, Field(pattern=r"^\w[\w-]*$")]  # a file's name, and a word in a shell
# DVC puts it between double quotes of a shell. `./data/mine/` is `data/mine`.
DatasetName = Annotated[
    str,
    Field(pattern=r"^[^-\"$`\\\x00-\x1f][^\"$`\\\x00-\x1f]*$"),
    AfterValidator(lambda path: PurePosixPath(path).as_posix()),
]

TablePath = Annotated[str, Field(pattern=r"^[^\x00-\x1f$]+$")]  # DVC reads ${} in it

# A class becomes a column of predictions.csv, next to these or read like these, and a key of
# splits.json next to `all`.
RESERVED = {"all", "group", "confidence", "outcome", "decision", "distance", "seen", *TEXT}

DEEPEST = 100  # levels of nesting in params.yaml
LONGEST = 120  # characters of what a sentence quotes


def _local_or_address(value: str) -> str:
    if value != "local" and not re.fullmatch(r"(tcp|tls)://\S+:\d+", value):
        raise ValueError(
            f"is {_shortly(value)}, but takes local, or the address of a Dask scheduler, such as "
            "tcp://host:8786 or tls://host:8786"
        )
    return value


def _all_or_count(value):
    if value != "all" and not (type(value) is int and 0 <= value <= 100_000):
        raise ValueError(f"is {_shortly(value)}, but takes all, or a number of layers")
    return value


class Section(BaseModel):
    """A mapping in params.yaml: every key known, every type exact."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Phantom(Section):
    """What the embedded data set is made of."""

    training: Annotated[int, Field(ge=20, le=10_000_000)]
    testing: Annotated[int, Field(ge=20, le=10_000_000)]
    size: Annotated[int, Field(ge=64, le=1024)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Seed
    shared_patients: Annotated[float, Field(ge=0, le=1)]
    shortcut: Literal[CLASSES] | None
    reencoded: Count
    rescaled: Count
    brightened: Count
    turned: Count
    mislabelled: Count
    wrong_labels: Count

    @model_validator(mode="after")
    def _twins_fit(self):
        copies = (self.reencoded, self.rescaled, self.brightened, self.turned, self.mislabelled)
        planted = sum(copies)
        if planted > min(self.testing, self.training):
            raise ValueError(f"plants {planted} twins, more than its Training or Testing images")
        return self


class Audit(Section):
    """What the audit refuses."""

    max_pixels: Positive
    max_refused: Annotated[float, Field(ge=0, le=1)]


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


class Augment(Section):
    """What the images are changed by while a model is trained; 0 and false leave them alone."""

    mirror: bool = False
    flip: bool = False
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: Share = 0.0
    shift: Share = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    gamma: Annotated[float, Field(ge=0, le=3)] = 0.0
    noise: Share = 0.0
    cutout: Share = 0.0

    @property
    def moves(self) -> bool:
        """Whether pixels change their place."""
        return bool(self.mirror or self.flip or self.rotation or self.zoom or self.shift)

    @property
    def is_on(self) -> bool:
        """Whether anything is changed at all."""
        return any(self.model_dump().values())


class Train(Section):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    steps_per_epoch: Annotated[int, Field(ge=0, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["constant", "cosine", "reduce_on_plateau"]
    warmup: Share
    early_stopping: Count
    keep: Literal["best", "last"]
    label_smoothing: Share
    augment: Augment
    mirror_answers: bool
    dropout: Share
    l2: Annotated[float, Field(ge=0, le=100)]
    batch_norm: bool
    precision: Precision
    deterministic: bool
    threads: Annotated[int, Field(ge=0, le=4096)]
    devices: Annotated[int, Field(ge=0, le=1024)]


class Model(Train):
    """A model: its architecture, its training data, and what it changes in ``train``.

    ``activation`` and ``data`` reach the stage through dvc.yaml, which is why a model that shares
    the top-level ``activation`` does not name its own.
    """

    architecture: Literal[ARCHITECTURES]
    data: Literal[STRATEGIES]
    activation: ArmActivation | None = None
    weight_scale: Annotated[float, Field(gt=0, le=100)] = 1.0
    weights: str = "none"
    frozen: Annotated[Any, AfterValidator(_all_or_count)] = "all"
    backbone_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    fine_tune_layers: Count = 0
    fine_tune_epochs: Count = 0
    _keys: dict[str, str] = PrivateAttr(default_factory=dict)

    def key(self, name: str) -> str:
        """Give the key that sets a value, as `dvc exp run -S` takes it: ``train.epochs``."""
        return self._keys.get(name, name)

    @model_validator(mode="after")
    def _weights_have_a_backbone(self):
        if self.weights != "none" and not _takes_weights(self.architecture):
            known = " and ".join(filter(_takes_weights, ARCHITECTURES))
            raise ValueError(f"takes weights for {known} alone, not for {self.architecture}")
        if self.weights == "none" and self.fine_tune_epochs:
            raise ValueError("takes fine_tune_epochs with weights alone, but weights is none")
        if self.weights == "none" and self.frozen != "all":
            raise ValueError(f"takes frozen with weights alone: it is {self.frozen}, weights none")
        if self.weights != "none" and self.frozen == "all" and self.augment.is_on:
            raise ValueError(
                "takes augment where a network sees the images, but with weights and frozen: all "
                "its head sees features that were computed once; set frozen to 0"
            )
        if self.frozen != "all" and self.fine_tune_epochs:
            raise ValueError(
                "takes fine_tune_epochs with frozen: all alone; with a number, what is not frozen "
                "is trained from the start"
            )
        return self

    @model_validator(mode="after")
    def _head_has_the_activation(self):
        arms_alone = set(get_args(ArmActivation)) - set(get_args(Activation))
        if self.activation in arms_alone and _takes_weights(self.architecture):
            raise ValueError(f"takes {self.activation} for no head of {self.architecture}")
        return self

    @model_validator(mode="after")
    def _schedule_warms_up(self):
        if self.warmup and self.schedule != "cosine":
            raise ValueError(f"takes warmup with schedule: cosine alone, not with {self.schedule}")
        return self


def _takes_weights(architecture: str) -> bool:
    """Tell whether the function of an architecture has an argument for pretrained weights."""
    code = ast.parse((_FOLDER / f"{architecture}.py").read_text(encoding="utf-8"))
    return any(isinstance(node, ast.arg) and node.arg == "weights" for node in ast.walk(code))


class Compare(Section):
    """How models are compared."""

    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    bins: Annotated[int, Field(ge=2, le=100)]
    temperature_scaling: bool
    target_sensitivity: Annotated[float, Field(gt=0, le=1)]


class Select(Section):
    """When the recommended model abstains."""

    confidence: Share
    answered: Annotated[float, Field(gt=0, le=1)]
    folds: str | None


class Study(Section):
    """What a study changes, and how often it repeats it.

    Attributes
    ----------
    question : str
    seeds : list of int
        Of initial weights, order, dropout and balancing: a run of every arm for each.
    reference : str
        The arm that the others are compared with.
    factors : dict
        For a factorial design of two factors: the arms where each is on.
    train : dict
        Over params.yaml's ``train``, in every arm.
    models : dict
        The arms, as params.yaml's ``models``.
    """

    question: Annotated[str, Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=2)]
    reference: str
    factors: dict[str, list[str]] = {}
    train: dict = {}
    models: Annotated[dict[ModelName, dict], Field(min_length=2)]

    @model_validator(mode="after")
    def _arms_exist(self):
        for name in [self.reference, *chain(*self.factors.values())]:
            if name not in self.models:
                raise ValueError(f"names {name!r}, which is not among its models")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds names a seed twice: {self.seeds}")
        return self


class Judge(Section):
    """What is to be known of answers that other people's models gave.

    Attributes
    ----------
    names : dict of str to str
        The class that each column means, where its name is not that of the class.
    """

    names: dict[str, str]


class Parameters(Section):
    """All of params.yaml."""

    dataset: DatasetName
    classes: Annotated[list[FolderName], Field(min_length=2)]
    healthy_class: Text | None
    patients: TablePath | None
    leakage: Literal["drop", "keep"]
    split: Literal["testing", "folds"]
    folds: Annotated[int, Field(ge=2, le=1000)]
    fold: Positive
    image_size: Annotated[int, Field(ge=32, le=2048)]
    activation: Activation
    seed: Seed
    shard_mb: Positive
    compute: Annotated[str, AfterValidator(_local_or_address)]
    language: Literal["en", "fr"]
    phantom: Phantom
    audit: Audit
    prepare: Prepare
    balance: Balance
    train: Train
    compare: Compare
    select: Select
    models: Annotated[dict[ModelName, Model], Field(min_length=1)]

    @model_validator(mode="after")
    def _fold_exists(self):
        if self.fold > self.folds:
            raise ValueError(f"fold is {self.fold}, but takes 1 to {self.folds}, as many as folds")
        return self

    @model_validator(mode="after")
    def _classes_agree(self):
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes names a class twice: {', '.join(self.classes)}")
        if taken := sorted(RESERVED.intersection(self.classes)):
            raise ValueError(
                f"classes names {taken[0]!r}, which is a column of the tables already; "
                "rename the folder"
            )
        if self.healthy_class is not None and self.healthy_class not in self.classes:
            raise ValueError(
                f"healthy_class is {self.healthy_class!r}, "
                f"but takes null or one of the classes: {', '.join(self.classes)}"
            )
        return self

    @property
    def test_fold(self) -> int | None:
        """The fold to test on; None where the set's own Testing is."""
        return self.fold if self.split == "folds" else None

    def model(self, name: str, activation: str | None = None) -> Model:
        """Give a model's settings, with this activation if it names none of its own."""
        if name not in self.models:
            raise InputError(
                f"{name!r} is not among params.yaml's models: {', '.join(self.models)}"
            )
        own = self.models[name]
        passed = {"activation": own.activation or activation}
        try:
            settings = Model.model_validate(own.model_dump() | passed)
        except ValidationError as error:
            raise InputError(f"models.{name}: {_sentence(error.errors()[0])}") from None
        settings._keys = own._keys
        return settings


def load(path: str | Path = "params.yaml", study: str | Path | None = None) -> Parameters:
    """Read and check every parameter.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    study : str or Path, optional
        Parameters of a study: its ``train`` goes over that of `path`, and its models replace those.

    Returns
    -------
    brain_mri.params.Parameters
        With every model completed from ``train``.

    Raises
    ------
    InputError
        If the file is missing, not YAML, or holds a value that is not allowed: the sentence names
        the first such parameter, what it got and what it takes.
    """
    content = read_yaml(path)
    parameters = _completed(content, path)
    if not study:
        return parameters
    own = load_study(study)
    content |= {"train": _over(content["train"], own.train), "models": own.models}
    parameters = _completed(content, study)
    for name, model in parameters.models.items():
        model._keys |= {key: f"{study}:train.{key}" for key in own.train}
        model._keys |= {key: f"{study}:models.{name}.{key}" for key in own.models[name]}
    return parameters


def load_study(path: str | Path) -> Study:
    """Read and check what is a study's own; raises as :func:`load` does."""
    return _checked(Study, read_yaml(path), path)


def load_judge(path: str | Path, classes: list[str]) -> Judge:
    """Read and check what the study of other people's models says; raises as :func:`load` does."""
    judge = _checked(Judge, read_yaml(path), path)
    for column, name in judge.names.items():
        if name not in classes:
            raise InputError(
                f"{path}: names.{column} is {name!r}, but takes one of the classes: "
                f"{', '.join(classes)}"
            )
    return judge


def _checked(section: type[Section], content: dict, path: str | Path) -> Section:
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error.errors()[0])}") from None


def read_yaml(path: str | Path) -> dict:
    """Read a file with the library that DVC reads it with, set up as DVC does (YAML 1.2).

    So `yes` is text and `1e-05` a number to a stage, as they are to `dvc exp run -S`, which writes
    the file anew.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        if _is_too_deep(text):
            raise InputError(f"{path} is nested too deeply")
        content = YAML(typ="safe").load(text)
    except FileNotFoundError:
        raise InputError(f"{path} is missing here; run from the project's root") from None
    except (OSError, MemoryError, InputError):
        raise
    except MarkedYAMLError as error:
        said = " ".join(filter(None, (error.context, error.problem)))
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path} is not YAML: {one_line(said)}{where}") from None
    # Besides its own errors, the library lets through what Python raises for the 13th month, a
    # number of 5000 digits, or `!!int` without a number.
    except Exception as error:
        raise InputError(f"{path} is not YAML: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no parameters; `git checkout {path}` brings them back")
    return content


def _is_too_deep(text: str) -> bool:
    """Tell whether YAML is nested so deeply that the library, which loads it in C, may crash."""
    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False


def _completed(content: dict, path: str | Path) -> Parameters:
    """Complete each model from `train`; what has the wrong shape is left for validation to name."""
    train, models = content.get("train"), content.get("models")
    if isinstance(train, dict) and isinstance(models, dict):
        content = content | {
            "models": {
                name: _over(train, model) if isinstance(model, dict) else model
                for name, model in models.items()
            }
        }
    parameters = _checked(Parameters, content, path)
    for name, model in parameters.models.items():
        model._keys = {key: f"train.{key}" for key in train}
        model._keys |= {key: f"models.{name}.{key}" for key in models[name]}
    return parameters


def _over(train: dict, own: dict) -> dict:
    """Put what a model changes over `train`; of its `augment`, what it does not name stays."""
    both = train.get("augment"), own.get("augment")
    if all(isinstance(augment, dict) for augment in both):
        return train | own | {"augment": both[0] | both[1]}
    return train | own


def _sentence(error: dict) -> str:
    """Say which parameter, what it got and what it takes."""
    name = " ".join(".".join(str(part) for part in error["loc"]).split())[:LONGEST]
    match error["type"]:
        case "missing":
            return f"{name} is missing."
        case "extra_forbidden":
            return (
                f"{name} is not a parameter; see the comments of params.yaml for those there are."
            )
        case "string_type":
            return (
                f"{name} is {_shortly(error['input'])}, but takes text; a name that reads as a "
                "number, a date, true or null goes between quotes: '0' in the file, "
                """-S "classes=['0','1']" on a command line."""
            )
        case "value_error":
            return f"{name} {error['ctx']['error']}.".lstrip()
        case _:
            takes = error["msg"].removeprefix("Input ")
            return f"{name} is {_shortly(error['input'])}, but {takes[0].lower()}{takes[1:]}."


def _shortly(value) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = LONGEST
    try:
        return short.repr(value)
    except ValueError:  # Python prints no integer of more than some thousand digits
        return "a number too long to print"
