"""Reports of other stages, made up, for the page to be made from."""

import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from stages import compare
from stages.assessment.metrics import classification_metrics, roc_table, subset_metrics
from stages.reporting.drawing import draw_architecture
from stages.storage import write_images, write_json, write_table

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


def make_project(
    folder: Path,
    skill: dict | None = None,
    twins: int = 40,
    absent: dict[str, list[int]] | None = None,
    **changes,
) -> Path:
    """Write made-up reports and image sets; the comparison is made of them by its own stage.

    Parameters
    ----------
    folder : Path
    skill : dict, optional
        Share of right answers by model; others get their own.
    twins : int
        Testing images with a twin in Training.
    absent : dict, optional
        By set (val, test), the indices of the classes that it has no image of.
    **changes
        Of params.yaml; `models` is a list of names.
    """
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    names = changes.pop("models", list(parameters["models"]))
    parameters["compare"] |= changes.pop("compare", {})
    parameters |= changes
    parameters["models"] = {
        name: parameters["models"].get(name, parameters["models"]["model_1"]) for name in names
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False))
    sets = write_image_sets(folder, parameters, twins, absent or {})
    write_audit(folder, parameters, sets, twins)
    for place, (name, model) in enumerate(parameters["models"].items()):
        right = (skill or {}).get(name, 0.45 + 0.06 * place)
        write_model(folder / "reports" / name, name, model, parameters, right, sets)
    prepared = ("train", "val", "test")
    options = zip(("--training", "--validation", "--testing"), prepared, strict=True)
    arguments = [part for name, of in options for part in (name, f"data/prepared/{of}")]
    run(folder, compare, [*arguments, "--reports", "reports"])
    return folder


def run(folder: Path, stage, arguments: list[str]) -> None:
    """Run a stage's module in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", [stage.__name__, *arguments])
        stage.main()


def write_image_sets(
    folder: Path, parameters: dict, twins: int, absent: dict[str, list[int]]
) -> dict[str, pd.DataFrame]:
    """Write train, val and test: noise over an oval, brighter by class."""
    classes, sets = parameters["classes"], {}
    for place, (name, count) in enumerate((("train", 60), ("val", 80), ("test", 200))):
        random = np.random.default_rng(place)
        labels = random.integers(len(classes), size=count)
        labels[: len(classes)] = range(len(classes))  # none is absent by chance
        present = np.setdiff1d(range(len(classes)), absent.get(name, []))
        labels = np.where(np.isin(labels, present), labels, present[labels % len(present)])
        split = "Testing" if name == "test" else "Training"
        sets[name] = pd.DataFrame(
            {
                "source": [f"{split}/{classes[k]}/{name}{i}.png" for i, k in enumerate(labels)],
                "label": [classes[label] for label in labels],
                "cluster": 1000 * place + np.arange(count) // 2 * 2,  # pairs
                "weight": 1.0,
                "transform": "",
                "twin": (np.arange(count) < twins) if name == "test" else False,
            }
        )
        images = [slice_of(label, i) for i, label in enumerate(labels)]
        write_images(folder / "data/prepared" / name, sets[name], images, 64)
    return sets


def slice_of(label: int, seed: int, size: int = 32) -> np.ndarray:
    """Draw an oval with noise, brighter by class."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    oval = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1
    noise = np.random.default_rng(seed).normal(0, 20, (size, size))
    return np.clip(oval * (90 + 25 * label) + noise, 0, 255).astype(np.uint8)


