"""Train one model, and record how."""

import argparse
import sys
from pathlib import Path

import numpy as np

from brain_mri import params
from brain_mri.console import stage
from brain_mri.errors import InputError
from brain_mri.models import building, distribution, files, runtime
from brain_mri.models.checkpoints import Checkpoint, key
from brain_mri.models.examples import Examples
from brain_mri.models.features import with_features
from brain_mri.models.training import epoch_length, fit
from brain_mri.storage import read_images, write_json, write_table


def main() -> None:
    """Read the training and the validation set; write the model and how it was trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--activation", help="of a model that does not name its own")
    parser.add_argument("--training", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--validation", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--model", required=True, type=Path, help="file to write")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    parser.add_argument("--run", help="name of the files to write; the model's unless given")
    parser.add_argument("--study", type=Path, help="parameters of a study, over params.yaml's")
    parser.add_argument("--seed", type=int, help="instead of params.yaml's")
    arguments = parser.parse_args()

    mark = distribution.mark()
    title = f"train@{arguments.name}{mark}"
    with stage(title) as done, runtime.enough_memory(arguments.name):
        parameters = params.load(study=arguments.study)
        settings = parameters.model(arguments.name, arguments.activation)
        if settings.activation is None:
            raise InputError(f"models.{arguments.name} names no activation, so give --activation")
        worker, workers = distribution.place()
        seed = parameters.seed if arguments.seed is None else arguments.seed
        taken = runtime.configure(settings)
        classes = parameters.classes
        training, validation = (
            Examples.of(read_images(folder, classes, parameters.image_size), classes)
            for folder in (arguments.training, arguments.validation)
        )
        agreed = key(
            settings.model_dump()
            | {"seed": seed, "classes": classes}
            | {"precision": taken["precision"], "versions": taken["versions"]},
            [arguments.training, arguments.validation, Path(settings.weights)],
        )
        if workers > 1:
            said = f"worker {worker} of {workers}, waits until all have started"
            print(f"train@{arguments.name}: {said}", file=sys.stderr, flush=True)
        with distribution.joined(settings, agreed) as replicas:
            runtime.set_seed(seed)
            model = building.build(
                image_size=training.images.size, classes=len(classes), **settings.model_dump()
            )
            if building.frozen_backbone(model):
                kept = arguments.model.parent / ".features"
                training, validation = (
                    with_features(examples, model, kept / f"{key(taken, inputs)}-{worker}.npy")
                    for examples, inputs in (
                        (training, [arguments.training, Path(settings.weights)]),
                        (validation, [arguments.validation, Path(settings.weights)]),
                    )
                )
            depends_on = taken | {"agreed": agreed, "replicas": replicas}
            checkpoint = Checkpoint(arguments.model, key(depends_on, []))
            history, signals, seconds = fit(
                *(model, training, validation, settings, seed),
                progress=None if worker else arguments.name,
                checkpoint=checkpoint,
            )

        best = history[history["best"]].iloc[0]
        resumed = ""
        if checkpoint.damaged:
            resumed = ", begun anew since the checkpoint was damaged"
        elif checkpoint.facts:
            resumed = f", resumed in epoch {len(checkpoint.facts['rows']) + 1}"
        done(
            f"{len(training.labels)} images, {len(history)} epochs{resumed}, "
            f"best {best['epoch']}, validation accuracy {best['val_accuracy']:.3f}"
        )
        if worker:
            return  # the chief writes it

        record = {
            "architecture": settings.architecture,
            "activation": settings.activation,
            "data": settings.data,
            "images": {"training": len(training.labels), "validation": len(validation.labels)},
            "class_counts": {
                name: int(np.sum(training.labels == label)) for label, name in enumerate(classes)
            },
            "seed": seed,
            "updates": int(signals["step"].iloc[-1]),
            "epochs": len(history),
            "seen": len(history) * epoch_length(len(training.labels), settings),
            "best_epoch": int(best["epoch"]),
            "val_loss": float(best["val_loss"]),
            "val_accuracy": float(best["val_accuracy"]),
            "parameters": files.count_parameters(model),
            "replicas": replicas,
            **taken,
        }
        files.save(model, arguments.model)
        reports, run = arguments.reports, arguments.run or arguments.name
        write_table(reports / f"history/{run}.csv", history)
        write_table(reports / f"signals/{run}.csv", signals)
        write_table(reports / f"layers/{run}.csv", files.layer_table(model))
        write_json(reports / f"training/{run}.json", {arguments.name: record})
        write_json(reports / f"timing/{run}.json", {arguments.name: {"seconds": seconds}})
        checkpoint.remove()


if __name__ == "__main__":
    main()
