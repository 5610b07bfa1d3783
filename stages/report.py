"""Tell what came out, as a page and as a summary for a pull request."""

import argparse
from pathlib import Path

import pandas as pd

from stages import params
from stages.console import stage
from stages.reporting import figures, page
from stages.storage import read_json, read_table, write_text

LONGEST_LIST = 20  # rows of a list on the page; the files behind it hold them all


def main() -> None:
    """Read what the other stages reported; write index.html and report.md beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    arguments = parser.parse_args()

    with stage("report") as done:
        parameters = params.load()
        reports = arguments.reports
        manifest = read_table(arguments.manifest, ["path", "accepted", "reason"])
        conflicts = read_table(
            reports / "label_conflicts.csv", ["cluster", "path", "split", "class"]
        )
        results = {
            "parameters": parameters.model_dump(),
            "audit": read_json(reports / "audit.json")["audit"],
            "splits": read_json(reports / "splits.json")["splits"],
            "refused": _first(manifest[~manifest["accepted"]]),
            "conflicts": _first(conflicts),
            "models": {
                name: _model(reports / name, name, parameters) for name in parameters.models
            },
        }
        html = page.html_page(results)
        write_text(reports / "index.html", html)
        write_text(reports / "report.md", page.markdown_summary(results))
        done(f"{len(parameters.models)} models, {len(html) / 1e6:.1f} MB")


def _model(folder: Path, name: str, parameters: params.Parameters) -> dict:
    """Read one model's reports and draw its figures."""
    classes = parameters.classes
    metrics = read_json(folder / "metrics.json")[name]
    predictions = read_table(folder / "predictions.csv", ["actual", "predicted"])
    history = read_table(folder / "history.csv", ["epoch", "loss", "val_loss", "best"])
    roc = read_table(folder / "roc.csv", ["class", "false_positive_rate", "true_positive_rate"])
    counts = pd.crosstab(predictions["actual"], predictions["predicted"])
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    aucs = {name: scores["auc"] for name, scores in metrics["per_class"].items()}
    return {
        "metrics": metrics,
        "training": read_json(folder / "training.json")[name],
        "settings": parameters.models[name].model_dump(),
        "answers": [name for name in classes if counts[name].any()],
        "figures": {
            "architecture": (folder / "architecture.svg").read_text(encoding="utf-8"),
            "learning_curves": figures.learning_curves(history),
            "confusion_matrix": figures.confusion_matrix(counts),
            "roc_curves": figures.roc_curves(roc, aucs),
        },
    }


def _first(table: pd.DataFrame) -> list[dict]:
    return table.head(LONGEST_LIST).to_dict("records")


if __name__ == "__main__":
    main()
