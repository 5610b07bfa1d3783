"""What a training needs to go on after it was killed, kept between its epochs."""

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import brain_mri
from brain_mri.models.distribution import from_chief, place
from brain_mri.storage import written_aside


def key(parameters: dict, inputs: Iterable[Path]) -> str:
    """Digest all that a training depends on: parameters, data and code.

    The code is what is loaded of brain_mri/, and all of this room, which loads an architecture
    late.

    Parameters
    ----------
    parameters : dict
        JSON can hold it.
    inputs : iterable of Path
        Files, and folders with all that is in them.

    Returns
    -------
    str
        SHA-256, in hexadecimal.
    """
    home = Path(brain_mri.__file__).parent
    loaded = {Path(module.__file__) for module in list(sys.modules.values()) if _is_file(module)}
    room = set(Path(__file__).parent.rglob("*.py"))
    code = sorted({path for path in loaded if path.is_relative_to(home)} | room)
    data = [
        file
        for path in inputs
        for file in ([path] if path.is_file() else sorted(path.rglob("*")))
        if file.is_file()
    ]
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for path in [*code, *data]:
        with open(path, "rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _is_file(module) -> bool:
    return getattr(module, "__file__", None) is not None


class Checkpoint:
    """The file that one training goes on from.

    Attributes
    ----------
    arrays : dict of str to ndarray
        As kept before a kill; empty where nothing was.
    facts : dict
        Likewise.
    damaged : bool
        Whether a file was there that cannot be used.
    """

    def __init__(self, output: str | Path, key: str):
        """Read what an earlier run with the same key kept for the same output.

        It lies in a folder beside the output, which Git and DVC ignore. Of several workers the
        chief keeps it, and all read what it has.
        """
        worker, workers = place()
        if workers > 1:
            key = from_chief(key.encode()).decode()  # their processors may differ
        self.folder = Path(output).parent / ".checkpoints" / Path(output).stem
        self.path = self.folder / f"{key}.npz"
        self.key = key
        self.is_kept_here = worker == 0
        self.arrays, self.facts, self.damaged = {}, {}, False
        content = None
        if self.is_kept_here and self.path.exists():
            content = self.path.read_bytes()
        if workers > 1:
            content = from_chief(content or b"") or None
        if content is not None:
            self._read(content)

    def _read(self, content: bytes) -> None:
        try:
            with np.load(io.BytesIO(content)) as stored:  # checks the CRC of every array
                arrays = {name: stored[name] for name in stored.files}
            facts = json.loads(str(arrays.pop("facts")))
            known = facts.pop("key"), facts.pop("arrays")
            self.damaged = known != (self.key, sorted(arrays))
        except MemoryError:
            raise
        except Exception:  # whatever zipfile, NumPy or json stumbles over
            self.damaged = True
        else:
            if not self.damaged:
                self.arrays, self.facts = arrays, facts

    def keep(self, arrays: dict[str, np.ndarray], facts: dict) -> None:
        """Write arrays, and facts that JSON can hold, in place of what was kept before."""
        if not self.is_kept_here:
            return
        text = np.array(json.dumps(facts | {"key": self.key, "arrays": sorted(arrays)}))
        with written_aside(self.path) as aside:
            np.savez(aside, facts=text, **arrays)

    def remove(self) -> None:
        """Remove it, with those that runs of other parameters left for the same output."""
        if self.is_kept_here:
            shutil.rmtree(self.folder, ignore_errors=True)
