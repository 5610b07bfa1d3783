"""Tell what came out, as a page and as a summary for a pull request."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from stages import params
from stages.assessment import diagnosis, learning
from stages.console import stage
from stages.errors import InputError, one_line
from stages.imaging.augmentation import apply_change, draw_change
from stages.imaging.dataset import read_manifest, without_class
from stages.imaging.decoding import decode_accepted
from stages.imaging.resizing import resize
from stages.reporting import contents, figures, page
from stages.reporting.language import Language
from stages.reporting.pictures import data_uri, data_uri_of_file, svg_of_file
from stages.storage import (
    ImageSet,
    damaged,
    read_images,
    read_json,
    read_table,
    write_text,
)

LONGEST_LIST = 20  # rows of a list on the page; the files behind it hold them all
PHANTOM = "data/phantom"  # the one data set that the parameters of that name make
PAIRS, MISTAKES, CHANGES = 6, 8, 3  # pictures of each kind
SIDE = 160  # pixels of a picture, at most
HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
SIGNALS = ("step", "gradient_norm", "update_ratio", "mean", "spread_units", "spread_images")
SIGNALS += ("below_0.05", "above_0.95", "entropy")
ROC = ("false_positive_rate", "true_positive_rate")


def main() -> None:
    """Read what the other stages reported; write index.html and report.md beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the data set")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--prepared", required=True, type=Path, help="folder of train and test")
    arguments = parser.parse_args()

    with stage("report") as done:
        parameters = params.load()
        try:
            results = gather(arguments, parameters)
            html, summary = page.html_page(results), page.markdown_summary(results)
        except (InputError, OSError, MemoryError):
            raise
        # Every figure comes from files of other stages; one that was edited can break any line.
        except Exception as error:
            raise InputError(
                f"what {arguments.reports} holds does not fit together "
                f"({type(error).__name__}: {one_line(error)}); run `dvc repro --force` to make it "
                "again, and if that does not help, report this line"
            ) from error
        write_text(arguments.reports / "index.html", html)
        write_text(arguments.reports / "report.md", summary)
        done(f"{len(parameters.models)} models, {len(html) / 1e6:.1f} MB")


def gather(arguments: argparse.Namespace, parameters: params.Parameters) -> dict:
    """Read every report and draw every figure; the templates say what is made of each."""
    reports, names = arguments.reports, list(parameters.models)
    language = Language(parameters.language)
    testing = read_images(arguments.prepared / "test", parameters.classes)
    comparison = read_json(reports / "comparison.json", text=("model", "rule"))["comparison"]
    audit = read_json(reports / "audit.json", text=())["audit"]
    splits = read_json(reports / "splits.json", text=())["splits"]
    recommended = comparison["recommended"]["model"]
    predictions = _predictions(reports / recommended, parameters.classes)
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    conflicts = read_table(reports / "label_conflicts.csv", ["cluster", "path", "split", "class"])
    reliability = read_table(
        reports / "reliability.csv", ["model", "scaled"], numbers=["confidence", "accuracy"]
    )
    models = {
        name: _model(reports, name, reliability[reliability["model"] == name], parameters, language)
        for name in names
    }
    # Shown by model; and what no result depends on.
    unused = {"models", "train", "compute"}
    if parameters.dataset != PHANTOM:
        unused.add("phantom")
    results = {
        "parameters": parameters.model_dump(),
        "settings": contents.flat(parameters.model_dump(exclude=unused)),
        "audit": audit,
        "splits": splits,
        "sizes": [splits["train"][name] for name in parameters.classes],
        "absent": contents.absent(splits, parameters.classes),
        "flow": contents.flow(audit, splits),
        **_lists(arguments, parameters),
        "conflicts": _first(conflicts),
        "doubtful": set(conflicts["path"]),
        "twin_classes": contents.twin_classes(testing.index),
        "samples": _samples(
            read_images(arguments.prepared / "train", parameters.classes), parameters
        ),
        "models": models,
        "machines": contents.machines(models),
        "balanced": contents.strategies(models),
        "comparison": comparison,
        "verdicts": contents.verdicts(comparison, names),
        "pairs": contents.pair_rows(comparison, names),
        "best": contents.best(comparison, names),
        "weakest": contents.weakest(comparison, names),
        "own_weakest": contents.weakest(comparison, [recommended]),
        "mistakes": _mistakes(predictions, testing),
        "wrong": len(wrong),
        "wrong_doubtful": int(wrong["path"].isin(conflicts["path"]).sum()),
        "rules": {"learning": contents.rules(learning), "diagnosis": contents.rules(diagnosis)},
    }
    return results | {"figures": _figures(results, language)}