def write_audit(folder: Path, parameters: dict, sets: dict, twins: int) -> None:
    """Write audit.json, splits.json, label_conflicts.csv, the manifest and the files of twins."""
    classes = parameters["classes"]
    train = dict.fromkeys(classes, 720 // len(classes))
    test = sets["test"]["label"].value_counts().reindex(classes, fill_value=0).to_dict()
    dropped = dict.fromkeys(classes, 9 if parameters["leakage"] == "drop" and twins else 0)
    validated = set(sets["val"]["label"])
    val = {name: 20 if name in validated else 0 for name in classes}
    used = {name: train[name] - 20 - dropped[name] for name in classes}
    splits = {"train": used, "val": val, "test": test, "dropped": dropped}
    rows = []
    for label, name in enumerate(classes):
        for i in range(4):  # the last two have a twin
            for split in ("Training", "Testing"):
                path = f"{split}/{name}/{i}.png"
                seed = 10 * label + i if i > 1 and twins else 10 * len(rows)
                cluster = seed if i > 1 and twins else 1000 + len(rows)
                digests = {"sha256": path, "pixels_sha256": f"{split}{i}" if i == 2 else cluster}
                row = {"path": path, "split": split, "class": name, "cluster": cluster, **digests}
                rows.append({**row, "accepted": True, "reason": None})
                (folder / parameters["dataset"] / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(slice_of(label, seed, 96)).save(
                    folder / parameters["dataset"] / path
                )
    rows.append({"path": "Testing/cut.jpg", "split": "Testing", "class": classes[0]})
    rows[-1] |= {"accepted": False, "reason": "more than 50 pixels"}
    manifest = pd.DataFrame(rows).astype({"cluster": "Int64"})
    write_table(folder / "data/audit/manifest.csv", manifest)
    audit = {
        "files": 921,
        "accepted": 920,
        "refused": 1,
        "refused_by_reason": {"more than 50 pixels": 1},
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
    write_json(folder / "reports/audit.json", {"audit": audit})
    write_json(
        folder / "reports/splits.json", {"splits": {k: with_sum(v) for k, v in splits.items()}}
    )
    conflicts = manifest.iloc[[0, 2]][["cluster", "path", "split", "class"]]
    write_table(folder / "reports/label_conflicts.csv", conflicts)


def write_model(
    folder: Path, name: str, model: dict, parameters: dict, right: float, sets: dict
) -> None:
    """Write what train and evaluate report of one model with a share of right answers."""
    classes = parameters["classes"]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    validation, _, _ = answers(sets["val"], classes, right, random)
    write_table(folder / "validation.csv", validation)
    testing, actual, probabilities = answers(sets["test"], classes, right, random)
    write_table(folder / "predictions.csv", testing)
    predicted = probabilities.argmax(axis=1)
    twin = sets["test"]["twin"].to_numpy()
    metrics = classification_metrics(
        actual, predicted, probabilities, classes, parameters["healthy_class"]
    )
    metrics["with_twin_in_training"] = subset_metrics(actual, predicted, twin)
    metrics["without_twin_in_training"] = subset_metrics(actual, predicted, ~twin)
    write_json(folder / "metrics.json", {name: metrics})
    write_table(folder / "roc.csv", roc_table(actual, probabilities, classes))
    write_heat_maps(folder / "grad_cam", testing, probabilities)

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
    write_table(folder / "history.csv", history)
    activation = model.get("activation", parameters["activation"])
    write_table(folder / "signals.csv", signals(activation, len(classes)))
    inception = model["architecture"] == "inception_v3"
    drawn = layers(INCEPTION if inception else LAYERS)
    draw_architecture(folder / "architecture.svg", drawn)
    total = sum(layer["parameters"] for layer in drawn)
    training = {
        "architecture": model["architecture"],
        "activation": activation,
        "data": model["data"],
        "images": {"training": 560, "validation": 80},
        "class_counts": dict.fromkeys(classes, 560 // len(classes)),
        "epochs": len(epochs),
        "best_epoch": best,
        "val_loss": 0.612,
        "val_accuracy": 0.7,
        "parameters": {"total": total, "trainable": total},
        "device": "AMD EPYC 7B13",
        "precision": "float32",
        "threads": "all",
        "deterministic": True,
        "seed": 1,
        "versions": {"python": "3.11.9", "tensorflow": "2.20.0", "keras": "3.15.1"},
    }
    write_json(folder / "training.json", {name: training})
    write_json(
        folder / "timing.json", {name: {"seconds": 61.23 + len(name), "images_per_second": 1234.5}}
    )


def answers(
    index: pd.DataFrame, classes: list[str], right: float, random: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Make up what a model answers; give it as a table, and labels and probabilities."""
    actual = index["label"].map(classes.index).to_numpy()
    logits = random.normal(size=(len(actual), len(classes)))
    sure = random.random(len(actual)) < right
    logits[np.arange(len(actual))[sure], actual[sure]] += 4
    if right == 1:  # a model without a mistake
        logits[np.arange(len(actual)), actual] += 40
    if right == 0:  # a model that always answers the first class
        logits = np.tile(np.eye(len(classes))[0], (len(actual), 1))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "path": index["source"],
            "cluster": index["cluster"],
            "actual": index["label"],
            "predicted": np.array(classes)[probabilities.argmax(axis=1)],
            **dict(zip(classes, probabilities.T, strict=True)),
        }
    )
    return table, actual, probabilities


def write_heat_maps(folder: Path, predictions: pd.DataFrame, probabilities: np.ndarray) -> None:
    """Write a picture for the surest right and wrong answer of each class."""
    table = predictions[["path", "actual", "predicted"]].rename(columns={"actual": "class"})
    table["correct"] = table["class"] == table["predicted"]
    table["confidence"] = probabilities.max(axis=1)
    table = table.sort_values("confidence", ascending=False, kind="stable")
    table = table.groupby(["class", "correct"]).head(1)
    table["file"] = [f"{place:03}.png" for place in range(len(table))]
    write_table(folder / "index.csv", table.assign(height=6, width=6))
    for place, file in enumerate(table["file"]):
        grey = slice_of(place % 4, place, 128)
        Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1)).save(folder / file)


def signals(activation: str, classes: int) -> pd.DataFrame:
    """Make up what a probe measures: a sigmoid network's layers hardly depend on the image."""
    spread = 0.001 if activation == "sigmoid" else 0.2
    rows = []
    for step in (0, 1, 2, 4, 16, 64, 108):
        names = ("conv2d", "conv2d_1", "conv2d_2", "dense", "logits")
        for depth, layer in enumerate(names):
            last = layer == "logits"
            rows.append(
                {
                    "step": step,
                    "layer": layer,
                    "activation": "softmax" if last else activation,
                    "gradient_norm": (0.01 if activation == "sigmoid" else 0.5) * 2.0**depth,
                    "update_ratio": 0.002 / (1 + depth) if step else None,
                    "mean": 1 / classes if last else 0.5,
                    "spread_units": 0.1,
                    "spread_images": spread,
                    "below_0.05": 0.02,
                    "above_0.95": 0.01,
                    "entropy": np.log(classes) * (1 if spread < 0.1 else 1 - step / 150),
                }
            )
    return pd.DataFrame(rows)


def with_sum(counts: dict) -> dict:
    """Put the sum of counts in front of them, as stages do."""
    return {"all": sum(counts.values()), **counts}
