"""What is said of an error that ends a command before a stage has it in hand."""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from brain_mri.errors import NO_MEMORY, one_line

OWN = ("brain_mri", "stages")
CHOSEN = Path(__file__).parent.parent / "requirements.in"


def _tell(kind, error, trace) -> None:
    """Say that packages or memory are missing; show any other error as Python does."""
    own = getattr(error, "name", None) or ""
    if issubclass(kind, ImportError) and own.split(".")[0] not in OWN and (names := _missing()):
        lacks = (
            f"{sys.executable} lacks {len(names)} packages of requirements.in, such as {names[0]}"
        )
        fix = "`source .venv/bin/activate` first, or `make repro`, which makes .venv"
        print(f"{one_line(error)}: {lacks}; {fix}", file=sys.stderr)
    # The other is said of a library that is to be loaded.
    elif issubclass(kind, MemoryError) or "failed to map segment" in str(error):
        print(NO_MEMORY, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _missing() -> list[str]:
    """Name what requirements.in lists and this Python does not have."""
    if not CHOSEN.is_file():
        return []
    return [
        name
        for name in re.findall(r"^[\w.-]+", CHOSEN.read_text(encoding="utf-8"), re.MULTILINE)
        if not _is_installed(name)
    ]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


sys.excepthook = _tell
