"""Measure one model on Testing."""

import argparse
from pathlib import Path

import pandas as pd
from scipy.special import softmax

from stages import params
from stages.assessment.metrics import classification_metrics, roc_table, subset_metrics
from stages.console import stage
from stages.modeling import files, runtime
from stages.modeling.training import Examples, forward, predict
from stages.storage import read_images, write_json, write_table


def main() -> None:
    """Read a model and the test set; write metrics, predictions and ROC curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--model", required=True, type=Path, help="file to measure")
    parser.add_argument("--testing", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage(f"evaluate@{arguments.name}") as done:
        parameters = params.load()
        settings = parameters.model(arguments.name)
        runtime.configure(
            precision=settings.precision,
            deterministic=settings.deterministic,
            threads=settings.threads,
        )
        classes = parameters.classes
        testing = Examples.of(read_images(arguments.testing), classes)
        model = files.load(arguments.model)
        files.require_shape(model, testing.images.size, len(classes), arguments.model)
        logits = predict(forward(model), testing.images, settings.batch_size)

        actual, predicted = testing.labels, logits.argmax(axis=1)
        probabilities = softmax(logits.astype(float), axis=1)
        twin = testing.images.index["twin"].to_numpy()
        metrics = classification_metrics(
            actual, predicted, probabilities, classes, parameters.healthy_class
        )
        metrics["with_twin_in_training"] = subset_metrics(actual, predicted, twin)
        metrics["without_twin_in_training"] = subset_metrics(actual, predicted, ~twin)
        predictions = pd.DataFrame(
            {
                "path": testing.images.index["source"],
                "actual": [classes[label] for label in actual],
                "predicted": [classes[label] for label in predicted],
                **dict(zip(classes, probabilities.T, strict=True)),
            }
        )
        write_json(arguments.reports / "metrics.json", {arguments.name: metrics})
        write_table(arguments.reports / "predictions.csv", predictions)
        write_table(arguments.reports / "roc.csv", roc_table(actual, probabilities, classes))
        done(f"{len(actual)} images, accuracy {metrics['accuracy']:.3f}")


if __name__ == "__main__":
    main()
