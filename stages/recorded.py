"""What dvc.lock says of a file: of all code, only stages know of DVC."""

import hashlib
import os
from pathlib import Path

from ruamel.yaml import YAML

from brain_mri.errors import InputError


def require_digest(path: str | Path, lock: str | Path) -> None:
    """Raise InputError unless a file is the one that a dvc.lock names as a stage's output."""
    path, lock = Path(path), Path(lock)
    digests = {name: md5 for outs in _digests(lock, "outs").values() for name, md5 in outs.items()}
    name = Path(os.path.relpath(path, lock.parent)).as_posix()
    if name not in digests:
        raise InputError(f"{lock} does not name {path.as_posix()}; run `dvc repro` to train it")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()  # which is DVC's
    if digest != digests[name]:
        raise InputError(
            f"{path.as_posix()} is not the model that was trained: its digest is not the one in "
            f"{lock}; remove it and run `dvc repro`"
        )


def trained_with(model: str, lock: str | Path) -> dict[str, dict[str, str]]:
    """Give the digests of the ``code`` and the ``data`` that a model was trained with, by path."""
    digests = _digests(Path(lock), "deps")[f"train@{model}"]
    code = {path for path in digests if path.endswith(".py")}
    return {
        "code": {path: digests[path] for path in sorted(code)},
        "data": {path: digests[path] for path in sorted(digests.keys() - code)},
    }


def _digests(lock: Path, kind: str) -> dict[str, dict[str, str]]:
    """Give, by stage, the digest of each of its ``outs`` or ``deps``, by path."""
    try:
        stages = YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"]
        return {
            name: {entry["path"]: entry["md5"] for entry in stage.get(kind, [])}
            for name, stage in stages.items()
        }
    except Exception:  # whatever the YAML library, or content of another shape, raises
        raise InputError(
            f"{lock} is missing or damaged, so that nothing tells what was trained; `git checkout` "
            "or `dvc repro` brings it"
        ) from None
