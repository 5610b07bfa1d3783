"""Search a folder for duplicates with CleanVision; write the sets that it finds, by their kind."""

import json
import os
import sys
from pathlib import Path

from cleanvision import Imagelab

KINDS = ("exact_duplicates", "near_duplicates")

if __name__ == "__main__":
    dataset = Path(sys.argv[1])
    lab = Imagelab(data_path=str(dataset))
    lab.find_issues({kind: {} for kind in KINDS}, n_jobs=os.cpu_count(), verbose=False)
    sets = {
        kind: [
            [Path(path).relative_to(dataset).as_posix() for path in alike]
            for alike in lab.info[kind]["sets"]
        ]
        for kind in KINDS
    }
    Path(sys.argv[2]).write_text(json.dumps(sets))
