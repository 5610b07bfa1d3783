"""What must not depend on the machine does not: data stages end with the same bytes everywhere."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from brain_mri import params

ROOT = Path(__file__).parents[2]
# SHA-256 of every output below, made by this test. They change with the data that is drawn, with
# the decisions of audit, prepare and balance, and with a decoder that gives other pixels; never
# with the machine.
PINNED = {
    "phantom": "9f37133804bcd9651e5bffa6505795a79bb87a76380ad69bb8dbd17447aa1fa6",
    "audit": "97962471ac175064a7906d9260ead12bfbb4b22ccd4b7ebacbd2e54c3fc3790f",
    "prepared": "1b8c9cb48876ad2d669bfaf0205ef903dafb354a286578ea746410e48a95f20a",
    "reports": "ad6cd08b117ae8c10aa18191082890d365d4d030e1252f6dbace8700408d69a5",
    "none": "ec2065c1be6037a549af8ba1f0da199b81e8cbc1dd1e8ea4bcddc6dc53b44d7a",
    "oversample": "b923eb3aa4c47bcbd55d5a9cc19d85bb74f6cc6e5b23c13644fa3c0c51f3af77",
    "undersample": "d5b4783a4ca5e5ae93e5ab627d42372dcac1f69b92c37eb64e741e80deba713d",
    "class_weight": "4b04f7126e254c806eb5ce65aa6900ac745fbece3297e505918ff41c021eef03",
    "augment": "063781987f264a52375655c20ec75561184fe6a3e7de3eb1ee122b66cf578532",
    "augment_only": "ef77365aa711f8bc8038be5c9c36d34907783c2cc47fe1c39ea153578305b3ba",
}
# NumPy's and OpenBLAS's instructions of a processor of 2009.
OLD = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL", "OPENBLAS_CORETYPE": "Nehalem"}


@pytest.mark.parametrize("processor", [{}, OLD], ids=["this processor", "an old processor"])
def test_data_stages_end_with_the_same_bytes_everywhere(tmp_path, processor):
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["phantom"] |= {"training": 160, "testing": 80, "size": 192, "seed": 5}
    content["phantom"] |= {"reencoded": 6, "rescaled": 4, "brightened": 4, "mislabelled": 4}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def stage(command):
        subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=tmp_path,
            env=os.environ | processor | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )

    stage("stages.phantom phantom")
    stage("stages.audit phantom --manifest audit/manifest.csv --reports reports")
    stage(
        "stages.prepare phantom --manifest audit/manifest.csv --output prepared --reports reports"
    )
    for strategy in params.STRATEGIES:
        stage(f"stages.balance --strategy {strategy} --training prepared/train --output {strategy}")
    assert {name: digest(tmp_path / name) for name in PINNED} == PINNED


def digest(folder):
    """Digest the names and the bytes of all files in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(folder).as_posix()} {len(content)} ".encode())
            found.update(content)
    return found.hexdigest()
