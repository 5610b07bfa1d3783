"""A model file is trusted if the lock names its digest."""

import hashlib
from pathlib import Path

import pytest
import yaml

from brain_mri.errors import InputError
from stages.recorded import require_digest


@pytest.mark.parametrize("text", [None, "", "- a list", "stages: {train: {outs: [1]}}", "\x00"])
def test_without_a_lock_that_says_so_no_model_is_trusted(tmp_path, text):
    if text is not None:
        (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(InputError, match="is missing or damaged"):
        require_digest(tmp_path / "model.keras", tmp_path / "dvc.lock")


def test_a_model_is_trusted_if_the_lock_names_its_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.keras").write_bytes(b"weights")
    digest = hashlib.md5(b"weights").hexdigest()
    lock = {"stages": {"train": {"outs": [{"path": "model.keras", "md5": digest}]}, "report": {}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    require_digest("model.keras", "dvc.lock")
    with pytest.raises(InputError, match="does not name other"):
        require_digest("other.keras", "dvc.lock")
    Path("model.keras").write_bytes(b"weighty")
    with pytest.raises(InputError, match="its digest is not the one in"):
        require_digest("model.keras", "dvc.lock")
