"""Measure one model on Testing, and keep what it answered there and on validation."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax

from stages import params
from stages.assessment.metrics import classification_metrics, roc_table, subset_metrics
from stages.console import stage
from stages.imaging.overlay import overlay
from stages.modeling import files, runtime
from stages.modeling.grad_cam import grad_cam
from stages.modeling.training import Examples, forward, predict
from stages.storage import read_images, write_json, write_table, written_aside


def main() -> None:
    """Read a model and two image sets; write metrics, predictions, ROC curves and heat maps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--model", required=True, type=Path, help="file to measure")
    parser.add_argument("--validation", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--testing", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    parser.add_argument("--grad-cam", type=Path, help="folder of heat maps to write")
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

        known = _predictions(validation, probabilities_of(validation), classes)
        write_table(arguments.reports / "validation.csv", known)
        probabilities = probabilities_of(testing)
        predictions = _predictions(testing, probabilities, classes)
        write_table(arguments.reports / "predictions.csv", predictions)

        actual, predicted = testing.labels, probabilities.argmax(axis=1)
        twin = testing.images.index["twin"].to_numpy()
        metrics = classification_metrics(
            actual, predicted, probabilities, classes, parameters.healthy_class
        )
        metrics["with_twin_in_training"] = subset_metrics(actual, predicted, twin)
        metrics["without_twin_in_training"] = subset_metrics(actual, predicted, ~twin)
        write_json(arguments.reports / "metrics.json", {arguments.name: metrics})
        write_table(arguments.reports / "roc.csv", roc_table(actual, probabilities, classes))
        if arguments.grad_cam:
            examples = _examples(predictions, probabilities.max(axis=1))
            _write_heat_maps(arguments.grad_cam, examples, model, testing, predicted)
        done(f"{len(actual)} images, accuracy {metrics['accuracy']:.3f}")


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


def _examples(predictions: pd.DataFrame, confidence: np.ndarray) -> pd.DataFrame:
    """Choose the most confident right and the most confident wrong answer in each class."""
    table = predictions[["path", "actual", "predicted"]].assign(
        correct=predictions["actual"] == predictions["predicted"], confidence=confidence
    )
    table = table.sort_values("confidence", ascending=False, kind="stable")
    return (
        table.groupby(["actual", "correct"], sort=True)
        .head(1)
        .sort_values(["actual", "correct"], ascending=[True, False])
    )


def _write_heat_maps(
    folder: Path, examples: pd.DataFrame, model, testing: Examples, predicted: np.ndarray
) -> None:
    """Write what speaks for the answer in each example, as a picture, and their list."""
    pixels = testing.images.images(examples.index)
    heat = grad_cam(model, pixels, predicted[examples.index])
    names = [f"{place:03}.png" for place in range(len(examples))]
    with written_aside(folder) as aside:
        aside.mkdir()
        for name, slice_, heat_map in zip(names, pixels, heat, strict=True):
            overlay(slice_, heat_map).save(aside / name, optimize=True)
        table = examples.rename(columns={"actual": "class"})
        table = table[["class", "correct", "path", "predicted", "confidence"]]
        height, width = heat.shape[1:]
        write_table(aside / "index.csv", table.assign(file=names, height=height, width=width))


if __name__ == "__main__":
    main()
