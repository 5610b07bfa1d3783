"""Write down what everything is measured on."""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import psutil
from training import settings
from turns import PEERS, READINGS, processor

from brain_mri.models import runtime

PEER_VERSIONS = """
from importlib.metadata import version
for name in ("torch", "cleanvision"):
    print(name, version(name))
"""

if __name__ == "__main__":
    taken = runtime.configure(settings("model_1"))
    said = subprocess.run([PEERS, "-c", PEER_VERSIONS], check=True, capture_output=True, text=True)
    facts = {
        name: taken[name]
        for name in ("device", "instruction_set", "threads", "precision", "versions")
    }
    facts["memory_gb"] = round(psutil.virtual_memory().total / 1e9)
    facts["peers"] = ", ".join(said.stdout.splitlines())
    READINGS.mkdir(exist_ok=True)
    path, kind = READINGS / "machines.json", processor(taken)
    machines = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    machines.pop(kind, None)  # this one goes to the end
    path.write_text(json.dumps(machines | {kind: facts}, indent=2) + "\n", encoding="utf-8")
