"""Measure one model on Testing, and keep what it answered there and on validation."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from brain_mri import params
from brain_mri.assessment.answers import Answers, Images, headline
from brain_mri.assessment.roc import roc_table
from brain_mri.console import stage
from brain_mri.data.gallery import write_gallery
from brain_mri.models import files, runtime
from brain_mri.models.examples import Examples
from brain_mri.models.grad_cam import grad_cam
from brain_mri.models.inference import forward, predict
from brain_mri.models.overlay import overlay
from brain_mri.storage import ImageSet, read_images, write_json, write_table

MISTAKES = 8  # pictures of wrong answers


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
    arguments = parser.parse_args()

    title = f"evaluate@{arguments.name}"
    with stage(title) as done, runtime.enough_memory(arguments.name):
        parameters = params.load(study=arguments.study)
        settings = parameters.model(arguments.name)
        runtime.configure(settings)
        classes = parameters.classes
        validation, testing = (
            Examples.of(read_images(folder, classes, parameters.image_size), classes)
            for folder in (arguments.validation, arguments.testing)
        )
        lock = (arguments.study or Path()).parent / "dvc.lock"
        files.require_digest(arguments.model, lock)
        model = files.load(arguments.model)
        files.require_shape(model, testing.images.size, len(classes), arguments.model)
        logits = forward(model)

        def probabilities_of(examples):
            scores = predict(logits, examples.images, settings.batch_size)
            return softmax(scores.astype(float), axis=1)

        reports, run = arguments.reports, arguments.run or arguments.name
        known = _predictions(validation, probabilities_of(validation), classes)
        write_table(reports / f"validation/{run}.csv", known)
        probabilities = probabilities_of(testing)
        predictions = _predictions(testing, probabilities, classes)
        write_table(reports / f"predictions/{run}.csv", predictions)
        write_table(reports / f"roc/{run}.csv", roc_table(testing.labels, probabilities, classes))

        images = Images.of(testing.images.index, classes, parameters.healthy_class)
        metrics = headline(images, Answers(probabilities.argmax(axis=1), probabilities))
        write_json(reports / f"metrics/{run}.json", {arguments.name: metrics})
        if arguments.pictures:
            table = predictions[["path", "actual", "predicted"]].assign(
                correct=predictions["actual"] == predictions["predicted"],
                confidence=probabilities.max(axis=1),
            )
            wrong = _surest(table[~table["correct"]]).head(MISTAKES)
            slices = testing.images.images(wrong.index)
            write_gallery(arguments.pictures / "mistakes" / run, wrong, slices)
            folder = arguments.pictures / "grad_cam" / run
            _write_heat_maps(folder, table, model, testing.images, classes)
        done(f"{len(images.actual)} images, accuracy {metrics['accuracy']:.3f}")


def _predictions(examples: Examples, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    index = examples.images.index
    return pd.DataFrame(
        {
            "path": index["source"],
            "cluster": index["cluster"],
            "actual": index["label"],
            "predicted": np.array(classes)[probabilities.argmax(axis=1)],
            **dict(zip(classes, probabilities.T, strict=True)),
        }
    )


def _surest(answers: pd.DataFrame) -> pd.DataFrame:
    return answers.sort_values(["confidence", "path"], ascending=[False, True])


def _write_heat_maps(
    folder: Path, answers: pd.DataFrame, model, testing: ImageSet, classes: list[str]
) -> None:
    """Show what speaks for the surest right and the surest wrong answer in each class."""
    shown = _surest(answers).groupby(["actual", "correct"], sort=True).head(1)
    shown = shown.sort_values(["actual", "correct"], ascending=[True, False])
    pixels = testing.images(shown.index)
    heat = grad_cam(model, pixels, pd.Index(classes).get_indexer(shown["predicted"]))
    height, width = heat.shape[1:]
    write_gallery(folder, shown.assign(height=height, width=width), map(overlay, pixels, heat))


if __name__ == "__main__":
    main()
