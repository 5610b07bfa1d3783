"""Facts that the words of several sections are chosen by, from the tables of other stages."""

import json
from itertools import combinations
from types import ModuleType

import pandas as pd

from brain_mri.assessment import diagnosis
from brain_mri.assessment.pairs import SIGNIFICANT, is_shown, verdict
from brain_mri.assessment.references import LOOK_UP, REFERENCES
from brain_mri.report.language import Language
from brain_mri.report.reading import Reports

STANDINGS = {"higher": "ahead", "lower": "behind", "undecided": "open"}  # by verdict
# What training.json tells of a model and its training. The rest tells of the machine and software.
TRAINING = {"architecture", "activation", "data", "images", "class_counts", "seed", "updates"}
TRAINING |= {"epochs", "seen", "kept_epoch", "val_loss", "val_accuracy", "parameters"}


def patients_known(audit: dict) -> str:
    """Tell of how many images the patient is known: ``known`` for all, ``partly``, ``unknown``."""
    known = audit["patients"]["images"]
    if not known:
        return "unknown"
    return "known" if known == audit["accepted"] else "partly"


def shared(reports: Reports) -> dict:
    """Give what the templates of several sections, the page around them and the summary fill in."""
    comparison, names = reports.comparison, reports.models
    counts, doubtful = split_counts(reports.splits), set(reports.conflicts["path"])
    answers = reports.predictions[reports.recommended]
    wrong = answers[answers["actual"] != answers["predicted"]]
    return {
        "parameters": reports.parameters.model_dump(),
        "audit": reports.audit,
        "patients_known": patients_known(reports.audit),
        "splits": counts,
        "absent": absent(counts, reports.classes),
        "models": {name: model_facts(reports, name) for name in names},
        "machines": machines(reports.training),
        "comparison": comparison,
        "verdicts": verdicts(comparison, names),
        "best": best(comparison, names),
        "doubtful": doubtful,
        "wrong": len(wrong),
        "wrong_doubtful": int(wrong["path"].isin(doubtful).sum()),
        "has_pictures": (reports.folder / "pictures").is_dir(),
    }


def model_facts(reports: Reports, name: str) -> dict:
    """Give what several sections say of a model.

    Returns
    -------
    dict
        ``place`` among the models, from 1; ``training``, its record; ``answers``, the classes that
        it answers at all; ``learning``, see :func:`learning_facts`; ``diagnosis``, see
        :func:`brain_mri.assessment.diagnosis.diagnose`.
    """
    training, history = reports.training[name], reports.histories[name]
    counts = reports.confusions[name]
    return {
        "place": reports.models.index(name) + 1,
        "training": training,
        "answers": [label for label in reports.classes if counts[label].any()],
        "learning": learning_facts(history),
        "diagnosis": diagnosis.diagnose(
            reports.signals[name], history, training["class_counts"].values()
        ),
    }


def reference_names(language: Language) -> dict[str, str]:
    """Give what the classifiers that are no models are called on the page."""
    return {name: str(language.say(f"classifiers.{name}")) for name in REFERENCES}


def absent(splits: dict, classes: list[str]) -> dict[str, list[str]]:
    """Name the classes of which ``val`` and ``test`` have no image."""
    return {
        name: [label for label in classes if not splits[name][label]] for name in ("val", "test")
    }


def verdicts(comparison: dict, models: list[str]) -> dict:
    """Tell which differences in accuracy are shown, by the p of the paired bootstrap.

    Parameters
    ----------
    comparison : dict
        Of ``comparison/figures.json``.
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
    pairs, recommended = comparison["pairs"], comparison["recommended"]["model"]

    def differs(a: str, b: str, test: str) -> bool:
        return is_shown(pairs[f"{a} - {b}"][test]["p_holm"])

    def standing(a: str, b: str) -> str:
        accuracy = pairs[f"{a} - {b}"]["accuracy"]
        return STANDINGS[verdict(accuracy["value"], accuracy["p_holm"])]

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
        "alpha": SIGNIFICANT,
        "shown": shown,
        "open": undecided,
        "widest": max(bounds, default=0.0),
        "disputed": [
            (a, b) for a, b in both if differs(a, b, "mcnemar") == (stands[a, b] == "open")
        ],
        "relabelled": [(a, b) for a, b in both if differs(a, b, "stuart_maxwell")],
        "ahead": ahead,
        "behind": behind,
        "level": [name for name in models if name not in (recommended, *ahead, *behind)],
        "look_up": look_up,
        "not_beating": [name for name in models if look_up[name] != "ahead"],
    }


def split_counts(splits: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count images by set and class, and ``all``, from the table of :mod:`stages.prepare`."""
    table = splits.pivot(index="set", columns="class", values="images")
    return table.assign(all=table.sum(axis=1)).astype(int).to_dict("index")


def learning_facts(history: pd.DataFrame) -> dict[str, float | int]:
    """Give the numbers that a reading of learning curves speaks of, from ``history.csv``."""
    first, last = history.iloc[0], history.iloc[-1]
    best = history.loc[history["val_loss"].idxmin()]
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
    """Give what a result can depend on besides its inputs, of a record of ``training.json``.

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


def machines(training: dict[str, dict]) -> list[tuple[list[str], dict[str, str]]]:
    """Group the models by the machine and software of their training; mostly there is one group."""
    found: list[tuple[list[str], dict[str, str]]] = []
    for name, record in training.items():
        own = machine(record)
        for names, other in found:
            if other == own:
                names.append(name)
                break
        else:
            found.append(([name], own))
    return found
