"""Put the model that validation recommends into one file, with all that it takes to use it."""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from brain_mri import params
from brain_mri.console import stage
from brain_mri.data.decoding import decode_accepted
from brain_mri.data.twins import fingerprint
from brain_mri.models import files, runtime
from brain_mri.parallel import map_in_order
from brain_mri.storage import read_images, read_json
from brain_mri.use.card import card_of
from brain_mri.use.classifier import Classifier, remember, write
from stages.recorded import require_digest, trained_with


def main() -> None:
    """Read what was compared, the model and three image sets; write the model and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    for name in ("training", "validation", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read")
    parser.add_argument("--models", required=True, type=Path, help="folder to read")
    parser.add_argument("--output", required=True, type=Path, help="file to write; its card beside")
    parser.add_argument("--lock", default="dvc.lock", help="that names the model's digest")
    arguments = parser.parse_args()

    with stage("select") as done:
        parameters, reports = params.load(), arguments.reports
        compared = read_json(reports / "comparison/figures.json")
        name, classes = compared["recommended"]["model"], parameters.classes
        path, folder = arguments.models / f"{name}.keras", arguments.dataset
        require_digest(path, arguments.lock)
        record = read_json(reports / f"training/{name}.json")[name]
        card = card_of(name, parameters, compared, record, trained_with(name, arguments.lock))
        runtime.configure(parameters.model(name))
        model = files.load(path)
        folders = arguments.training, arguments.validation, arguments.testing
        training, *others = (read_images(part, classes, card.image_size) for part in folders)
        look = partial(_look, folder=folder, max_pixels=card.max_pixels)
        fingerprints = map_in_order(look, list(training.index["source"]), "select")
        found = Classifier(model, card, remember(model, training, fingerprints))
        found = found.with_limit(parameters.select.answered, *others)
        write(arguments.output, found, path)
        share = found.card.abstains["testing"]
        done(f"{name}, which abstains on {share:.1%} of Testing")


def _look(path: str, folder: Path, max_pixels: int) -> np.ndarray:
    return fingerprint(decode_accepted(folder / path, max_pixels))


if __name__ == "__main__":
    main()
