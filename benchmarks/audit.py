"""The audit of a data set against CleanVision's search for exact and near duplicates."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from clones import set_parameters
from training import settings
from turns import PEERS, READINGS, ROOT, run, write_here

from brain_mri.models import runtime

ROUNDS = 3


def main() -> None:
    """Run both in turn on all cores; count the pairs of CleanVision that the audit has."""
    dataset = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "params.yaml", folder)
        set_parameters(folder, patients=None)
        manifest, theirs = folder / "manifest.csv", folder / "theirs.json"
        ways = {
            "audit": [
                *(sys.executable, "-m", "stages.audit", dataset, "--manifest", manifest),
                *("--patients", folder / "patients.csv", "--reports", folder / "reports"),
            ],
            "cleanvision": [*(PEERS, ROOT / "benchmarks/audit_by_cleanvision.py", dataset, theirs)],
        }
        rows = []
        for number in range(ROUNDS):
            for way, command in ways.items():
                seconds, _ = run(command, folder, PYTHONPATH=str(ROOT))
                rows.append({"round": number, "way": way, "seconds": round(seconds, 2)})
                print(rows[-1], file=sys.stderr)
        ours = pd.read_csv(manifest).set_index("path")["cluster"]
        # CleanVision puts more than two alike files in one set; one pair of a set is each with
        # the first.
        pairs = [
            (kind, first, other)
            for kind, sets in json.loads(theirs.read_text()).items()
            for first, *others in sets
            for other in others
        ]
        found = [
            {"kind": kind, "a": a, "b": b, "found": bool(ours[a] == ours[b])}
            for kind, a, b in pairs
        ]
    write_here("audit", pd.DataFrame(rows), runtime.configure(settings("model_1")))
    table = pd.DataFrame(found, columns=["kind", "a", "b", "found"]).sort_values(["kind", "a", "b"])
    table.to_csv(READINGS / "audit_pairs.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
