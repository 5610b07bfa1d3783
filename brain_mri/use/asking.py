"""From files to answers: what is no slice is refused with the audit's reason, and stops nothing."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from brain_mri.data.dataset import shown, walk
from brain_mri.data.decoding import Refused, decode
from brain_mri.data.resizing import resize
from brain_mri.data.twins import fingerprint
from brain_mri.errors import InputError
from brain_mri.parallel import map_in_order, workers
from brain_mri.use.card import Card
from brain_mri.use.classifier import Classifier

BLOCK = 2048  # files in memory at once
FEW = 32  # files that are done with sooner than other processes have started


def list_slices(paths: list[Path]) -> list[tuple[Path, str | None]]:
    """List the files that paths stand for, with why one cannot be read; a folder is all below it.

    Hidden files are left out, and links to folders are not followed.
    """
    found = []
    for path in paths:
        if path.is_dir():
            below = sorted(walk(path), key=lambda one: one[0].relative_to(path).parts)
            found += below
        else:
            found.append((path, None))
    return found


def look(file: tuple[Path, str | None], card: Card) -> tuple[np.ndarray, np.ndarray] | str:
    """Give a slice's pixels as the model takes them and its fingerprint, or why it is refused."""
    path, problem = file
    if problem:
        return problem
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            return "not a regular file"
        pixels = decode(path, card.max_pixels).pixels
    except (Refused, InputError) as refusal:
        return str(refusal)
    return resize(pixels, card.image_size, card.resize), fingerprint(pixels)


def answer_files(classifier: Classifier, listed: list[tuple[Path, str | None]]) -> pd.DataFrame:
    """Answer files, as many as there are, with a bounded number in memory.

    Parameters
    ----------
    classifier : Classifier
    listed : list of (Path, str or None)
        As of :func:`list_slices`.

    Returns
    -------
    DataFrame
        One row per file, in their order: ``path``, then the columns of
        :meth:`brain_mri.use.classifier.Classifier.answer`; of one that is refused, ``outcome`` and
        ``reason`` alone.
    """
    looking = partial(look, card=classifier.card)
    if len(listed) <= FEW:
        looks = map(looking, tqdm(listed, "predict", unit="file", disable=None))
        return _answer_blocks(classifier, listed, looks, map)
    with workers("local", "predict") as pool:
        looks = map_in_order(looking, listed, "predict", "file", compute=pool)
        apply = partial(map_in_order, title="seen", unit="row of tiles", chunksize=1, compute=pool)
        return _answer_blocks(classifier, listed, looks, apply)


def _answer_blocks(
    classifier: Classifier, listed: list[tuple[Path, str | None]], looks: Iterator, apply: Callable
) -> pd.DataFrame:
    paths = [shown(path) for path, _ in listed]
    blocks = [
        _answer(classifier, paths[start : start + BLOCK], islice(looks, BLOCK), apply)
        for start in range(0, len(paths), BLOCK)
    ]
    return pd.concat(blocks, ignore_index=True)


def _answer(
    classifier: Classifier, paths: list[str], looks: Iterator, apply: Callable
) -> pd.DataFrame:
    looks = list(looks)
    slices = [look for look in looks if not isinstance(look, str)]
    rows = [
        {"path": path, "outcome": "refused", "reason": look}
        if isinstance(look, str)
        else {"path": path}
        for path, look in zip(paths, looks, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["path", "outcome", "reason"])
    if not slices:
        return table
    pixels, fingerprints = (np.stack(part) for part in zip(*slices, strict=True))
    answers = classifier.answer(pixels, fingerprints, apply)
    answers.index = table.index[table["outcome"].isna()]
    return table.combine_first(answers)[["path", *answers.columns]]
