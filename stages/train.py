"""Train one model, and record how."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.console import stage
from brain_mri.errors import InputError
from brain_mri.models import augmenting, distribution, files, runtime
from brain_mri.models.trained import train
from brain_mri.storage import read_images, write_json, write_table


def main() -> None:
    """Read the training and the validation set; write the model and how it was trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--activation", help="of a model that does not name its own")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--training", type=Path, help="folder of the image set")
    data.add_argument("--balanced", type=Path, help="folder that has it, by balancing strategy")
    parser.add_argument("--validation", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--model", required=True, type=Path, help="file to write")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    parser.add_argument("--pictures", type=Path, help="folder of what it saw, to write")
    parser.add_argument("--run", help="name of the files to write; the model's unless given")
    parser.add_argument("--study", type=Path, help="parameters of a study, over params.yaml's")
    parser.add_argument("--seed", type=int, help="instead of params.yaml's")
    arguments = parser.parse_args()

    name = arguments.name
    with stage(f"train@{name}{distribution.mark()}") as done, runtime.enough_memory(name):
        parameters = params.load(study=arguments.study)
        settings = parameters.model(name, arguments.activation)
        if settings.activation is None:
            raise InputError(f"models.{name} names no activation, so give --activation")
        classes, size = parameters.classes, parameters.image_size
        folders = arguments.training or arguments.balanced / settings.data, arguments.validation
        sets = [(folder, read_images(folder, classes, size)) for folder in folders]
        seed = parameters.seed if arguments.seed is None else arguments.seed
        trained = train(name, sets, settings, classes, seed, arguments.model)
        done(str(trained))
        if distribution.place()[0]:
            return  # the chief writes it

        files.save(trained.model, arguments.model)
        reports, run = arguments.reports, arguments.run or name
        write_table(reports / f"history/{run}.csv", trained.history)
        write_table(reports / f"signals/{run}.csv", trained.signals)
        write_table(reports / f"layers/{run}.csv", files.layer_table(trained.model))
        write_json(reports / f"training/{run}.json", {name: trained.record})
        write_json(reports / f"timing/{run}.json", {name: {"seconds": trained.seconds}})
        if pictures := arguments.pictures:
            draws = sets[0][1], seed, settings.augment
            augmenting.write_draws(pictures / "augmented" / run, *draws)
        trained.checkpoint.remove()


if __name__ == "__main__":
    main()