def _lists(arguments: argparse.Namespace, parameters: params.Parameters) -> dict:
    """List what the audit refused, and show twins."""
    manifest = read_manifest(arguments.manifest)
    pairs = contents.twin_pairs(manifest)

    def side(row: pd.Series) -> dict:
        pixels = decode_accepted(arguments.dataset / row["path"], parameters.audit.max_pixels)
        uri = data_uri(resize(pixels, SIDE, parameters.prepare.resize))
        return {**row[["path", "split", "class"]], "uri": uri}

    return {
        "refused": _first(manifest[~manifest["accepted"]]),
        "without_class": without_class(manifest),
        "twin_pairs": [
            {"sides": [side(one), side(other)], "same": contents.likeness(one, other)}
            for one, other in pairs[:PAIRS]
        ],
        "twin_clusters": len(pairs),
    }


def _samples(training: ImageSet, parameters: params.Parameters) -> dict[str, dict]:
    """Show the first slice of each class, and changes as the strategy augment draws them."""
    labels = training.index["label"]
    generator = np.random.default_rng(parameters.seed)
    ranges = parameters.balance.model_dump()
    samples = {}
    for name in parameters.classes:
        row = labels.index[labels == name][0]
        pixels = training.images([row])[0]
        changes = [draw_change(generator, ranges) for _ in range(CHANGES)]
        samples[name] = {
            "path": training.index["source"][row],
            "uri": data_uri(pixels, SIDE),
            "changed": [
                {**change._asdict(), "uri": data_uri(apply_change(pixels, change), SIDE)}
                for change in changes
            ],
        }
    return samples


def _mistakes(predictions: pd.DataFrame, testing: ImageSet) -> list[dict]:
    """Show the wrong answers the model was surest of."""
    rows = {path: row for row, path in enumerate(testing.index["source"])}
    if not predictions["path"].isin(rows).all():
        raise InputError("predictions.csv is of other images; run `dvc repro` to make it again")
    return [
        {**mistake, "uri": data_uri(testing.images([rows[mistake["path"]]])[0], SIDE)}
        for mistake in contents.mistakes(predictions, MISTAKES)
    ]


