"""Tell what a study found: figures of every arm over its seeds, and what differs between them."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment import diagnosis
from brain_mri.assessment.replicates import compare_arms, endings, measure_runs, runs_table
from brain_mri.assessment.runs import diagnoses, read_runs, updates
from brain_mri.console import stage
from brain_mri.report.page import study_summary
from brain_mri.report.study_figure import study_figure
from brain_mri.storage import write_json, write_table, write_text

MEASURE = "macro_f1"  # by which arms are judged: every class counts alike


def main() -> None:
    """Read every run of a study; write its tables, its figure and its summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of the study")
    parser.add_argument("--study", required=True, type=Path, help="parameters of the study")
    parser.add_argument("--runs", required=True, type=Path, help="folder of the runs")
    parser.add_argument("--output", required=True, type=Path, help="folder to write to")
    arguments = parser.parse_args()

    with stage(f"study@{arguments.name}") as done:
        parameters, output = params.load(study=arguments.study), arguments.output
        study, classes = params.load_study(arguments.study), parameters.classes
        tables = read_runs(arguments.runs, study.models, study.seeds, classes)
        truth = next(iter(tables.values()))
        healthy, seed = parameters.healthy_class, parameters.seed
        how = parameters.compare.resamples, seed
        values, draws = measure_runs(tables, classes, healthy, *how)
        found = compare_arms(values, draws, study.reference, study.factors, seed)
        ended = diagnoses(arguments.runs, tables)
        table = runs_table(values, ended)
        activations = {arm: settings.activation for arm, settings in parameters.models.items()}
        results = {
            "parameters": parameters.model_dump(),
            "study": study.model_dump(),
            "measure": MEASURE,
            "images": len(truth),
            "absent": sorted(set(classes) - set(truth["actual"]), key=classes.index),
            "updates": updates(arguments.runs, next(iter(tables))),
            **found.summary(study.reference),
            **endings(ended, activations),
            "thresholds": diagnosis,
        }
        figure = study_figure(table, MEASURE, study.reference, parameters.language)
        write_json(output / "results.json", {arguments.name: found.figures()})
        write_table(output / "runs.csv", table)
        write_table(output / "contrasts.csv", found.contrasts())
        write_text(output / "figure.svg", figure)
        write_text(output / "report.md", study_summary(results))
        done(f"{len(study.models)} arms, {len(study.seeds)} seeds")


if __name__ == "__main__":
    main()
