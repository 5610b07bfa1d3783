"""Divide images into training, validation and test, so that no group is on two sides.

A group holds the images that are twins of each other or slices of one patient, directly or through
others (:func:`brain_mri.data.patients.groups`).
"""

import numpy as np
import pandas as pd

from brain_mri.data.dataset import SPLITS
from brain_mri.errors import InputError

SETS = ("train", "val", "test")


def validation_mask(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose the validation images: a share of each class, whole groups at a time.

    Groups are taken in random order as long as they fit. A class gives at least one group if it
    has two, and never all it has. A group with several labels counts under its first.

    Parameters
    ----------
    labels, groups : ndarray (n,)
    share : float
        Of each class, between 0 and 1.
    seed : int

    Returns
    -------
    ndarray (n,), bool
    """
    table = pd.DataFrame({"label": labels, "group": groups})
    sizes = table.groupby("group", sort=True).agg(label=("label", "first"), size=("label", "size"))
    generator = np.random.default_rng(seed)
    chosen: list = []
    for _, members in sizes.groupby("label", sort=True):
        members = members.iloc[generator.permutation(len(members))]
        wanted = max(1, round(share * members["size"].sum()))
        taken, left = 0, len(members)
        for group, size in members["size"].items():
            fits = taken + size <= wanted or (not taken and size == members["size"].min())
            if fits and left > 1:
                chosen.append(group)
                taken, left = taken + size, left - 1
    return table["group"].isin(chosen).to_numpy()


def split_by_folder(
    manifest: pd.DataFrame, classes: list[str], leakage: str, share: float, seed: int
) -> dict[str, pd.DataFrame]:
    """Divide the accepted images by the folders of the data set.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``split``, ``class``, ``cluster``, ``group``, ``accepted`` and the
        ``reason`` of refused ones.
    classes : list of str
    leakage : {"drop", "keep"}
        Whether Training images whose group has an image in Testing are left out.
    share : float
        Of each class of Training, for validation.
    seed : int

    Returns
    -------
    dict of str to DataFrame
        The rows of ``train``, ``val``, ``test`` and ``dropped``, with ``twin``: whether there is a
        twin in the other split, and ``same_patient``: whether there is one of the same group.

    Raises
    ------
    InputError
        If a set, or a class to train on, is empty: the sentence tells what became of the files.
    """
    images = _accepted(manifest)
    sides = [images[images["split"] == name] for name in SPLITS]
    training, testing = (
        own.assign(
            twin=own["cluster"].isin(other["cluster"]),
            same_patient=own["group"].isin(other["group"]),
        )
        for own, other in (sides, sides[::-1])
    )
    dropped = training[training["same_patient"] & (leakage == "drop")]
    sets = _split_off_validation(training.drop(dropped.index), share, seed)
    sets |= {"test": testing, "dropped": dropped}
    _require_images(sets, manifest, classes, leakage)
    return sets


def split_folds(
    manifest: pd.DataFrame, classes: list[str], folds: int, fold: int, share: float, seed: int
) -> dict[str, pd.DataFrame]:
    """Divide the accepted images of both folders together: one fold is the test set.

    Of a twin cluster the largest picture stands for all, of equals the first path; a cluster
    under several labels is left out, since one of them is wrong. Folds hold whole groups and, as
    far as groups allow, every class in its proportion.

    Parameters
    ----------
    manifest : DataFrame
        As for :func:`split_by_folder`, with ``path``, ``width`` and ``height``.
    classes : list of str
    folds : int
    fold : int
        From 1.
    share : float
        Of each class of the other folds, for validation.
    seed : int

    Returns
    -------
    dict of str to DataFrame
        As of :func:`split_by_folder`; nothing has a twin or a slice of its patient on another side.

    Raises
    ------
    InputError
        If there is no such fold, or a class has fewer groups than there are folds.
    """
    if not 1 <= fold <= folds:
        raise InputError(f"fold is {fold}, but takes 1 to {folds}, as many as folds")
    images = _accepted(manifest)
    labels = images.groupby("cluster")["class"].transform("nunique")
    pixels = -(images["width"] * images["height"]).astype(int)
    ranked = images[labels == 1].assign(pixels=pixels).sort_values(["pixels", "path"])
    kept = images.loc[ranked.drop_duplicates("cluster").index.sort_values()]
    kept = kept.assign(twin=False, same_patient=False)
    groups = kept.groupby("class")["group"].nunique().reindex(classes, fill_value=0)
    if groups.min() < folds:
        raise InputError(
            f"folds is {folds}, but takes at most as many as each class has groups of twins and "
            f"patients; {groups.idxmin()} has {groups.min()}"
        )
    from sklearn.model_selection import StratifiedGroupKFold  # a second to load, for folds alone

    divided = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    rest, tested = list(divided.split(kept, kept["class"], kept["group"]))[fold - 1]
    sets = _split_off_validation(kept.iloc[rest], share, seed)
    sets["test"] = kept.iloc[tested]
    for name in ("train", "test"):
        if missing := sorted(set(classes) - set(sets[name]["class"])):
            raise InputError(
                f"fold {fold} of {folds} has no image of {missing[0]} for {name}, since few groups "
                "of twins and patients hold them all; take fewer folds, or another seed"
            )
    if sets["val"].empty:
        raise InputError(f"fold {fold} of {folds} leaves no image for validation; take more folds")
    return sets | {"dropped": images.drop(kept.index).assign(twin=True, same_patient=True)}


def _accepted(manifest: pd.DataFrame) -> pd.DataFrame:
    images = manifest[manifest["accepted"]]
    return images.astype({"cluster": int, "group": int})  # refused rows, without, made them float


def _split_off_validation(rows: pd.DataFrame, share: float, seed: int) -> dict[str, pd.DataFrame]:
    labels, groups = rows["class"].to_numpy(), rows["group"].to_numpy()
    validation = validation_mask(labels, groups, share, seed)
    return {"train": rows[~validation], "val": rows[validation]}


def _require_images(
    sets: dict[str, pd.DataFrame], manifest: pd.DataFrame, classes: list[str], leakage: str
) -> None:
    dropped = sets["dropped"]

    def refused(files: pd.DataFrame) -> str:
        if files.empty:
            return "there is no file"
        reasons = files["reason"].value_counts()
        why = f" ({reasons.iloc[0]} for: {reasons.index[0]})" if len(reasons) else ""
        return f"of {len(files)} files {reasons.sum()} were refused{why}"

    def relatives(rows: pd.DataFrame) -> str:
        if rows.empty:
            return "none dropped as a twin of Testing"
        twins = int(rows["twin"].sum())
        said = f"{twins} dropped as twins of Testing"
        if len(rows) > twins:
            said += f" and {len(rows) - twins} as slices of its patients"
        return f"{said}, since leakage is {leakage!r}"

    files = manifest[manifest["class"].isin(classes)]
    training, testing = (files[files["split"] == split] for split in SPLITS)
    for name in classes:
        if name in set(sets["train"]["class"]):
            continue
        held = (sets["val"]["class"] == name).sum()
        raise InputError(
            f"no image of {name} is left to train on: in Training/{name}, "
            f"{refused(training[training['class'] == name])}, {held} held out for validation and "
            f"{relatives(dropped[dropped['class'] == name])}."
        )
    if sets["test"].empty:
        raise InputError(f"no image is left for test: in Testing, {refused(testing)}.")
    if sets["val"].empty:
        groups = sets["train"].groupby("class")["group"].nunique()
        raise InputError(
            "no image is left for validation, which takes whole groups of twins and patients and "
            f"never the last one of a class: the {len(sets['train'])} images of Training are in "
            f"few groups ({', '.join(f'{name}: {count}' for name, count in groups.items())}); "
            f"there, {refused(training)} and {relatives(dropped)}; add slices that are no copies "
            "of others."
        )


def index_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Give the index of an image set (:class:`brain_mri.storage.ImageSet`) of rows of a split."""
    return pd.DataFrame(
        {
            "source": rows["path"],
            "label": rows["class"],
            "group": rows["group"],
            "patient": rows["patient"],
            "weight": 1.0,
            "transform": "",
            "twin": rows["twin"],
            "same_patient": rows["same_patient"],
        }
    )


def count_by_class(sets: dict[str, pd.DataFrame], classes: list[str]) -> pd.DataFrame:
    """Count images, and those related to the other split, by ``set`` and ``class``.

    Parameters
    ----------
    sets : dict of str to DataFrame
        As of :func:`split_by_folder`.
    classes : list of str
    """
    rows = []
    for name, images in sets.items():
        for label in classes:
            own = images[images["class"] == label]
            rows.append((name, label, len(own), own["twin"].sum(), own["same_patient"].sum()))
    columns = ["set", "class", "images", "with_twin", "with_same_patient"]
    return pd.DataFrame(rows, columns=columns)
