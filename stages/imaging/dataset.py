"""A data set is a folder: Training/ and Testing/, and in each a folder per class."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from stages.errors import InputError
from stages.storage import damaged, read_table

SPLITS = ("Training", "Testing")
CONTROL = r"[\x00-\x1f\x7f-\x9f]"


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
        for part in (split, *(f"{split}/{name}" for name in classes)):
            if not (folder / part).is_dir():
                raise InputError(
                    f"dataset is '{folder.as_posix()}', but it lacks {part}; it takes a "
                    f"folder for each of the classes in both splits: {', '.join(classes)}."
                )
            if (folder / part).is_symlink():  # DVC would not see a change of what it holds
                raise InputError(
                    f"dataset is '{folder.as_posix()}', but {part} is a link, and DVC follows no "
                    "link to a folder; put the folder itself there."
                )


def require_trackable(folder: str | Path) -> None:
    """Raise InputError if a file is there that DVC cannot read, since it then reads none.

    It stops at a link that leads nowhere or a name that is not UTF-8, and waits for ever on a pipe.
    """
    for path, problem in _walk(Path(folder)):
        shown = _shown(path)
        if problem is None and not os.access(path, os.R_OK):
            problem = "unreadable: permission denied"
        if problem is None and not _is_utf8(path):
            problem = NOT_UTF8
        if problem not in (None, LINKED_FOLDER):
            raise InputError(
                f"DVC cannot read '{shown}' ({problem}), and without it none of the data set; "
                "move it out of the folder."
            )


def list_files(folder: str | Path) -> pd.DataFrame:
    r"""List every file of a data set, in the order of the paths; hidden ones are left out.

    Returns
    -------
    DataFrame
        ``path`` (below the folder, with ``/``), ``split``, ``class`` (the folder's name, None
        outside of one), ``refused`` (why it is not to be opened, else None). What a text file or a
        terminal cannot show of a path is written as ``\x0a``; such a file is refused.
    """
    folder = Path(folder)
    files = []
    for split in SPLITS:
        for path, problem in sorted(
            _walk(folder / split), key=lambda found: found[0].relative_to(folder).parts
        ):
            parts = path.relative_to(folder).parts
            if problem is None and len(parts) < 3:
                problem = "not in the folder of a class"
            if problem is None and not _is_utf8(path.relative_to(folder)):
                problem = NOT_UTF8
            if problem is None and re.search(CONTROL, "/".join(parts)):
                problem = "its name holds a line break or another control character"
            class_name = _shown(parts[1]) if len(parts) > 2 else None
            files.append((_shown("/".join(parts)), split, class_name, problem))
    return pd.DataFrame(files, columns=["path", "split", "class", "refused"], dtype=object)


def read_manifest(path: str | Path) -> pd.DataFrame:
    """Read the audit's manifest; InputError unless it is whole and names files of a data set.

    Returns
    -------
    DataFrame
        ``path``, ``split``, ``class``, ``cluster``, ``accepted``, ``reason`` and the digests.
    """
    columns = ["path", "split", "class", "sha256", "pixels_sha256", "cluster", "accepted", "reason"]
    manifest = read_table(path, columns)
    whole = (
        (manifest.empty or pd.api.types.is_bool_dtype(manifest["accepted"]))
        and manifest["split"].isin(SPLITS).all()
        and manifest["path"].notna().all()
    )
    if whole:
        manifest = manifest.astype({"accepted": bool})
        accepted = manifest[manifest["accepted"]]
        clusters = pd.to_numeric(accepted["cluster"], errors="coerce")
        whole = (clusters >= 0).all() and (clusters % 1 == 0).all()
        whole &= not accepted["path"].duplicated().any()
        for name, split, class_name in accepted[["path", "split", "class"]].values:
            parts = str(name).split("/")
            whole &= len(parts) > 2 and parts[:2] == [split, class_name]
            whole &= not {"", ".", ".."} & set(parts) and not re.search(CONTROL, name)
    if not whole:
        raise damaged(path)
    return manifest


NOT_UTF8 = "its name is not UTF-8"
LINKED_FOLDER = "a link to a folder, which is not followed"


def _walk(top: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield every file below a folder, with why it cannot be read, None where it may be."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            yield folder, unreadable(error)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield Path(entry.path), _problem(entry)


def _problem(entry: os.DirEntry) -> str | None:
    try:
        mode = entry.stat().st_mode  # of what a link leads to
    except OSError as error:
        return unreadable(error)
    if stat.S_ISDIR(mode):
        return LINKED_FOLDER
    # Opening a pipe would wait for ever.
    return None if stat.S_ISREG(mode) else "not a regular file"


def unreadable(error: OSError) -> str:
    """Give the reason that a file which cannot be opened is refused for."""
    return f"unreadable: {error.strerror.lower()}"


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: str | Path) -> str:
    """Give a path as text that any file and any terminal can hold."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return re.sub(CONTROL, lambda found: f"\\x{ord(found[0]):02x}", text)
