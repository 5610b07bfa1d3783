"""What an audit shows of its findings."""

import pandas as pd

from brain_mri.data.findings import twin_pairs


def test_pairs_of_twins_show_every_class_first():
    rows = [
        (f"{split}/{name}/{i}.png", split, name, 10 * number + i, True)
        for number, name in enumerate(("a", "b"))
        for i in range(3)
        for split in ("Training", "Testing")
    ]
    rows.append(("Testing/a/lone.png", "Testing", "a", 99, True))
    manifest = pd.DataFrame(rows, columns=["path", "split", "class", "cluster", "accepted"])
    manifest = manifest.assign(sha256=manifest["path"], pixels_sha256=manifest["cluster"])
    pairs = twin_pairs(manifest, 3)
    assert pairs["path"].tolist() == [
        *("Training/a/0.png", "Testing/a/0.png"),
        *("Training/b/0.png", "Testing/b/0.png"),
        *("Training/a/1.png", "Testing/a/1.png"),
    ]
    assert set(pairs["same"]) == {"pixels"}
    assert len(twin_pairs(manifest, 100)) == 12
    assert twin_pairs(manifest.iloc[-1:], 3).empty
