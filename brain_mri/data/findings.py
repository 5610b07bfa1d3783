"""What an audit found, told from its manifest: counts, labels in conflict, pairs of twins."""

from itertools import zip_longest

import pandas as pd

from brain_mri.data.dataset import MOST_NAMES, SPLITS, without_class


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


def summarise(manifest: pd.DataFrame, classes: list[str]) -> dict:
    """Count what the audit found: images, except for those counts named files or clusters.

    Parameters
    ----------
    manifest : DataFrame
        One row per file, with ``path``, ``split``, ``class``, ``cluster``, ``mirror``,
        ``accepted``, ``reason`` and both digests.
    classes : list of str

    Returns
    -------
    dict
    """
    images = manifest[manifest["accepted"]]
    training, testing = (images[images["split"] == split] for split in SPLITS)
    conflicts = conflicting(manifest)

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
        "identical_across": {"files": across("sha256"), "pixels": across("pixels_sha256")},
        "mirrored": int(images["mirror"].notna().sum()),
        "label_conflicts": {
            "clusters": int(conflicts["cluster"].nunique()),
            "images": len(conflicts),
        },
        "without_class": without_class(manifest),
    }


def headline(found: dict) -> dict[str, int]:
    """Give the few counts that a person compares, of what :func:`summarise` gives."""
    across = found["twins"]["testing_with_twin_in_training"]
    return {"files": found["files"], "refused": found["refused"], "twins_across": across}


def said(found: dict) -> str:
    """Tell in a line what was found: counts, and the folders that nothing is made of."""
    counts, testing = headline(found), found["images"]["Testing"]["all"]
    return (
        f"{counts['files']} files, {counts['refused']} refused; "
        f"{counts['twins_across']} of {testing} Testing images have a twin in Training"
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
