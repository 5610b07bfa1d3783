"""Put what the runs of a study tell into one table of each kind.

    python results/gather.py studies/balancing/runs results/sartaj-64-balancing

It writes history.csv and signals.csv, a row of a run's table with its `arm` and `seed`, and
training.json, a record per run.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd

from brain_mri.storage import write_json, write_table


def main(runs: Path, output: Path) -> None:
    """Read every run of a study; write the tables."""
    for kind in ("history", "signals"):
        tables = []
        for path in sorted((runs / kind).glob("*.csv")):
            arm, _, seed = path.stem.rpartition("-")
            table = pd.read_csv(path)
            table.insert(0, "arm", arm)
            table.insert(1, "seed", int(seed))
            tables.append(table)
        write_table(output / f"{kind}.csv", pd.concat(tables, ignore_index=True))
    records = {
        path.stem: next(iter(json.loads(path.read_text(encoding="utf-8")).values()))
        for path in sorted((runs / "training").glob("*.json"))
    }
    write_json(output / "training.json", records)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
