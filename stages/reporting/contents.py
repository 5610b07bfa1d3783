"""What the report can say: facts that its words are chosen by, from the tables of other stages."""

import json
import re
from itertools import combinations, zip_longest
from types import ModuleType

import pandas as pd

from stages.reporting.language import Language

LOOK_UP = "look_up"
# What training.json tells of a model and its training; the rest is what that was done on and with.
TRAINING = {"architecture", "activation", "data", "images", "class_counts", "seed", "updates"}
TRAINING |= {"epochs", "best_epoch", "val_loss", "val_accuracy", "parameters"}


def flow(audit: dict, splits: dict) -> dict[str, int]:
    """Count every image on its way from the folder to a split."""
    return {
        "files": audit["files"],
        "refused": audit["refused"],
        "training": audit["images"]["Training"]["all"],
        "testing": audit["images"]["Testing"]["all"],
        **{name: counts["all"] for name, counts in splits.items()},
    }


def absent(splits: dict, classes: list[str]) -> dict[str, list[str]]:
    """Name the classes of which ``val`` and ``test`` have no image."""
    return {
        name: [label for label in classes if not splits[name][label]] for name in ("val", "test")
    }


def twin_pairs(manifest: pd.DataFrame) -> list[tuple[pd.Series, pd.Series]]:
    """List pairs of twins on both sides of the split, so that the first few show every class.

    Parameters
    ----------
    manifest : DataFrame
        ``path``, ``split``, ``class``, ``cluster``, ``accepted``, a row a file.

    Returns
    -------
    list of (Series, Series)
        Rows of the first Training and the first Testing image of a cluster: the first cluster of
        each class of the Testing image, then the second of each, and so on.
    """
    images = manifest[manifest["accepted"]].sort_values("path")
    training, testing = (
        images[images["split"] == split].drop_duplicates("cluster").set_index("cluster")
        for split in ("Training", "Testing")
    )
    testing = testing[testing.index.isin(training.index)].sort_index()
    turns = zip_longest(*(part.index for _, part in testing.groupby("class")))
    clusters = [cluster for turn in turns for cluster in turn if cluster is not None]
    return [(training.loc[cluster], testing.loc[cluster]) for cluster in clusters]


def mistakes(predictions: pd.DataFrame, most: int) -> list[dict]:
    """List the wrong answers a model was surest of.

    Parameters
    ----------
    predictions : DataFrame
        ``path``, ``actual``, ``predicted``, ``confidence`` (the probability of the answer given).
    most : int

    Returns
    -------
    list of dict
        ``path``, ``actual``, ``predicted``, ``confidence``, surest first.
    """
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    wrong = wrong.sort_values(["confidence", "path"], ascending=[False, True])
    return wrong[["path", "actual", "predicted", "confidence"]].head(most).to_dict("records")


