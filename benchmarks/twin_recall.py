"""Measure which copies the twin search finds, by how they are changed and turned.

    python benchmarks/twin_recall.py data/sartaj

From the project's root. Slices that are no twins of each other are drawn from the set, and each is
copied in three ways in all eight orientations; all are searched together. One row per way and
orientation goes to benchmarks/readings/twin_recall.csv:

change
    `re-encoded` as a JPEG of quality 30 to 90, `rescaled` by 0.5 to 1.8, `brightened` by 10 to 40
    grey levels; the last two are JPEG of quality 75 as well.
copies, found, told
    Copies; those that are a twin of their original; and those whose orientation is told right.
others
    Pairs of such a copy with the original of another.
"""

import argparse
import io
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import numpy as np
import pandas as pd
from PIL import Image
from twin_search import look

from brain_mri.data.dataset import list_files
from brain_mri.data.decoding import decode
from brain_mri.data.twins import ORIENTATIONS, cluster, find_twins, fingerprint, turned
from brain_mri.parallel import map_in_order

TABLE = Path(__file__).parent / "readings/twin_recall.csv"
CHANGES = ("re-encoded", "rescaled", "brightened")
SLICES, SEED = 250, 1


def copies(path: str, folder: Path) -> np.ndarray:
    """Give the fingerprints of a slice and of its copies, by change and by orientation."""
    pixels = decode(folder / path, 50_000_000).pixels
    rng = np.random.default_rng([SEED, *path.encode()])
    found = [fingerprint(pixels)]
    for change in CHANGES:
        for orientation in range(len(ORIENTATIONS)):
            image, quality = Image.fromarray(turned(pixels, orientation).copy()), 75
            if change == "re-encoded":
                quality = int(rng.integers(30, 91))
            elif change == "rescaled":
                factor = rng.uniform(0.5, 1.8)
                image = image.resize([round(side * factor) for side in image.size])
            else:
                shift = int(rng.integers(10, 41))
                image = image.point(lambda grey, shift=shift: grey + shift)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality)
            found.append(fingerprint(np.asarray(Image.open(file))))
    return np.stack(found)


def main() -> None:
    """Copy, search, and write a row per change and orientation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    dataset = parser.parse_args().dataset
    paths = list_files(dataset)["path"].to_numpy()
    seen = list(map_in_order(partial(look, folder=dataset), paths.tolist(), "fingerprints"))
    paths = paths[[one is not None for one in seen]]
    labels = cluster(len(paths), find_twins([one for one in seen if one is not None]).pairs)
    firsts = np.unique(labels, return_index=True)[1]
    chosen = np.sort(np.random.default_rng(SEED).choice(paths[firsts], SLICES, replace=False))

    families = list(map_in_order(partial(copies, folder=dataset), chosen.tolist(), "copies"))
    each = len(families[0])
    pairs, orientations = find_twins(np.concatenate(families), exact=each * SLICES)
    of_slice, kind = np.divmod(pairs, each)  # kind 0 is the original
    of_original = (kind == 0).any(axis=1)
    same = of_slice[:, 0] == of_slice[:, 1]
    kind = kind.max(axis=1)
    rows = []
    for place in range(1, each):
        change, orientation = divmod(place - 1, len(ORIENTATIONS))
        found = of_original & same & (kind == place)
        rows.append(
            {
                "change": CHANGES[change],
                "orientation": ORIENTATIONS[orientation],
                "copies": SLICES,
                "found": int(found.sum()),
                "told": int((found & (orientations == orientation)).sum()),
                "others": int((of_original & ~same & (kind == place)).sum()),
            }
        )
    pd.DataFrame(rows).to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
