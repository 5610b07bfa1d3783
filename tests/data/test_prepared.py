"""The folds hold what each would by itself, and every image is decoded once for all of them."""

from collections import Counter

import numpy as np
import pandas as pd

from brain_mri.data.prepared import write_division, write_folds
from brain_mri.data.splitting import SETS, split_folds


def test_folds_together_are_the_folds_one_by_one_and_decode_every_image_once(tmp_path):
    groups = np.repeat(np.arange(30), 2)
    manifest = pd.DataFrame(
        {
            "path": [f"Training/a/{number}.png" for number in range(60)],
            "class": np.where(groups % 3, "a", "b"),
            "cluster": np.arange(60),
            "patient": "",
            "group": groups,
            "accepted": True,
            "width": 8,
            "height": 8,
        }
    )
    divisions = [split_folds(manifest, ["a", "b"], 3, fold, 0.2, seed=1) for fold in (1, 2, 3)]
    decoded = Counter()

    def decode(paths):
        for path in paths:
            decoded[path] += 1
            yield np.full((8, 8), manifest.index[manifest["path"] == path][0], np.uint8)

    write_folds(tmp_path / "all", divisions, decode, shard_mb=1)
    assert decoded == Counter(manifest["path"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all"]
    for fold, division in enumerate(divisions, 1):
        write_division(tmp_path / "one", division, decode, shard_mb=1)
        for name in SETS:
            folder = tmp_path / "all" / str(fold) / name
            for path in (tmp_path / "one" / name).iterdir():
                assert path.read_bytes() == (folder / path.name).read_bytes()