def verdicts(comparison: dict, models: list[str]) -> dict:
    """Tell which differences are shown: those in accuracy whose p is below the level.

    The p is the paired bootstrap's, corrected by Holm; the level is what the intervals leave out.

    Parameters
    ----------
    comparison : dict
        Of ``comparison.json``.
    models : list of str
        In the order of the pairs' names.

    Returns
    -------
    dict
        ``alpha``, the level; ``shown``, pairs of models that differ, the better one first, and
        ``open``, the others; ``widest``, the largest difference that an interval of these leaves
        possible; ``disputed``, pairs of which McNemar's test says otherwise; ``relabelled``, pairs
        that predict the classes in different shares; ``ahead``, ``behind`` and ``level``, of the
        recommended model with each other; ``look_up``, by model, how it stands to look-up;
        ``not_beating``, the models not ahead of it.
    """
    alpha = round(1 - comparison["confidence"], 6)
    pairs, recommended = comparison["pairs"], comparison["recommended"]["model"]

    def differs(test: dict) -> bool:
        return test["p_holm"] is not None and test["p_holm"] < alpha

    def standing(a: str, b: str) -> str:
        accuracy = pairs[f"{a} - {b}"]["accuracy"]
        return "open" if not differs(accuracy) else "ahead" if accuracy["value"] > 0 else "behind"

    both = list(combinations(models, 2))
    stands = {(a, b): standing(a, b) for a, b in both}
    undecided = [pair for pair in both if stands[pair] == "open"]
    shown = [
        (a, b) if stands[a, b] == "ahead" else (b, a) for a, b in both if (a, b) not in undecided
    ]
    edges = [
        pairs[f"{a} - {b}"]["accuracy"][side] for a, b in undecided for side in ("low", "high")
    ]
    bounds = [abs(edge) for edge in edges if edge is not None]
    ahead = [worse for better, worse in shown if better == recommended]
    behind = [better for better, worse in shown if worse == recommended]
    look_up = {name: standing(name, LOOK_UP) for name in models}
    return {
        "alpha": alpha,
        "shown": shown,
        "open": undecided,
        "widest": max(bounds, default=0.0),
        "disputed": [
            (a, b)
            for a, b in both
            if differs(pairs[f"{a} - {b}"]["mcnemar"]) == (stands[a, b] == "open")
        ],
        "relabelled": [(a, b) for a, b in both if differs(pairs[f"{a} - {b}"]["stuart_maxwell"])],
        "ahead": ahead,
        "behind": behind,
        "level": [name for name in models if name not in (recommended, *ahead, *behind)],
        "look_up": look_up,
        "not_beating": [name for name in models if look_up[name] != "ahead"],
    }


def pair_rows(comparison: dict, models: list[str]) -> list[dict]:
    """List the compared pairs with their names apart, in the order of ``comparison.json``.

    A difference whose p is the smallest that so many resamples can tell is marked ``at_most``.
    """
    names = [*combinations(models, 2), *((name, LOOK_UP) for name in models)]

    def marked(test: dict) -> dict:
        p = test["p"]
        return test | {"at_most": "low" in test and p is not None and p <= comparison["smallest_p"]}

    return [
        {"a": a, "b": b}
        | {name: marked(test) for name, test in comparison["pairs"][f"{a} - {b}"].items()}
        for a, b in names
    ]


def likeness(one: pd.Series, other: pd.Series) -> str:
    """Tell how two twins are alike: the same ``files``, the same ``pixels``, or one ``slice``."""
    for column, kind in (("sha256", "files"), ("pixels_sha256", "pixels")):
        if one[column] == other[column]:
            return kind
    return "slice"


