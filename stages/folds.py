"""Put the folds together: every image is answered by models that never saw its patient."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment import folds, suspects
from brain_mri.assessment.baselines import require_other_names
from brain_mri.assessment.comparison import compare, headlines
from brain_mri.assessment.tables import tables
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest
from brain_mri.gallery import write_gallery
from brain_mri.report.folds_report import MOST_SUSPECTS, folds_figure, folds_report
from brain_mri.storage import read_table, write_json, write_table, write_text


def main() -> None:
    """Read what every model answered in every fold; write figures, suspect labels and a report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of the folds' image sets")
    parser.add_argument("--runs", required=True, type=Path, help="folder of the runs")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--patients", required=True, type=Path, help="table of the audit")
    parser.add_argument("--output", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage("folds") as done:
        parameters, output = params.load(), arguments.output
        classes, seed, names = parameters.classes, parameters.seed, list(parameters.models)
        require_other_names(names)
        what = read_manifest(arguments.manifest), classes, parameters.healthy_class, seed
        where = arguments.data, arguments.runs, names, parameters.folds
        parts = folds.read_folds(*where, *what)
        images, models, others = folds.join(parts)
        drawn = parameters.compare.model_dump(include={"bins", "resamples"}) | {"seed": seed}
        found = compare(images, models, others, **drawn)
        by_fold = folds.fold_table(parts)
        best = folds.best_on_validation(by_fold)
        index = folds.index_of(parts, read_table(arguments.patients, ["path"]))
        doubtful = suspects.rank(images, models[best], index)
        found |= {"recommended": best, "gaps": folds.validation_gaps(by_fold)}
        found["contradicted"] = suspects.contradicted(doubtful)
        kept = suspects.others(doubtful, index)
        found["without_suspects"] = headlines(images, models | others, kept, **drawn)
        write_json(output / "figures.json", found)
        write_json(output / "results.json", {"folds": folds.metrics(found)})
        own = {"folds": by_fold, "suspects": doubtful, "answers": folds.answers(parts, classes)}
        for name, table in (own | tables(found, images, models, drawn["bins"])).items():
            write_table(output / f"{name}.csv", table)
        shown = doubtful[doubtful["suspect"]].head(MOST_SUSPECTS)
        write_gallery(output / "suspects", shown, folds.pictures(parts, shown["path"]))
        write_text(output / "figure.svg", folds_figure(found, by_fold, parameters.language))
        write_text(output / "report.md", folds_report(found, by_fold, doubtful, parameters))
        done(f"{len(images.actual)} images, {parameters.folds} folds, {best} recommended")


if __name__ == "__main__":
    main()