def _model(
    reports: Path,
    name: str,
    reliability: pd.DataFrame,
    parameters: params.Parameters,
    language: Language,
) -> dict:
    """Read one model's reports and draw its figures."""
    folder, classes, words = reports / name, parameters.classes, language.words["figures"]
    metrics = read_json(folder / "metrics.json", text=())[name]
    training = read_json(folder / "training.json")[name]
    predictions = _predictions(folder, classes)
    history = read_table(folder / "history.csv", ["best"], numbers=HISTORY)
    if not pd.api.types.is_bool_dtype(history["best"]) or history["best"].sum() != 1:
        raise damaged(folder / "history.csv", "it has not one best epoch")
    signals = read_table(folder / "signals.csv", ["layer", "activation"], numbers=SIGNALS)
    if signals[["step", "layer", "activation"]].isna().any(axis=None) or signals.empty:
        raise damaged(folder / "signals.csv")
    if signals.duplicated(["step", "layer"]).any():
        raise damaged(folder / "signals.csv", "it has a step twice")
    roc = read_table(folder / "roc.csv", ["class"], numbers=ROC)
    counts = pd.crosstab(predictions["actual"], predictions["predicted"])
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    aucs = {name: scores["auc"] for name, scores in metrics["per_class"].items()}
    trained_on = training["class_counts"].values()
    shares = [number / sum(trained_on) for number in trained_on]
    timing = folder / "timing.json"  # of this machine's last training, where there was one
    settings = parameters.models[name].model_dump()
    return {
        "place": list(parameters.models).index(name) + 1,
        "metrics": metrics,
        "training": training,
        "timing": read_json(timing)[name] if timing.exists() else None,
        "settings": settings | {"activation": training["activation"]},
        "answers": [name for name in classes if counts[name].any()],
        "confidence": float(predictions["confidence"].mean()),
        "reading": learning.reading(history),
        "learning": contents.learning_facts(history),
        "diagnosis": diagnosis.diagnose(signals, history, shares),
        "grad_cam": _grad_cam(folder / "grad_cam", classes),
        "figures": {
            "architecture": contents.translated(svg_of_file(folder / "architecture.svg"), language),
            "learning_curves": figures.learning_curves(history, words),
            "confusion_matrix": figures.confusion_matrix(counts, words),
            "roc_curves": figures.roc_curves(roc, aucs, words),
            "reliability": figures.reliability(reliability, words),
            "signals_by_layer": figures.signals_by_layer(signals, words),
            "signals_over_time": figures.signals_over_time(signals, words),
        },
    }


def _predictions(folder: Path, classes: list[str]) -> pd.DataFrame:
    path = folder / "predictions.csv"
    table = read_table(path, ["path", "actual", "predicted"], numbers=classes)
    if not table[["actual", "predicted"]].isin(classes).all(axis=None):
        raise damaged(path)
    return table.assign(confidence=table[classes].max(axis=1))


def _grad_cam(folder: Path, classes: list[str]) -> dict[str, dict]:
    """Give the right and the wrong example of each class, None where there is none."""
    columns, numbers = ["class", "correct", "path", "predicted", "file"], ["height", "width"]
    examples = {name: {"right": None, "wrong": None} for name in classes}
    table = read_table(folder / "index.csv", columns, numbers=[*numbers, "confidence"])
    named = table["file"].astype(str).str.fullmatch(r"\d+\.png")  # of this folder, no other
    if table.empty or not named.all() or not table["class"].isin(classes).all():
        raise damaged(folder / "index.csv")
    rows = table.to_dict("records")
    for row in rows:
        shown = row | {"uri": data_uri_of_file(folder / row["file"], SIDE)}
        examples[row["class"]]["right" if row["correct"] else "wrong"] = shown
    return {"examples": examples, "maps": {side: rows[0][side] for side in ("height", "width")}}


def _figures(results: dict, language: Language) -> dict:
    """Draw the figures of all models together."""
    words, comparison = language.words["figures"], results["comparison"]
    shown = {name: str(language.say(f"classifiers.{name}")) for name in ("look_up", "majority")}
    train = results["splits"]["train"]
    return {
        "flow": figures.flow_diagram(results["flow"], words),
        "class_balance": figures.class_balance(
            {name: train[name] for name in results["parameters"]["classes"]},
            contents.balanced_counts(results["models"]),
            words,
        ),
        **{
            measure: figures.intervals(
                contents.interval_table(comparison, measure).replace({"classifier": shown}),
                words,
                str(language.say(f"measures.{measure}")),
            )
            for measure in ("accuracy", "macro_f1")
        },
        "recalls": figures.recalls(
            contents.recall_table(comparison).replace({"classifier": shown}), words
        ),
        "differences": {
            measure: figures.differences(
                contents.difference_table(results["pairs"], measure).replace({"b": shown}),
                words,
                str(language.say(f"measures.{measure}")),
            )
            for measure in ("accuracy", "macro_f1", "sensitivity")
            if measure in results["pairs"][0]
        },
    }


def _first(table: pd.DataFrame) -> list[dict]:
    return table.head(LONGEST_LIST).to_dict("records")


if __name__ == "__main__":
    main()
