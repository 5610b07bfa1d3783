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
    "phantom": "3e0ba8660ff9e8eddb10cfe4944c023b5c9abdb36c8be0be9d88596ea86c8c92",
    "audit": "5f615890b5f41a6d1d3d605b2a51574f0cc8fba9ca280b007d9c366a4a4054e8",
    "prepared": "2c261e6e36a73934e1763ac87855283f454f53c661eb8d88b712f72e9f503d39",
    "reports": "bde1fa21856630e3b25fc39d3de00e6d84ac2619bd5db1d1138b9e84f2785268",
    "none": "78e5cc3cfd7dfa07388f842f378eae6c4b6b32f4982e6e0f9c673a7e8cd43e6f",
    "oversample": "ae5872256c1862d0d4067477458d0186621587a2f6d4054bb6e79235540722a5",
    "undersample": "f524cea50abf9a690061c07932a9e22755abef997c2a46bceb8f620353d60b9c",
    "class_weight": "26df9655d3d00b6bbc3fd131da64f4257ccad654f79a4c919a3155a2ba496dc3",
    "augment": "6d51473c9504c91221cd838c39f2cab179ff0d4eb068f42aa80f5b096e126cf7",
    "augment_only": "18143a063fb87bc70bb8fc0682df873016a4b4f957ed6d03f49f4ea50b6a6c19",
}
# NumPy's and OpenBLAS's instructions of a processor of 2009.
OLD = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL", "OPENBLAS_CORETYPE": "Nehalem"}


@pytest.mark.parametrize("processor", [{}, OLD], ids=["this processor", "an old processor"])
def test_data_stages_end_with_the_same_bytes_everywhere(tmp_path, processor):
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["patients"] = "phantom/patients.csv"
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
    stage(
        "stages.audit phantom --manifest audit/manifest.csv --patients audit/patients.csv "
        "--reports reports"
    )
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
