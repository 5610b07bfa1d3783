"""A data set is a folder: Training/ and Testing/, and in each a folder per class."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_mri.errors import InputError
from brain_mri.storage import damaged, read_table

SPLITS = ("Training", "Testing")
# Why the audit refuses a file.
UNKNOWN_CLASS = "its folder is not one of the classes"
NOT_UTF8 = "its name is not UTF-8"
LINKED_FOLDER = "a link to a folder, which is not followed"
TRUTH = "truth.csv"  # how each of the phantoms was drawn
PATIENTS = "patients.csv"  # which patient an image is of
# What the audit notes of a file beyond the picture: a shortcut, where it differs between classes.
HEADER = ("width", "height", "mode", "format", "file_bytes", "quantisation", "border")
MOST_NAMES = 8  # that a sentence lists
CONTROL = r"[\x00-\x1f\x7f-\x9f]"


def require_dataset(folder: str | Path, classes: list[str]) -> None:
    """Raise InputError unless a data set is there with every class in both splits.

    Names are compared letter by letter, even on a file system that ignores case. Only Unicode's two
    ways to write an accent count as the same: nobody can see the difference, and macOS and Linux
    write different ones.
    """
    folder = Path(folder)
    said = f"dataset is '{folder.as_posix()}', but"
    if not folder.is_dir():
        there = _names(folder.parent) if folder.parent.is_dir() else []
        raise InputError(
            f"{said} there is no such folder{_alike(folder.name, there)}; it takes a folder "
            "with Training/ and Testing/. `make sartaj` brings the public set, "
            f"`dvc pull {folder.as_posix()}.dvc` one that your team shares, and data/phantom is "
            "the embedded one."
        )
    takes = "call its two folders Training and Testing"
    if {same_text(name) for name in classes} <= {same_text(name) for name in _names(folder)}:
        takes = "these are the classes, but it takes the folder with Training/ and Testing/ above"
    for split in SPLITS:
        _require_folder(folder, split, said, "it", takes)
    takes = f"it takes a folder of the same name for each class in both splits: {_listed(classes)}"
    for split in SPLITS:
        for name in classes:
            _require_folder(folder, f"{split}/{name}", said, split, takes)


def _require_folder(dataset: Path, part: str, said: str, above: str, takes: str) -> None:
    """Raise InputError unless this part of a data set is there, and a folder, not a link to one."""
    wanted, parent = Path(part).name, (dataset / part).parent
    names = _names(parent)
    found = [name for name in names if same_text(name) == same_text(wanted)]
    if not found:
        raise InputError(
            f"{said} it lacks {part}; {above} has {_listed(names)}{_alike(wanted, names)}; {takes}."
        )
    for name in found:
        if (parent / name).is_symlink():  # DVC would not see a change of what it holds
            raise InputError(
                f"{said} {part} is a link, and DVC follows no link to a folder; put the folder "
                "itself there."
            )
        if not (parent / name).is_dir():
            raise InputError(f"{said} {part} is a file, not a folder; {takes}.")


def same_text(name: str) -> str:
    """Give a name in the one form (NFC) of all that Unicode calls the same text."""
    return unicodedata.normalize("NFC", name)


def _names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def _alike(wanted: str, names: list[str]) -> str:
    """Name what reads like a name but is written differently, and how; nothing if there is none."""

    def letters(name: str) -> str:
        name = unicodedata.normalize("NFKC", name).casefold()
        return "".join(filter(str.isalnum, name))

    for name in names:
        one, other = same_text(name), same_text(wanted)
        if one == other:  # a file where a folder is wanted
            continue
        if one.casefold() == other.casefold():
            how = "upper and lower case"
        elif one.strip() == other.strip():
            how = "white space at an end"
        elif letters(name) and letters(name) == letters(wanted):
            how = "spaces, signs or the coding of letters"
        else:
            continue
        return f", where {name!r} differs from {wanted!r} only in {how}"
    return ""


def _listed(names: list[str]) -> str:
    """List names; what does not print, such as a no-break space, is shown by its code."""
    listed = ", ".join(map(repr, names[:MOST_NAMES])) or "nothing"
    return listed + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def beside_splits(folder: str | Path) -> dict[str, int]:
    """Count the files of what lies beside Training/ and Testing/, by name; no stage reads them.

    A validation folder of the set's own is among them, since nothing tells whether it shares twins
    with the splits. The tables that come with the phantoms are not.
    """
    folder = Path(folder)
    counts = {}
    for name in _names(folder):
        if name not in (*SPLITS, TRUTH, PATIENTS):
            path = folder / name
            own = path.is_dir() and not path.is_symlink()  # a link may lead anywhere
            counts[shown(name)] = sum(1 for _ in walk(path)) if own else 1
    return counts


def without_class(manifest: pd.DataFrame) -> dict[str, int]:
    """Count the files of folders within the splits that are none of the classes, by folder."""
    unknown = manifest[manifest["reason"] == UNKNOWN_CLASS]
    folders = unknown["path"].str.split("/").str[:2].str.join("/")
    return folders.value_counts(sort=False).to_dict()


def require_trackable(folder: str | Path) -> None:
    """Raise InputError if a file is there that DVC cannot read, since it then reads none.

    It stops at a link that leads nowhere or a name that is not UTF-8, and waits forever on a pipe.
    """
    for path, problem in walk(Path(folder)):
        if problem is None and not os.access(path, os.R_OK):
            problem = "unreadable: permission denied"
        if problem is None and not _is_utf8(path):
            problem = NOT_UTF8
        if problem not in (None, LINKED_FOLDER):
            raise InputError(
                f"DVC cannot read '{shown(path)}' ({problem}), and without it none of the data "
                "set; move it out of the folder."
            )


def list_files(folder: str | Path) -> pd.DataFrame:
    r"""List every file of a data set, in the order of the paths; hidden ones are left out.

    Returns
    -------
    DataFrame
        ``path`` (below the folder, with ``/``), ``split``, ``class`` (the folder's name in the
        form of :func:`same_text`, None outside of one), ``refused`` (why it is not to be opened,
        else None). What a text file or a terminal cannot show of a path is written as ``\x0a``;
        such a file is refused.
    """
    folder = Path(folder)
    files = []
    for split in SPLITS:
        for path, problem in sorted(
            walk(folder / split), key=lambda found: found[0].relative_to(folder).parts
        ):
            parts = path.relative_to(folder).parts
            if problem is None and len(parts) < 3:
                problem = "not in the folder of a class"
            if problem is None and not _is_utf8(path.relative_to(folder)):
                problem = NOT_UTF8
            if problem is None and re.search(CONTROL, "/".join(parts)):
                problem = "its name holds a line break or another control character"
            class_name = same_text(shown(parts[1])) if len(parts) > 2 else None
            files.append((shown("/".join(parts)), split, class_name, problem))
    return pd.DataFrame(files, columns=["path", "split", "class", "refused"], dtype=object)


def read_manifest(path: str | Path) -> pd.DataFrame:
    """Read the audit's manifest; InputError unless it is whole and names files of a data set.

    Returns
    -------
    DataFrame
        ``path``, ``split``, ``class``, ``cluster``, ``patient`` (empty where not known),
        ``group``, ``accepted``, ``reason``, the digests, and what each
        file tells beyond the picture, :data:`HEADER`.
    """
    columns = ["path", "split", "class", *HEADER, "sha256", "pixels_sha256", "cluster", "patient"]
    manifest = read_table(path, [*columns, "group", "accepted", "reason"]).fillna({"patient": ""})
    whole = (
        (manifest.empty or pd.api.types.is_bool_dtype(manifest["accepted"]))
        and manifest["split"].isin(SPLITS).all()
        and manifest["path"].notna().all()
    )
    if whole:
        manifest = manifest.astype({"accepted": bool})
        accepted = manifest[manifest["accepted"]]
        numbers = accepted[["cluster", "group"]].apply(pd.to_numeric, errors="coerce")
        whole = (numbers >= 0).all(axis=None) and (numbers % 1 == 0).all(axis=None)
        whole &= not accepted["path"].duplicated().any()
        for name, split, class_name in accepted[["path", "split", "class"]].values:
            parts = str(name).split("/")
            whole &= len(parts) > 2 and [parts[0], same_text(parts[1])] == [split, class_name]
            whole &= not {"", ".", ".."} & set(parts) and not re.search(CONTROL, name)
    if not whole:
        raise damaged(path)
    return manifest


def require_same_files(manifest: pd.DataFrame, folder: str | Path, path: str | Path) -> None:
    """Raise InputError unless a manifest, which is at a path, is of the files in the data set."""
    files, accepted = list_files(folder), manifest[manifest["accepted"]]
    readable = files.loc[files["refused"].isna(), "path"]
    if set(files["path"]) != set(manifest["path"]) or not accepted["path"].isin(readable).all():
        raise InputError(
            f"{path} does not list the files that {folder} has; run `dvc repro` to audit anew"
        )


def walk(top: Path) -> Iterator[tuple[Path, str | None]]:
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
    # Opening a pipe would wait forever.
    return None if stat.S_ISREG(mode) else "not a regular file"


def unreadable(error: OSError) -> str:
    """Give the reason why a file that cannot be opened is refused."""
    return f"unreadable: {error.strerror.lower()}"


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str | Path) -> str:
    """Give a path as text that any file and any terminal can hold."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return re.sub(CONTROL, lambda found: f"\\x{ord(found[0]):02x}", text)
