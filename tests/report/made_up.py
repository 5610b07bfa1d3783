"""Reports of other stages, made up, for the page to be made from."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from brain_mri.assessment.roc import roc_table
from brain_mri.data.findings import twin_pairs
from brain_mri.gallery import write_gallery
from brain_mri.storage import write_images, write_json, write_table
from stages import compare
from tests.conftest import manifest_of, run_here

ROOT = Path(__file__).parents[2]
LAYERS = [
    ("pixels", "InputLayer", "64x64x1", 0),
    ("rescaling", "Rescaling", "64x64x1", 0),
    ("conv2d", "Conv2D", "62x62x32", 320),
    ("activation", "Activation", "62x62x32", 0),
    ("conv2d_1", "Conv2D", "60x60x64", 18496),
    ("activation_1", "Activation", "60x60x64", 0),
    ("max_pooling2d", "MaxPooling2D", "30x30x64", 0),
    ("conv2d_2", "Conv2D", "28x28x128", 73856),
    ("activation_2", "Activation", "28x28x128", 0),
    ("conv2d_3", "Conv2D", "26x26x128", 147584),
    ("activation_3", "Activation", "26x26x128", 0),
    ("max_pooling2d_1", "MaxPooling2D", "13x13x128", 0),
    ("flatten", "Flatten", "21632", 0),
    ("dense", "Dense", "64", 1384512),
    ("dropout", "Dropout", "64", 0),
    ("logits", "Dense", "4", 260),
    ("probabilities", "Softmax", "4", 0),
]
INCEPTION = [
    *LAYERS[:2],
    ("resizing", "Resizing", "75x75x1", 0),
    ("concatenate", "Concatenate", "75x75x3", 0),
    ("inception_v3", "Functional", "2048", 21802784),
    ("dense", "Dense", "128", 262272),
    *LAYERS[14:],
]


def layers(rows: list[tuple]) -> pd.DataFrame:
    """Give layers as `layer_table` does."""
    return pd.DataFrame(rows, columns=["name", "kind", "shape", "parameters"])


def make_project(
    folder: Path,
    skill: dict | None = None,
    twins: int = 40,
    absent: dict[str, list[int]] | None = None,
    own_size: str | None = None,
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
    own_size : str, optional
        A class whose files are of another size than all others.
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
    manifest = manifest_of(sets.values())
    manifest.loc[manifest["class"] == own_size, "width"] = 96
    write_table(folder / "manifest.csv", manifest)
    for place, (name, model) in enumerate(parameters["models"].items()):
        right = (skill or {}).get(name, 0.45 + 0.06 * place)
        write_model(folder / "reports", name, model, parameters, right, sets)
    prepared = ("train", "val", "test")
    options = zip(("--training", "--validation", "--testing"), prepared, strict=True)
    arguments = [part for name, of in options for part in (name, f"data/prepared/{of}")]
    run_here(folder, compare, *arguments, "--manifest", "manifest.csv", "--reports", "reports")
    return folder


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
                "group": 1000 * place + np.arange(count) // 2 * 2,  # pairs
                "patient": "",
                "weight": 1.0,
                "transform": "",
                "twin": (np.arange(count) < twins) if name == "test" else False,
                "same_patient": (np.arange(count) < twins) if name == "test" else False,
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
    """Write what audit, prepare and balance report."""
    classes = parameters["classes"]
    train = dict.fromkeys(classes, 720 // len(classes))
    test = sets["test"]["label"].value_counts().reindex(classes, fill_value=0).to_dict()
    dropped = dict.fromkeys(classes, 9 if parameters["leakage"] == "drop" and twins else 0)
    validated = set(sets["val"]["label"])
    val = {name: 20 if name in validated else 0 for name in classes}
    used = {name: train[name] - 20 - dropped[name] for name in classes}
    splits = {"train": used, "val": val, "test": test, "dropped": dropped}
    rows, drawn = [], {}
    for label, name in enumerate(classes):
        for i in range(4):  # the last two have a twin
            for split in ("Training", "Testing"):
                path = f"{split}/{name}/{i}.png"
                seed = 10 * label + i if i > 1 and twins else 10 * len(rows)
                cluster = seed if i > 1 and twins else 1000 + len(rows)
                digests = {"sha256": path, "pixels_sha256": f"{split}{i}" if i == 2 else cluster}
                row = {"path": path, "split": split, "class": name, "cluster": cluster, **digests}
                row |= {"patient": f"p{cluster}" if i else "", "group": cluster}
                rows.append({**row, "accepted": True, "reason": None})
                drawn[path] = slice_of(label, seed, 96)
    rows.append({"path": "Testing/cut.jpg", "split": "Testing", "class": classes[0]})
    rows[-1] |= {"accepted": False, "reason": "more than 50 pixels"}
    manifest = pd.DataFrame(rows).astype({"cluster": "Int64"})
    audit = {
        "files": 921,
        "accepted": 920,
        "refused": 1,
        "refused_by_reason": {"more than 50 pixels": 1},
        "images": {"Training": with_sum(train), "Testing": with_sum(test)},
        "twins": {
            "clusters": 61,
            "clusters_across": 2 * len(classes) if twins else 0,
            "within_training": 30,
            "within_testing": 6,
            "testing_with_twin_in_training": twins,
            "training_with_twin_in_testing": twins,
        },
        "patients": {
            "patients": 40,
            "images": 700,
            "groups": 300,
            "testing_with_patient_in_training": twins // 2,
            "training_with_patient_in_testing": twins // 2,
            "twins_of_two_patients": 1,
            "of_two_labels": 1,
        },
        "identical_across": {"files": twins // 4, "pixels": twins // 2},
        "turned": {"mirrored": 2, "rotated 90": 1},
        "label_conflicts": {"clusters": 2, "images": 4},
        "without_class": {},
        "unused": {},
    }
    reports = folder / "reports"
    write_json(reports / "audit/findings.json", audit)
    conflicts = manifest.iloc[[0, 2]][["cluster", "path", "split", "class"]]
    write_table(reports / "audit/label_conflicts.csv", conflicts)
    refused = manifest.loc[~manifest["accepted"], ["path", "reason"]]
    write_table(reports / "audit/refused.csv", refused)
    twin = sets["test"].groupby("label")["twin"].sum()
    counted = [
        {"set": split, "class": name, "images": count}
        | dict.fromkeys(
            ("with_twin", "with_same_patient"), twin.get(name, 0) if split == "test" else 0
        )
        for split, counts in splits.items()
        for name, count in counts.items()
    ]
    write_table(reports / "splits.csv", pd.DataFrame(counted))
    shown = twin_pairs(manifest, 6)
    write_gallery(reports / "pictures/twins", shown, [drawn[path] for path in shown["path"]])
    samples = [
        {"path": f"Training/{name}/0.png", "class": name, "rotation": angle, "zoom": zoom}
        for name in classes
        for angle, zoom in ((None, None), (12.3, 1.05), (-8, 0.92), (3, 1.01))
    ]
    pictures = [slice_of(place // 4, place) for place in range(len(samples))]
    write_gallery(reports / "pictures/samples", pd.DataFrame(samples), pictures)


def write_model(
    reports: Path, name: str, model: dict, parameters: dict, right: float, sets: dict
) -> None:
    """Write what train and evaluate report of one model with a share of right answers."""
    classes = parameters["classes"]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    validation, _, _ = answers(sets["val"], classes, right, random)
    write_table(reports / f"validation/{name}.csv", validation)
    testing, actual, probabilities = answers(sets["test"], classes, right, random)
    write_table(reports / f"predictions/{name}.csv", testing)
    write_table(reports / f"roc/{name}.csv", roc_table(actual, probabilities, classes))
    write_pictures(reports / "pictures", name, testing, probabilities)

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
            "kept": epochs == best,
        }
    )
    write_table(reports / f"history/{name}.csv", history)
    activation = model.get("activation", parameters["activation"])
    write_table(reports / f"signals/{name}.csv", signals(activation, len(classes)))
    inception = model["architecture"] == "inception_v3"
    drawn = layers(INCEPTION if inception else LAYERS)
    write_table(reports / f"layers/{name}.csv", drawn)
    total = int(drawn["parameters"].sum())
    training = {
        "architecture": model["architecture"],
        "activation": activation,
        "data": model["data"],
        "images": {"training": 560, "validation": 80},
        "class_counts": dict.fromkeys(classes, 560 // len(classes)),
        "epochs": len(epochs),
        "seen": 560 * len(epochs),
        "kept_epoch": best,
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
    write_json(reports / f"training/{name}.json", {name: training})
    write_json(reports / f"timing/{name}.json", {name: {"seconds": 61.23 + len(name)}})


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
            "group": index["group"],
            "actual": index["label"],
            "predicted": np.array(classes)[probabilities.argmax(axis=1)],
            **dict(zip(classes, probabilities.T, strict=True)),
        }
    )
    return table, actual, probabilities


def write_pictures(
    folder: Path, name: str, predictions: pd.DataFrame, probabilities: np.ndarray
) -> None:
    """Write the mistakes that a model was surest of, and its surest right and wrong answers."""
    table = predictions[["path", "actual", "predicted"]].assign(
        correct=predictions["actual"] == predictions["predicted"],
        confidence=probabilities.max(axis=1),
    )
    table = table.sort_values("confidence", ascending=False, kind="stable")
    wrong = table[~table["correct"]].head(8)
    write_gallery(folder / "mistakes" / name, wrong, [slice_of(0, n) for n in range(len(wrong))])
    shown = table.groupby(["actual", "correct"]).head(1).assign(height=6, width=6)
    greys = [slice_of(place % 4, place, 128) for place in range(len(shown))]
    maps = [np.stack([grey, grey // 2, 255 - grey], axis=-1) for grey in greys]
    write_gallery(folder / "grad_cam" / name, shown, maps)


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
