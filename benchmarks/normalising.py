"""Time updates with batch normalisation as one operation and as Keras makes it, in turn.

`python benchmarks/normalising.py` writes benchmarks/readings/normalising.csv, in four minutes.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import pandas as pd
from training import TRAINED, ours, settings
from turns import in_turn, serve, write_here

from brain_mri.models import runtime

ROUNDS = 5


def main() -> None:
    """Ask both ways in turn for each network that normalises; write every reading."""
    if len(sys.argv) > 1:
        way, network, size = sys.argv[1:]
        serve(*WAYS[way](network, int(size)))
        return
    taken = runtime.configure(settings("model_1"))
    rows = []
    for network, size in TRAINED:
        if network == "model_1":
            continue
        commands = {way: [sys.executable, __file__, way, network, str(size)] for way in WAYS}
        for number, way, rate in in_turn(commands, ROUNDS):
            read = {"round": number, "way": way, "images_per_second": rate}
            rows.append({"network": network, "size": size} | read)
    write_here("normalising", pd.DataFrame(rows), taken)


WAYS = {"one operation": ours, "as Keras makes it": partial(ours, at_once=False)}

if __name__ == "__main__":
    main()
