"""What an audit found, told from its manifest: counts, labels in conflict, pairs of twins."""

from itertools import zip_longest

import pandas as pd

from brain_mri.data.dataset import MOST_NAMES, SPLITS, without_class
from brain_mri.data.twins import ORIENTATIONS


def lists(manifest: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give what a person would look up file by file, by the name of the list."""
    return {
        "label_conflicts": conflicting(manifest),
        "refused": manifest.loc[~manifest["accepted"], ["path", "reason"]],
        "twins_of_two_patients": twins_of_two_patients(manifest),
        "patients_of_two_labels": patients_of_two_labels(manifest),
    }


def conflicting(manifest: pd.DataFrame) -> pd.DataFrame:
    """List the images of every cluster that carries more than one label.

    Returns
    -------
    DataFrame
        ``cluster``, ``path``, ``split``, ``class``, sorted by cluster.
    """
    accepted = manifest[manifest["accepted"]]
    labels = accepted.groupby("cluster")["class"].transform("nunique")
    return accepted.loc[labels > 1, ["cluster", "path", "split", "class"]].sort_values(
        ["cluster", "path"]
    )


def twins_of_two_patients(manifest: pd.DataFrame) -> pd.DataFrame:
    """List the images of every cluster whose twins are said to be of different patients.

    Returns
    -------
    DataFrame
        ``cluster``, ``path``, ``split``, ``class``, ``patient``, sorted by cluster.
    """
    known = _of_known_patients(manifest)
    several = known.groupby("cluster")["patient"].transform("nunique") > 1
    columns = ["cluster", "path", "split", "class", "patient"]
    return known.loc[several, columns].sort_values(["cluster", "path"])


def patients_of_two_labels(manifest: pd.DataFrame) -> pd.DataFrame:
    """List the images of every patient whose slices carry different labels.

    Returns
    -------
    DataFrame
        ``patient``, ``path``, ``split``, ``class``, sorted by patient.
    """
    known = _of_known_patients(manifest)
    several = known.groupby("patient")["class"].transform("nunique") > 1
    columns = ["patient", "path", "split", "class"]
    return known.loc[several, columns].sort_values(["patient", "path"])


def _of_known_patients(manifest: pd.DataFrame) -> pd.DataFrame:
    return manifest[manifest["accepted"] & (manifest["patient"] != "")]


def _other_slices(images: pd.DataFrame, others: pd.DataFrame) -> int:
    """Count images whose group has another slice, one that is no twin, among others."""
    pairs = others[["group", "cluster"]].drop_duplicates()
    counts = pairs.groupby("group").size().reindex(images["group"], fill_value=0).to_numpy()
    return int((counts > images["cluster"].isin(others["cluster"]).to_numpy()).sum())


def summarise(manifest: pd.DataFrame, classes: list[str]) -> dict:
    """Count what the audit found: images, except for those counts named files or clusters.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``path``, ``split``, ``class``, ``cluster``,
        ``orientation``, ``accepted``, ``reason``, ``patient``, ``group`` and both digests.
    classes : list of str

    Returns
    -------
    dict
    """
    images = manifest[manifest["accepted"]]
    training, testing = (images[images["split"] == split] for split in SPLITS)
    conflicts, known = conflicting(manifest), images["patient"] != ""
    turned = images["orientation"].value_counts().reindex(ORIENTATIONS[1:], fill_value=0)

    def across(column: str, of: pd.DataFrame = testing, other: pd.DataFrame = training) -> int:
        return int(of[column].isin(other[column]).sum())

    return {
        "files": len(manifest),
        "accepted": len(images),
        "refused": len(manifest) - len(images),
        "refused_by_reason": manifest["reason"].value_counts().sort_index().to_dict(),
        "images": {
            split: {
                "all": len(part),
                **{name: int((part["class"] == name).sum()) for name in classes},
            }
            for split, part in zip(SPLITS, (training, testing), strict=True)
        },
        "twins": {
            "clusters": int((images["cluster"].value_counts() > 1).sum()),
            "clusters_across": len(set(training["cluster"]) & set(testing["cluster"])),
            "within_training": int(training["cluster"].duplicated(keep=False).sum()),
            "within_testing": int(testing["cluster"].duplicated(keep=False).sum()),
            "testing_with_twin_in_training": across("cluster"),
            "training_with_twin_in_testing": across("cluster", training, testing),
        },
        "patients": {
            "patients": int(images.loc[known, "patient"].nunique()),
            "images": int(known.sum()),
            "groups": int(images["group"].nunique()),
            "testing_with_patient_in_training": _other_slices(testing, training),
            "training_with_patient_in_testing": _other_slices(training, testing),
            "twins_of_two_patients": int(twins_of_two_patients(manifest)["cluster"].nunique()),
            "of_two_labels": int(patients_of_two_labels(manifest)["patient"].nunique()),
        },
        "identical_across": {"files": across("sha256"), "pixels": across("pixels_sha256")},
        "turned": {name: int(n) for name, n in turned.items() if n},
        "label_conflicts": {
            "clusters": int(conflicts["cluster"].nunique()),
            "images": len(conflicts),
        },
        "without_class": without_class(manifest),
    }


def headline(found: dict) -> dict[str, int]:
    """Give the few counts that a person compares, of what :func:`summarise` gives."""
    return {
        "files": found["files"],
        "refused": found["refused"],
        "twins_across": found["twins"]["testing_with_twin_in_training"],
        "patients_across": found["patients"]["testing_with_patient_in_training"],
    }


def said(found: dict) -> str:
    """Tell in a line what was found: counts, and the folders that nothing is made of."""
    counts, testing = headline(found), found["images"]["Testing"]["all"]
    return (
        f"{counts['files']} files, {counts['refused']} refused; "
        f"of {testing} Testing images {counts['twins_across']} have a twin in Training and "
        f"{counts['patients_across']} another slice of their patient"
        + ("" if found["patients"]["images"] else " (patients are not known)")
        + _left_aside("files beside Training and Testing, not used", found["unused"])
        + _left_aside("files of folders that are no class, refused", found["without_class"])
    )


def _left_aside(what: str, folders: dict[str, int]) -> str:
    """Name the folders that nothing is made of, with how many files each has."""
    if not folders:
        return ""
    shown = [f"{name} ({count})" for name, count in folders.items()]
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return f"; {what}: {', '.join(shown[:MOST_NAMES])}{more}"


def twin_pairs(manifest: pd.DataFrame, most: int) -> pd.DataFrame:
    """Choose pairs of twins on both sides of the split, so that the first few show every class.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``path``, ``split``, ``class``, ``cluster``, ``accepted`` and both
        digests.
    most : int
        Number of pairs.

    Returns
    -------
    DataFrame
        ``path``, ``split``, ``class`` of the first Training and the first Testing image of a
        cluster, two rows per pair: the first cluster of each class of the Testing image, then the
        second of each, and so on; and how the two are the ``same``: ``files``, ``pixels``, or
        ``slice``.
    """
    images = manifest[manifest["accepted"]].sort_values("path")
    training, testing = (
        images[images["split"] == split].drop_duplicates("cluster").set_index("cluster")
        for split in SPLITS
    )
    testing = testing[testing.index.isin(training.index)].sort_index()
    turns = zip_longest(*(part.index for _, part in testing.groupby("class")))
    clusters = [cluster for turn in turns for cluster in turn if cluster is not None]
    rows = []
    for cluster in clusters[:most]:
        sides = training.loc[cluster], testing.loc[cluster]
        rows += [{**side[["path", "split", "class"]], "same": _likeness(*sides)} for side in sides]
    return pd.DataFrame(rows, columns=["path", "split", "class", "same"])


def _likeness(one: pd.Series, other: pd.Series) -> str:
    """Tell how two twins are alike: the same ``files``, the same ``pixels``, or one ``slice``."""
    for column, kind in (("sha256", "files"), ("pixels_sha256", "pixels")):
        if one[column] == other[column]:
            return kind
    return "slice"
