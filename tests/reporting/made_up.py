"""Reports of other stages, made up, for the page to be made from."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from stages.assessment.metrics import classification_metrics, roc_table, subset_metrics
from stages.reporting.drawing import draw_architecture

ROOT = Path(__file__).parents[2]
LAYERS = [
    ("pixels", "InputLayer", [64, 64, 1], 0),
    ("rescaling", "Rescaling", [64, 64, 1], 0),
    ("conv2d", "Conv2D", [62, 62, 32], 320),
    ("activation", "Activation", [62, 62, 32], 0),
    ("conv2d_1", "Conv2D", [60, 60, 64], 18496),
    ("activation_1", "Activation", [60, 60, 64], 0),
    ("max_pooling2d", "MaxPooling2D", [30, 30, 64], 0),
    ("conv2d_2", "Conv2D", [28, 28, 128], 73856),
    ("activation_2", "Activation", [28, 28, 128], 0),
    ("conv2d_3", "Conv2D", [26, 26, 128], 147584),
    ("activation_3", "Activation", [26, 26, 128], 0),
    ("max_pooling2d_1", "MaxPooling2D", [13, 13, 128], 0),
    ("flatten", "Flatten", [21632], 0),
    ("dense", "Dense", [64], 1384512),
    ("dropout", "Dropout", [64], 0),
    ("logits", "Dense", [4], 260),
    ("probabilities", "Softmax", [4], 0),
]
INCEPTION = [
    *LAYERS[:2],
    ("resizing", "Resizing", [75, 75, 1], 0),
    ("concatenate", "Concatenate", [75, 75, 3], 0),
    ("inception_v3", "Functional", [2048], 21802784),
    ("dense", "Dense", [128], 262272),
    *LAYERS[14:],
]


def layers(rows: list[tuple]) -> list[dict]:
    """Give layers as `layer_table` does."""
    return [dict(zip(("name", "kind", "shape", "parameters"), row, strict=True)) for row in rows]


def make_project(folder: Path, skill: dict | None = None, twins: int = 40, **changes) -> Path:
    """Write made-up reports.

    Parameters
    ----------
    folder : Path
    skill : dict, optional
        Share of right answers by model; others get their own.
    twins : int
        Testing images with a twin in Training.
    **changes
        Of params.yaml; `models` is a list of names.
    """
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    names = changes.pop("models", list(parameters["models"]))
    parameters |= changes
    parameters["models"] = {
        name: parameters["models"].get(name, parameters["models"]["model_1"]) for name in names
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False))
    reports, classes = folder / "reports", parameters["classes"]
    shutil.rmtree(reports, ignore_errors=True)
    actual = np.random.default_rng(1).integers(len(classes), size=200)
    twin = np.arange(len(actual)) < twins
    write_audit(folder, parameters, actual, twins)
    for place, (name, model) in enumerate(parameters["models"].items()):
        right = (skill or {}).get(name, 0.45 + 0.06 * place)
        write_model(reports / name, name, model, parameters, right, actual, twin)
    return folder


def write_audit(folder: Path, parameters: dict, actual: np.ndarray, twins: int) -> None:
    """Write audit.json, splits.json, label_conflicts.csv and the manifest."""
    classes = parameters["classes"]
    train = dict.fromkeys(classes, 720 // len(classes))
    test = {name: int((actual == label).sum()) for label, name in enumerate(classes)}
    dropped = dict.fromkeys(classes, 9 if parameters["leakage"] == "drop" and twins else 0)
    val = dict.fromkeys(classes, 20)
    used = {name: train[name] - 20 - dropped[name] for name in classes}
    splits = {"train": used, "val": val, "test": test, "dropped": dropped}
    rows = [
        (f"Training/{name}/{i}.jpg", "Training", name, "c1", True, "")
        for name in classes
        for i in range(2)
    ]
    rows += [(f"Testing/{classes[0]}/cut.jpg", "Testing", classes[0], "", False, "truncated")]
    manifest = pd.DataFrame(
        rows, columns=["path", "split", "class", "cluster", "accepted", "reason"]
    )
    (folder / "data/audit").mkdir(parents=True, exist_ok=True)
    manifest.to_csv(folder / "data/audit/manifest.csv", index=False)
    audit = {
        "files": 921,
        "accepted": 920,
        "refused": 1,
        "refused_by_reason": {"truncated": 1},
        "images": {"Training": with_sum(train), "Testing": with_sum(test)},
        "twins": {
            "clusters": 61,
            "within_training": 30,
            "within_testing": 6,
            "testing_with_twin_in_training": twins,
            "training_with_twin_in_testing": twins,
        },
        "identical_across": {"files": twins // 4, "pixels": twins // 2},
        "mirrored": 3,
        "label_conflicts": {"clusters": 2, "images": 4},
    }
    write(folder / "reports/audit.json", {"audit": audit})
    write(folder / "reports/splits.json", {"splits": {k: with_sum(v) for k, v in splits.items()}})
    conflicts = manifest.iloc[[0, 2]][["cluster", "path", "split", "class"]]
    conflicts.to_csv(folder / "reports/label_conflicts.csv", index=False)


def write_model(folder, name, model, parameters, right, actual, twin) -> None:
    """Write what train and evaluate report of one model with a share of right answers."""
    classes = parameters["classes"]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    logits = random.normal(size=(len(actual), len(classes)))
    sure = random.random(len(actual)) < right
    logits[np.arange(len(actual))[sure], actual[sure]] += 4
    if right == 0:  # a model that always answers the first class
        logits = np.tile(np.eye(len(classes))[0], (len(actual), 1))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    metrics = classification_metrics(
        actual, predicted, probabilities, classes, parameters["healthy_class"]
    )
    metrics["with_twin_in_training"] = subset_metrics(actual, predicted, twin)
    metrics["without_twin_in_training"] = subset_metrics(actual, predicted, ~twin)
    write(folder / "metrics.json", {name: metrics})
    pd.DataFrame(
        {
            "path": [f"Testing/{i}.jpg" for i in range(len(actual))],
            "actual": [classes[label] for label in actual],
            "predicted": [classes[label] for label in predicted],
            **dict(zip(classes, probabilities.T, strict=True)),
        }
    ).to_csv(folder / "predictions.csv", index=False)
    roc_table(actual, probabilities, classes).to_csv(folder / "roc.csv", index=False)
    epochs = np.arange(1, model.get("epochs", 6) + 1)
    best = int(epochs[-1] * 0.7) + 1
    loss = 1.4 * np.exp(-epochs / 4)
    history = pd.DataFrame(
        {
            "epoch": epochs,
            "loss": loss,
            "accuracy": 1 - loss / 2,
            "val_loss": 0.6 + ((epochs - best) / 10.0) ** 2,
            "val_accuracy": 0.7 - loss / 4,
            "learning_rate": 0.001,
            "best": epochs == best,
        }
    )
    history.to_csv(folder / "history.csv", index=False)
    inception = model["architecture"] == "inception_v3"
    drawn = layers(INCEPTION if inception else LAYERS)
    draw_architecture(folder / "architecture.svg", drawn)
    total = sum(layer["parameters"] for layer in drawn)
    training = {
        "architecture": model["architecture"],
        "activation": model.get("activation", "relu"),
        "data": model["data"],
        "images": {"training": 560, "validation": 80},
        "epochs": len(epochs),
        "best_epoch": best,
        "val_loss": 0.612,
        "val_accuracy": 0.7,
        "parameters": {"total": total, "trainable": total},
        "device": "AMD EPYC 7B13",
        "precision": "float32",
        "threads": "all",
        "deterministic": True,
        "versions": {"python": "3.11.9", "tensorflow": "2.20.0", "keras": "3.15.1"},
    }
    write(folder / "training.json", {name: training})


def with_sum(counts: dict) -> dict:
    """Put the sum of counts in front of them, as stages do."""
    return {"all": sum(counts.values()), **counts}


def write(path: Path, content: dict) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