def twin_classes(testing: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count Testing images by class, those ``with`` a twin in Training and those ``without``."""
    return {
        name: testing.loc[testing["twin"] == twin, "label"].value_counts().sort_index().to_dict()
        for name, twin in (("with", True), ("without", False))
    }


def strategies(models: dict[str, dict]) -> dict[str, list[str]]:
    """Name the models that are trained on each strategy of balancing, but for none."""
    found: dict[str, list[str]] = {}
    for name, model in models.items():
        found.setdefault(model["training"]["data"], []).append(name)
    found.pop("none", None)
    return found


def balanced_counts(models: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Count the training images of each class after each strategy; of weighted ones the weight."""
    found = {}
    for strategy, names in strategies(models).items():
        counts = models[names[0]]["training"]["class_counts"]
        if strategy == "class_weight":
            counts = dict.fromkeys(counts, sum(counts.values()) / len(counts))
        found[strategy] = counts
    return found


def learning_facts(history: pd.DataFrame) -> dict[str, float | int]:
    """Give the numbers that a reading of learning curves speaks of, from ``history.csv``."""
    first, last = history.iloc[0], history.iloc[-1]
    best = history[history["best"]].iloc[0]
    rises = history["loss"].diff().iloc[1:] > 0
    return {
        "epochs": len(history),
        "best": int(best["epoch"]),
        "rate": float(first["learning_rate"]),
        "accuracy": float(best["accuracy"]),
        "val_accuracy": float(best["val_accuracy"]),
        "accuracy_last": float(last["accuracy"]),
        "val_accuracy_last": float(last["val_accuracy"]),
        "best_val_loss": float(best["val_loss"]),
        "last_val_loss": float(last["val_loss"]),
        "first_loss": float(first["loss"]),
        "last_loss": float(last["loss"]),
        "rises": int(rises.sum()),
        "steps": len(rises),
    }


def best(comparison: dict, models: list[str]) -> dict[str, list[str]]:
    """Name the models that lead in each overall figure."""
    classifiers = comparison["classifiers"]
    return {
        measure: leaders(
            {name: classifiers[name][measure]["value"] for name in models}, measure == "loss"
        )
        for measure, figure in classifiers[models[0]].items()
        if isinstance(figure, dict) and "value" in figure
    }


def leaders(figures: dict[str, float | None], lowest: bool = False) -> list[str]:
    """Name those with the best figure.

    Those whose figures look the same on the page share it: digits that a reader cannot see
    decide nothing.
    """
    shown = {name: round(value, 3) for name, value in figures.items() if value is not None}
    target = (min if lowest else max)(shown.values(), default=None)
    return [name for name, value in shown.items() if value == target]


def weakest(comparison: dict, models: list[str]) -> dict:
    """Find the class that a model finds least of: ``model``, ``class`` and its recall."""
    recalls = [
        {"model": model, "class": name, **scores["recall"]}
        for model in models
        for name, scores in comparison["classifiers"][model]["per_class"].items()
        if scores["recall"]["value"] is not None
    ]
    return min(recalls, key=lambda row: row["value"])


def interval_table(comparison: dict, measure: str) -> pd.DataFrame:
    """Give an overall figure of every classifier, a row each, with its interval."""
    rows = [
        {"classifier": name, **figures[measure]}
        for name, figures in comparison["classifiers"].items()
    ]
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def recall_table(comparison: dict) -> pd.DataFrame:
    """Give the recall of every classifier in every class, a row each, with its interval."""
    rows = [
        {"classifier": name, "class": label, **scores["recall"]}
        for name, figures in comparison["classifiers"].items()
        for label, scores in figures["per_class"].items()
    ]
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def difference_table(pairs: list[dict], measure: str) -> pd.DataFrame:
    """Give the difference of every pair in a measure, a row each, with its interval."""
    rows = [{"a": pair["a"], "b": pair["b"], **pair[measure]} for pair in pairs]
    table = pd.DataFrame(rows).rename(columns={"value": "difference"})
    return table.astype(dict.fromkeys(["difference", "low", "high", "p_holm"], float))


def translated(svg: str, language: Language) -> str:
    """Put the drawing of an architecture, whose few words are English, into a language."""

    def text(found: re.Match) -> str:
        word = found[1]
        if re.fullmatch(r"\d{1,3}(,\d{3})+", word):
            word = language.number(int(word.replace(",", "")))
        return f">{language.words['architecture'].get(word, word)}</text>"

    return re.sub(r">([^<>]*)</text>", text, svg)


def rules(module: ModuleType) -> dict[str, float]:
    """Give the thresholds that a module judges by: its constants."""
    return {name: value for name, value in vars(module).items() if name.isupper()}


def flat(settings: dict, prefix: str = "") -> dict:
    """Name nested parameters by their path, as ``train.epochs``."""
    found = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def machine(training: dict) -> dict[str, str]:
    """Give what a result can depend on beside its inputs, of a record of ``training.json``.

    Returns
    -------
    dict of str
        Device, precision, threads and so on, by their names there; ``versions.keras`` for one that
        is nested.
    """
    found = flat({key: value for key, value in training.items() if key not in TRAINING})
    return {key: _words(value) for key, value in found.items()}


def _words(value) -> str:
    if isinstance(value, list):
        return " ".join(map(_words, value))
    return value if isinstance(value, str) else json.dumps(value)


def machines(models: dict[str, dict]) -> list[tuple[list[str], dict[str, str]]]:
    """Name the models that were trained on and with the same, and that; mostly one group."""
    found: list[tuple[list[str], dict[str, str]]] = []
    for name, model in models.items():
        own = machine(model["training"])
        for names, other in found:
            if other == own:
                names.append(name)
                break
        else:
            found.append(([name], own))
    return found
