"""Tell in a sentence that packages are missing, whichever command is started without them."""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CHOSEN = Path(__file__).parent.parent / "requirements.in"


def _tell(kind, error, trace) -> None:
    """Show an error that ends Python; a module of our own that is missing is no such error."""
    own = getattr(error, "name", None) or ""
    if issubclass(kind, ImportError) and own.split(".")[0] != "stages" and (names := _missing()):
        lacks = (
            f"{sys.executable} lacks {len(names)} packages of requirements.in, such as {names[0]}"
        )
        mend = "`source .venv/bin/activate` first, or `make repro`, which makes .venv"
        print(f"{' '.join(str(error).split())}: {lacks}; {mend}", file=sys.stderr)
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
