"""The recommended model as one thing: the file that holds all it takes to use it.

A Keras model's file is a zip archive, of which Keras reads the members that it knows. Beside them
lie the card (classes, size, temperature, threshold, figures), and of every training image its path,
its label, the fingerprint that the audit finds twins by, and what the model makes of it halfway. So
whoever has the file has all, and can still open it with Keras alone.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_mri.assessment.calibration import scale
from brain_mri.data.decoding import file_digest
from brain_mri.data.twins import cluster, find_twins
from brain_mri.errors import InputError
from brain_mri.models import files
from brain_mri.models.building import halfway
from brain_mri.models.inference import (
    forward_halfway,
    mean_probabilities,
    predict,
    predict_views,
)
from brain_mri.storage import ImageSet, write_json, written_aside
from brain_mri.use.card import Card
from brain_mri.use.nearness import limit, nearest

BATCH = 32  # images at once
CARD, TRAINING = "classifier.json", "training.csv"
ARRAYS = ("fingerprints", "features")  # of the training images, each a member with .npy
SIMILAR = 3  # training images that are shown beside an answer
# Why no class is named. Both say what was found, and what would have been enough.
UNSURE = "no class reaches {:.3g}, the likeliest has {:.3g}"
UNLIKE = "unlike the training images: {:.3g} from the nearest, above {:.3g}"


@dataclass(frozen=True)
class Known:
    """The training images, as a classifier remembers them.

    Attributes
    ----------
    index : DataFrame
        ``source`` (path in the data set) and ``label``.
    fingerprints : ndarray (n, 2, 64, 64), uint8
        See :func:`brain_mri.data.twins.fingerprint`.
    features : ndarray (n, units), float16
        The means of the feature maps in the middle of the model.
    """

    index: pd.DataFrame
    fingerprints: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Classifier:
    """A model with its card and its training images.

    Attributes
    ----------
    model : keras.Model
    card : brain_mri.use.card.Card
    known : Known
    """

    model: Any
    card: Card
    known: Known

    @cached_property
    def _measured(self) -> Callable:
        return forward_halfway(self.model)

    def measure(self, images: ImageSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give calibrated probabilities (n, classes), distances (n,), and nearest rows (n, k).

        A distance is that of the last of the nearest; see :func:`brain_mri.use.nearness.nearest`.
        """
        card = self.card
        views = predict_views(self._measured, images, BATCH, card.mirror_answers)
        features, logits = zip(*(_parted(view, len(card.classes)) for view in views), strict=True)
        probabilities = mean_probabilities(logits)
        if card.temperature is not None:
            probabilities = scale(probabilities, card.temperature)
        distances, rows = nearest(features[0], self.known.features)
        return probabilities, distances[:, -1], rows

    def reasons(self, probabilities: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Tell why the model abstains, (n,) str, empty where it answers, of what it measured."""
        card, found = self.card, np.full(len(distance), "", object)
        confidence = probabilities.max(axis=1)
        for place in np.flatnonzero(confidence < card.confidence):
            found[place] = UNSURE.format(card.confidence, confidence[place])
        for place in np.flatnonzero(distance > card.farthest):
            found[place] = UNLIKE.format(distance[place], card.farthest)
        return found

    def with_limit(self, answered: float, validation: ImageSet, testing: ImageSet) -> "Classifier":
        """Set the distance beyond which the model abstains, and count how often it then does.

        Parameters
        ----------
        answered : float
            Share of validation that lies within.
        validation, testing : ImageSet
        """
        measured = {"validation": self.measure(validation), "testing": self.measure(testing)}
        farthest = limit(measured["validation"][1], answered)
        settled = replace(self, card=self.card.model_copy(update={"farthest": farthest}))
        abstains = {
            name: float((settled.reasons(probabilities, distance) != "").mean())
            for name, (probabilities, distance, _) in measured.items()
        }
        return replace(settled, card=settled.card.model_copy(update={"abstains": abstains}))

    def answer(
        self, pixels: np.ndarray, fingerprints: np.ndarray, apply: Callable = map
    ) -> pd.DataFrame:
        """Answer slices, or abstain.

        Parameters
        ----------
        pixels : ndarray (n, size, size), uint8
            Resized as the card says.
        fingerprints : ndarray (n, 2, 64, 64), uint8
            Of the slices before they were resized.
        apply : callable, optional
            As of :func:`brain_mri.data.twins.find_twins`.

        Returns
        -------
        DataFrame
            One row per slice: ``outcome`` (answered, abstained), ``reason`` of abstaining,
            ``predicted`` (class) and ``decision`` (tumour, no tumour), both empty where it
            abstains, ``confidence`` (probability of the likeliest class), the calibrated
            probability of each class, ``distance`` from what it was trained on, ``seen`` (training
            image that shows the same slice, in any orientation; empty if none does) and
            ``similar`` (rows in the training images of the most similar).
        """
        card = self.card
        probabilities, distance, rows = self.measure(as_set(pixels))
        reasons = self.reasons(probabilities, distance)
        answered = reasons == ""
        predicted = np.array(card.classes, object)[probabilities.argmax(axis=1)]
        return pd.DataFrame(
            {
                "outcome": np.where(answered, "answered", "abstained"),
                "reason": reasons,
                "predicted": np.where(answered, predicted, ""),
                "decision": np.where(answered, self._decisions(probabilities), ""),
                "confidence": probabilities.max(axis=1),
                **dict(zip(card.classes, probabilities.T, strict=True)),
                "distance": distance,
                "seen": self._seen(fingerprints, apply),
                "similar": list(rows[:, :SIMILAR]),
            }
        )

    def _decisions(self, probabilities: np.ndarray) -> np.ndarray:
        """Tell tumour or none by the threshold that keeps the wanted sensitivity on validation."""
        card = self.card
        if card.healthy_class is None or card.threshold is None:
            return np.full(len(probabilities), "", object)
        healthy = probabilities[:, card.classes.index(card.healthy_class)]
        return np.where(healthy < card.threshold, "tumour", "no tumour").astype(object)

    def _seen(self, fingerprints: np.ndarray, apply: Callable) -> np.ndarray:
        """Name a training image that shows the same as each slice, by the audit's own search."""
        asked, known = len(fingerprints), self.known
        found = find_twins([*fingerprints, *known.fingerprints], apply=apply, asked=asked)
        clusters = cluster(asked + len(known.index), found.pairs)
        first = pd.Series(known.index["source"].to_numpy(), index=clusters[asked:])
        first = first[~first.index.duplicated()]
        return first.reindex(clusters[:asked], fill_value="").to_numpy()


def remember(model, training: ImageSet, fingerprints: Iterable[np.ndarray]) -> Known:
    """Make what a classifier remembers of the training images.

    Parameters
    ----------
    model : keras.Model
    training : ImageSet
    fingerprints : iterable of ndarray (2, 64, 64), uint8
        Of the images before they were resized, in order.
    """
    features, _ = _parted(predict(forward_halfway(model), training, BATCH), model.output.shape[-1])
    index, fingerprints = training.index[["source", "label"]], np.stack(list(fingerprints))
    return Known(index, fingerprints, features.astype(np.float16))


def _parted(values: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    return values[:, :-classes], values[:, -classes:]


def as_set(pixels: np.ndarray) -> ImageSet:
    """Give slices (n, size, size) as an image set in memory, of which nothing else is known."""
    return ImageSet(pd.DataFrame(index=range(len(pixels))), (pixels,))


def write(path: str | Path, classifier: Classifier, model: str | Path) -> None:
    """Write a classifier's file, whose bytes depend on what is given alone.

    Parameters
    ----------
    path : str or Path
        Beside it goes the card, with the digest of the file, to be read.
    classifier : Classifier
    model : str or Path
        The model's own file.
    """
    path = Path(path)
    with zipfile.ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    known = classifier.known
    members[TRAINING] = known.index.to_csv(index=False, lineterminator="\n").encode()
    for name in ARRAYS:
        content = io.BytesIO()
        np.save(content, getattr(known, name), allow_pickle=False)
        members[f"{name}.npy"] = content.getvalue()
    digests = {name: _sha256(content) for name, content in members.items()}
    card = classifier.card.model_copy(update={"members": digests}).model_dump()
    members[CARD] = json.dumps(card, indent=2, ensure_ascii=False).encode()
    with written_aside(path) as aside:
        with zipfile.ZipFile(aside, "w") as archive:
            for name, member in members.items():
                archive.writestr(zipfile.ZipInfo(name, files.EPOCH), member)
        digest = file_digest(aside)
    write_json(path.with_suffix(".json"), card | {"sha256": digest})


def read(path: str | Path) -> Classifier:
    """Open a classifier's file; no code in it is run.

    The digests in it, and that of the file in the card beside it where there is one, are compared.

    Raises
    ------
    InputError
        If it is no such file, or was damaged or changed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not there; `dvc repro` makes models/best.keras")
    _require_digest(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        card = Card.model_validate_json(members[CARD])
        index = pd.read_csv(io.BytesIO(members[TRAINING]), dtype=str, keep_default_na=False)
        arrays = {
            name: np.load(io.BytesIO(members[f"{name}.npy"]), allow_pickle=False) for name in ARRAYS
        }
    # What zipfile, pydantic, pandas and NumPy raise for a file of another kind.
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError):
        raise InputError(
            f"{path} is no model with its card, as models/best.keras is; `dvc repro` makes that"
        ) from None
    found = {name: _sha256(content) for name, content in members.items() if name != CARD}
    if found != card.members:
        raise InputError(f"{path} is damaged: its parts are not those that its card names")
    model = files.load(path)
    files.require_shape(model, card.image_size, len(card.classes), path)
    try:
        units = halfway(model)[0].shape[-1]
    except (LookupError, ValueError):  # it has no maps, or no logits
        units = None
    if arrays["features"].shape[1:] != (units,):
        raise InputError(f"{path} is of another version; `dvc repro` makes it again")
    return Classifier(model, card, Known(index, **arrays))


def _require_digest(path: Path) -> None:
    """Raise InputError if a card lies beside the file, as `select` writes it, of another file."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return
    try:
        wanted = json.loads(beside.read_text(encoding="utf-8"))["sha256"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{beside} is damaged; `dvc repro` makes it again") from None
    if file_digest(path) != wanted:
        raise InputError(
            f"{path} is not the file that {beside} was written with; `dvc checkout` or "
            "`dvc repro` brings it"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
