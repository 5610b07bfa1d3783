"""Time what an image costs in training, for each network and size of results/recipes.csv.

`python benchmarks/recipe_cost.py` writes benchmarks/readings/recipe_cost.csv, in eight minutes;
`python results/readme.py` then says how long each recipe trains.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import brain_mri  # noqa: F401  # it tells of packages that are missing

# isort: split
import keras
import pandas as pd
from training import CLASSES, LAYERS, ROOT, settings, update
from turns import in_turn, serve, write_here

from brain_mri import params
from brain_mri.models import building, runtime
from brain_mri.models.augmenting import augmented

ROUNDS = 5
FROZEN = "stem and {} of 16 blocks frozen"
# Network, pixels per side, and blocks that stay as they are.
TRAINED = [("model_4", 128, 0), ("resnet", 64, 0), ("resnet", 128, 0)]
TRAINED += [("efficientnet_lite0", size, 0) for size in (64, 128, 160, 192, 224)]
TRAINED += [("efficientnet_lite0", 128, blocks) for blocks in (5, 8, 11)]


def main() -> None:
    """Ask all in turn; write seconds per image, the median over rounds."""
    if len(sys.argv) > 1:
        serve(*augmented_update(*TRAINED[int(sys.argv[1])]))
        return
    commands = {place: [sys.executable, __file__, str(place)] for place in range(len(TRAINED))}
    rates = pd.DataFrame(in_turn(commands, ROUNDS), columns=["round", "place", "rate"])
    rates = rates.groupby("place")["rate"].median()
    table = pd.DataFrame(TRAINED, columns=["network", "size", "frozen"])
    table["frozen"] = table["frozen"].map(lambda blocks: FROZEN.format(blocks) if blocks else "")
    taken = runtime.configure(settings("efficientnet_lite0"))
    write_here("recipe_cost", table.assign(seconds_per_image=1 / rates), taken)


def augmented_update(network: str, size: int, blocks: int):
    """Compile an update of a network of which the stem and so many blocks stay as they are."""
    ranges = params.load(ROOT / "params.yaml").models["efficientnet"].augment
    runtime.configure(settings(network))
    runtime.set_seed(1)
    model = building.build(network, size, CLASSES, **LAYERS, weights="imagenet", frozen=0)
    freeze(model, blocks)
    return update(model, partial(augmented, seed=1, ranges=ranges))


def freeze(model: keras.Model, blocks: int) -> None:
    """Keep the stem and so many blocks of EfficientNet's as they are."""
    if blocks:
        layers = building.backbone(model).layers
        depthwise = [each for each in layers if isinstance(each, keras.layers.DepthwiseConv2D)]
        # A block begins with the three layers that expand it.
        for layer in layers[: layers.index(depthwise[blocks]) - 3]:
            layer.trainable = False


if __name__ == "__main__":
    main()
