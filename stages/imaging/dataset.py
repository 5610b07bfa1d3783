"""A data set is a folder: Training/ and Testing/, and in each a folder per class."""

from pathlib import Path

import pandas as pd

from stages.errors import InputError

SPLITS = ("Training", "Testing")


def require_dataset(folder: str | Path, classes: list[str]) -> None:
    """Raise InputError unless a data set is there with every class in both splits."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"dataset is '{folder.as_posix()}', but there is no such folder; it takes a folder "
            "with Training/ and Testing/. `make sartaj` brings the public set, "
            f"`dvc pull {folder.as_posix()}.dvc` one that your team shares, and data/phantom is "
            "the embedded one."
        )
    for split in SPLITS:
        for name in classes:
            if not (folder / split / name).is_dir():
                raise InputError(
                    f"dataset is '{folder.as_posix()}', but it lacks {split}/{name}; it takes a "
                    f"folder for each of the classes in both splits: {', '.join(classes)}."
                )


def list_files(folder: str | Path) -> pd.DataFrame:
    """List every file of a data set, in the order of the paths; hidden ones are left out.

    Returns
    -------
    DataFrame
        ``path`` (below the folder, with ``/``), ``split``, ``class`` (the folder's name).
    """
    folder = Path(folder)
    files = []
    for split in SPLITS:
        for path in sorted((folder / split).rglob("*")):
            parts = path.relative_to(folder).parts
            if len(parts) > 2 and not path.is_dir() and not any(p.startswith(".") for p in parts):
                files.append(("/".join(parts), split, parts[1]))
    return pd.DataFrame(files, columns=["path", "split", "class"])
