"""From files to what the page shows of each."""

import io
from base64 import b64encode
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from brain_mri.data.decoding import Refused, decode
from brain_mri.data.resizing import resize
from brain_mri.errors import InputError
from brain_mri.models.answer_pictures import overlay
from brain_mri.models.grad_cam import grad_cam
from brain_mri.use.asking import look
from brain_mri.use.card import Card
from brain_mri.use.classifier import Classifier

SIDE, SMALL_SIDE = 360, 160  # pixels of a picture, and of a training slice
QUALITY = 90  # of the JPEG files that pictures are shown as
REMEMBERED = 1000  # pictures of training slices


def answered(classifier: Classifier, listed: list[tuple[Path, str | None]]) -> list[dict]:
    """Answer files, with all that the page shows of them.

    Parameters
    ----------
    classifier : Classifier
    listed : list of (Path, str or None)
        Each with why it is not to be opened.

    Returns
    -------
    list of dict
        By file, in order. Of one that is refused, ``outcome`` and ``reason``. Of another, the
        columns of :meth:`brain_mri.use.classifier.Classifier.answer`, but ``similar`` is a list of
        ``label``, ``source`` and ``picture``; further ``probabilities`` by class, the ``likeliest``
        class, ``picture``, and ``heat``, where the evidence for that class is. Pictures are
        ``data:`` addresses; that of a training slice is empty where its file is not here.
    """
    card = classifier.card
    looks = [look(file, card) for file in listed]
    slices = [found for found in looks if not isinstance(found, str)]
    answers = iter(_answers(classifier, slices))
    results = []
    for (path, _), found in zip(listed, looks, strict=True):
        if isinstance(found, str):
            # Of a picture that memory does not hold, the reason starts with our name for the file.
            results.append({"outcome": "refused", "reason": found.removeprefix(f"{path} ")})
            continue
        answer, heat = next(answers)
        picture = resize(decode(path, card.max_pixels).pixels, SIDE, card.resize)
        pictures = {"picture": _address(picture), "heat": _address(overlay(picture, heat))}
        results.append(answer | pictures)
    return results


def _answers(
    classifier: Classifier, slices: list[tuple[np.ndarray, np.ndarray]]
) -> list[tuple[dict, np.ndarray]]:
    """Give each slice's answer, and its heat map of the likeliest class."""
    if not slices:
        return []
    card, known = classifier.card, classifier.known.index
    pixels, fingerprints = (np.stack(part) for part in zip(*slices, strict=True))
    table = classifier.answer(pixels, fingerprints)
    likeliest = table[card.classes].to_numpy().argmax(axis=1)
    heats = grad_cam(classifier.model, pixels, likeliest)
    answers = []
    for row, place, heat in zip(table.to_dict("records"), likeliest, heats, strict=True):
        similar = [
            one | {"picture": _known_picture(one["source"], card)}
            for one in known.iloc[row["similar"]].to_dict("records")
        ]
        probabilities = {name: row[name] for name in card.classes}
        more = {"likeliest": card.classes[place], "probabilities": probabilities}
        answers.append((row | more | {"similar": similar}, heat))
    return answers


def _known_picture(source: str, card: Card) -> str:
    path = PurePosixPath(source)
    if path.is_absolute() or ".." in path.parts:  # a model's file may come from anyone
        return ""
    return _file_picture(Path(card.trained_on["dataset"]) / path, card.max_pixels, card.resize)


@lru_cache(REMEMBERED)
def _file_picture(path: Path, max_pixels: int, mode: str) -> str:
    try:
        pixels = decode(path, max_pixels).pixels
    except (Refused, InputError):
        return ""
    return _address(resize(pixels, SMALL_SIDE, mode))


def _address(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"
