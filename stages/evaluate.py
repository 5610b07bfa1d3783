"""Measure one model on Testing, and keep what it answered there and on validation."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment.answers import Answers, Images, headline
from brain_mri.assessment.predictions import predictions_table
from brain_mri.assessment.roc import roc_table
from brain_mri.console import stage
from brain_mri.models import files, runtime
from brain_mri.models.answer_pictures import write_heat_maps, write_mistakes
from brain_mri.models.inference import forward, predict_probabilities
from brain_mri.storage import read_images, write_json, write_table
from stages.recorded import require_digest


def main() -> None:
    """Read a model and two image sets; write metrics, predictions, ROC curves and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--model", required=True, type=Path, help="file to measure")
    parser.add_argument("--validation", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--testing", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    parser.add_argument("--run", help="name of the files to write; the model's unless given")
    parser.add_argument("--pictures", type=Path, help="folder of mistakes and heat maps to write")
    parser.add_argument("--study", type=Path, help="parameters of a study, over params.yaml's")
    parser.add_argument("--lock", default="dvc.lock", help="that names the model's digest")
    arguments = parser.parse_args()

    with stage(f"evaluate@{arguments.name}") as done, runtime.enough_memory(arguments.name):
        parameters = params.load(study=arguments.study)
        settings, classes = parameters.model(arguments.name), parameters.classes
        runtime.configure(settings)
        folders = {"validation": arguments.validation, "predictions": arguments.testing}
        sets = {k: read_images(v, classes, parameters.image_size) for k, v in folders.items()}
        require_digest(arguments.model, arguments.lock)
        model = files.load(arguments.model)
        files.require_shape(model, parameters.image_size, len(classes), arguments.model)
        logits, reports, run = forward(model), arguments.reports, arguments.run or arguments.name
        how = settings.batch_size, settings.mirror_answers
        for kind, images in sets.items():
            probabilities = predict_probabilities(logits, images, *how)
            predictions = predictions_table(images.index, probabilities, classes)
            write_table(reports / f"{kind}/{run}.csv", predictions)

        testing = Images.of(images.index, classes, parameters.healthy_class)
        curves = roc_table(testing.actual, probabilities, classes)
        write_table(reports / f"roc/{run}.csv", curves)
        metrics = headline(testing, Answers(probabilities.argmax(axis=1), probabilities))
        write_json(reports / f"metrics/{run}.json", {arguments.name: metrics})
        if pictures := arguments.pictures:
            write_mistakes(pictures / "mistakes" / run, predictions, images, classes)
            write_heat_maps(pictures / "grad_cam" / run, predictions, images, model, classes)
        done(f"{len(images)} images, accuracy {metrics['accuracy']:.3f}")


if __name__ == "__main__":
    main()
