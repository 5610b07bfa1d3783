"""One model trained, from its settings to what is recorded of it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from brain_mri import params
from brain_mri.models import building, distribution, files, runtime
from brain_mri.models.checkpoints import Checkpoint, key
from brain_mri.models.examples import Examples
from brain_mri.models.features import with_features
from brain_mri.models.training import epoch_length, fit
from brain_mri.storage import ImageSet


@dataclass(frozen=True)
class Trained:
    """A trained model, and how it was trained.

    Attributes
    ----------
    model : keras.Model
        With the weights of the epoch that is kept.
    history, signals : DataFrame
    seconds : float
        See :func:`brain_mri.models.training.fit` for these.
    record : dict
        What was trained on what, where, and how far it came.
    checkpoint : Checkpoint
        To remove once all is written.
    """

    model: keras.Model
    history: pd.DataFrame
    signals: pd.DataFrame
    seconds: float
    record: dict
    checkpoint: Checkpoint

    def __str__(self) -> str:
        """Tell in a line how training went."""
        resumed, kept = "", self.checkpoint
        if kept.damaged:
            resumed = ", begun anew since the checkpoint was damaged"
        elif kept.facts:
            resumed = f", resumed in epoch {len(kept.facts['rows']) + 1}"
        return (
            f"{self.record['images']['training']} images, {len(self.history)} epochs{resumed}, "
            f"kept {self.record['kept_epoch']}, "
            f"validation accuracy {self.record['val_accuracy']:.3f}"
        )


def train(
    name: str,
    sets: list[tuple[Path, ImageSet]],
    settings: params.Model,
    classes: list[str],
    seed: int,
    output: Path,
) -> Trained:
    """Build a model and train it, together with other GPUs and hosts where there are any.

    Parameters
    ----------
    name : str
        Title of the progress bar.
    sets : list of (Path, ImageSet)
        The training and the validation set, each with its folder.
    settings : brain_mri.params.Model
    classes : list of str
    seed : int
        Of initial weights, order and dropout.
    output : Path
        The model's file, beside which checkpoints and features are kept.
    """
    taken = runtime.configure(settings)
    worker, workers = distribution.place()
    training, validation = (Examples.of(images, classes) for _, images in sets)
    folders, size = [folder for folder, _ in sets], training.images.size
    agreed = key(
        settings.model_dump()
        | {"seed": seed, "classes": classes}
        | {"precision": taken["precision"], "versions": taken["versions"]},
        [*folders, Path(settings.weights)],
    )
    if workers > 1:
        said = f"worker {worker} of {workers}, waits until all have started"
        print(f"train@{name}: {said}", file=sys.stderr, flush=True)
    with distribution.joined(settings, agreed) as replicas:
        runtime.set_seed(seed)
        model = building.build(image_size=size, classes=len(classes), **settings.model_dump())
        if building.frozen_backbone(model):
            kept = output.parent / ".features"
            training, validation = (
                with_features(
                    examples,
                    model,
                    kept / f"{key(taken, [folder, Path(settings.weights)])}-{worker}.npy",
                )
                for folder, examples in zip(folders, (training, validation), strict=True)
            )
        depends_on = taken | {"agreed": agreed, "replicas": replicas}
        checkpoint = Checkpoint(output, key(depends_on, []))
        history, signals, seconds = fit(
            *(model, training, validation, settings, seed),
            progress=None if worker else name,
            checkpoint=checkpoint,
        )
    kept = history[history["kept"]].iloc[0]
    record = {
        "architecture": settings.architecture,
        "activation": settings.activation,
        "data": settings.data,
        "images": {"training": len(training.labels), "validation": len(validation.labels)},
        "class_counts": {
            name: int((training.labels == label).sum()) for label, name in enumerate(classes)
        },
        "seed": seed,
        "updates": int(signals["step"].iloc[-1]),
        "epochs": len(history),
        "seen": len(history) * epoch_length(len(training.labels), settings),
        "kept_epoch": int(kept["epoch"]),
        "val_loss": float(kept["val_loss"]),
        "val_accuracy": float(kept["val_accuracy"]),
        "parameters": files.count_parameters(model),
        "replicas": replicas,
        **taken,
    }
    return Trained(model, history, signals, seconds, record, checkpoint)
