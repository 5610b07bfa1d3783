"""Measure the twin search: what it takes, and whether the nearest alone give the exact answer.

    python benchmarks/twin_search.py "public set" data/sartaj
    python benchmarks/twin_search.py "10,000 warped phantoms" /tmp/large/10000/data

From the project's root, on a data set; /tmp/large is what benchmarks/large_set.py made. One row per
way goes to benchmarks/readings/twin_search.csv:

way
    `exact` registers every pair that the coarse correlation proposes, `nearest` the likest alone.
cpu_seconds
    Of one core, on fingerprints that were made before; peak_mb the most memory that it allocated.
pairs, turned, clusters
    Twins that were found, those of them that are not upright, and slices that they make of the
    images.
product_ns, proposed
    Of one core for the coarse correlation of a pair and the choice of the nearest, in one of 16
    ways (two views, eight orientations), and the pairs that are registered for it in all of them.
recall, same_clusters
    The share of the exact search's twins in one cluster here, and whether all clusters are its own.
"""

import argparse
import sys
import tracemalloc
from functools import partial
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from brain_mri.data import twins
from brain_mri.data.dataset import list_files
from brain_mri.data.decoding import Refused, decode
from brain_mri.parallel import map_in_order

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "benchmarks/readings/twin_search.csv"


def look(path: str, folder: Path) -> np.ndarray | None:
    """Give the fingerprint of a file, None if it is no slice."""
    try:
        return twins.fingerprint(decode(folder / path, 50_000_000).pixels)
    except Refused:
        return None


def correlate(fingerprints: np.ndarray, nearest: int | None, chunk: int = 512) -> dict:
    """Measure the coarse correlation of all pairs, without what follows it."""
    views = [twins._detail(view, 16) for view in fingerprints.swapaxes(0, 1)]
    count, proposed, start = len(fingerprints), 0, process_time()
    with threadpool_limits(1):
        for first in range(0, count, chunk):
            slices = np.arange(first, min(first + chunk, count))
            for view, images in enumerate(views):
                row = twins._Row(view, slices, nearest)
                found = twins._propose(row, images[slices], images, chunk)
                proposed += sum(len(pairs) for _, pairs in found)
    seconds = process_time() - start
    compared = count**2 if nearest else count**2 / 2  # the nearest are sought from both sides
    return {"product_ns": round(1e9 * seconds / (16 * compared), 1), "proposed": proposed}


def main() -> None:
    """Search in both ways, and put their rows in place of the old ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the set, in the table")
    parser.add_argument("dataset", type=Path)
    arguments = parser.parse_args()
    paths = list_files(arguments.dataset)["path"].tolist()
    found = map_in_order(partial(look, folder=arguments.dataset), paths, "fingerprints")
    fingerprints = np.stack([one for one in found if one is not None])
    count, rows = len(fingerprints), []
    for way, exact in (("exact", count), ("nearest", 0)):
        coarse = correlate(fingerprints, None if exact else twins.NEAREST)
        tracemalloc.start()
        start = process_time()
        pairs, orientations = twins.find_twins(fingerprints, exact=exact)
        seconds, (_, peak) = process_time() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        labels = twins.cluster(count, pairs)
        if way == "exact":
            truth, expected = pairs, labels
        rows.append(
            {
                "set": arguments.name,
                "images": count,
                "way": way,
                "cpu_seconds": round(seconds),
                "peak_mb": round(peak / 1e6),
                **coarse,
                "pairs": len(pairs),
                "turned": int(np.count_nonzero(orientations)),
                "clusters": int(labels.max()) + 1,
                "recall": float(np.mean(labels[truth[:, 0]] == labels[truth[:, 1]])),
                "same_clusters": bool(np.array_equal(labels, expected)),
            }
        )
        print(rows[-1], flush=True)
    old = [pd.read_csv(TABLE)] if TABLE.exists() else []
    table = pd.concat([*old, pd.DataFrame(rows)]).drop_duplicates(["set", "way"], keep="last")
    table = table.astype({"proposed": "Int64", "turned": "Int64"})
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
