"""Train one model, and record how."""

import argparse
from pathlib import Path
from time import perf_counter

from stages import params
from stages.console import stage
from stages.modeling import architectures, files, runtime
from stages.modeling.training import Examples, fit
from stages.reporting.drawing import draw_architecture
from stages.storage import read_images, write_json, write_table, write_text


def main() -> None:
    """Read the training and the validation set; write the model and how it was trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the model, in params.yaml's models")
    parser.add_argument("--activation", required=True, help="of the convolutions, or of the head")
    parser.add_argument("--training", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--validation", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--model", required=True, type=Path, help="file to write")
    parser.add_argument("--reports", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage(f"train@{arguments.name}") as done:
        parameters = params.load()
        settings = parameters.model(arguments.name, arguments.activation)
        taken = runtime.configure(
            precision=settings.precision,
            deterministic=settings.deterministic,
            threads=settings.threads,
        )
        runtime.set_seed(parameters.seed)
        training = Examples.of(read_images(arguments.training), parameters.classes)
        validation = Examples.of(read_images(arguments.validation), parameters.classes)
        options = {"weights": settings.weights} if settings.architecture == "inception_v3" else {}
        model = architectures.build(
            settings.architecture,
            training.images.size,
            len(parameters.classes),
            activation=settings.activation,
            dropout=settings.dropout,
            l2=settings.l2,
            batch_norm=settings.batch_norm,
            **options,
        )
        start = perf_counter()
        history = fit(model, training, validation, settings, parameters.seed, arguments.name)
        seconds = perf_counter() - start

        best = history[history["best"]].iloc[0]
        seen = len(history) * len(training.labels)
        record = {
            "architecture": settings.architecture,
            "activation": settings.activation,
            "data": settings.data,
            "images": {"training": len(training.labels), "validation": len(validation.labels)},
            "epochs": len(history),
            "best_epoch": int(best["epoch"]),
            "val_loss": float(best["val_loss"]),
            "val_accuracy": float(best["val_accuracy"]),
            "parameters": files.count_parameters(model),
            **taken,
        }
        files.save(model, arguments.model)
        write_table(arguments.reports / "history.csv", history)
        write_text(arguments.reports / "summary.txt", files.summary(model))
        draw_architecture(arguments.reports / "architecture.svg", files.layer_table(model))
        write_json(arguments.reports / "training.json", {arguments.name: record})
        write_json(
            arguments.reports / "timing.json",
            {arguments.name: {"seconds": seconds, "images_per_second": seen / seconds}},
        )
        done(
            f"{len(training.labels)} images, {len(history)} epochs, best {record['best_epoch']}, "
            f"validation accuracy {record['val_accuracy']:.3f}"
        )


if __name__ == "__main__":
    main()
