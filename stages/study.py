"""Tell what a study found: figures of every arm over its seeds, and what differs between them."""

import argparse
from pathlib import Path

import pandas as pd

from brain_mri import params
from brain_mri.assessment import diagnosis
from brain_mri.assessment.pairs import SIGNIFICANT
from brain_mri.assessment.predictions import read_predictions
from brain_mri.assessment.replicates import (
    FEW_SEEDS,
    arm_table,
    contrast_table,
    contrasts,
    endings,
    measure_runs,
)
from brain_mri.console import stage
from brain_mri.errors import InputError
from brain_mri.report.language import Language
from brain_mri.report.page import study_summary
from brain_mri.report.study_figure import replicates
from brain_mri.storage import read_json, read_table, write_json, write_table, write_text

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
        parameters = params.load(study=arguments.study)
        study, classes = params.load_study(arguments.study), parameters.classes
        runs = [(arm, seed) for arm in study.models for seed in study.seeds]
        tables = {
            run: read_predictions(_file(arguments.runs, "predictions", run), classes)
            for run in runs
        }
        truth = next(iter(tables.values()))
        for run, table in tables.items():
            if not table["path"].equals(truth["path"]):
                raise InputError(
                    f"{_file(arguments.runs, 'predictions', run)} is of other images than the "
                    f"rest; run `dvc --cd {arguments.output} repro`"
                )
        number = pd.Index(classes).get_indexer
        values, draws = measure_runs(
            {run: number(table["predicted"]) for run, table in tables.items()},
            number(truth["actual"]),
            truth["cluster"].to_numpy(),
            classes,
            parameters.healthy_class,
            parameters.compare.resamples,
            parameters.seed,
        )
        measures = list(dict.fromkeys(measure for measure, _, _ in values))
        wanted = contrasts(list(study.models), study.reference, study.factors)
        arms = {measure: arm_table(values, measure) for measure in measures}
        differences = {
            measure: contrast_table(values, draws, measure, wanted, parameters.seed)
            for measure in measures
        }
        ended = {run: _diagnosis(arguments.runs, run) for run in runs}
        table = pd.DataFrame(
            {
                "arm": arm,
                "seed": seed,
                **{measure: values[measure, arm, seed] for measure in measures},
                "ended": ended[arm, seed]["verdict"],
            }
            for arm, seed in runs
        )
        activations = {arm: settings.activation for arm, settings in parameters.models.items()}
        record = read_json(_file(arguments.runs, "training", runs[0]))
        results = {
            "parameters": parameters.model_dump(),
            "study": study.model_dump(),
            "measure": MEASURE,
            "images": len(truth),
            "absent": [name for name in classes if name not in set(truth["actual"])],
            "updates": next(iter(record.values()))["updates"],
            **_rows(arms, differences, study.reference),
            **endings(ended, activations),
            "thresholds": diagnosis,
            "few_seeds": FEW_SEEDS,
            "alpha": SIGNIFICANT,
        }
        words = Language(parameters.language).words
        dots = table.rename(columns={MEASURE: "value"})
        label = words["measures"][MEASURE]
        write_json(arguments.output / "results.json", {arguments.name: _figures(arms)})
        write_table(arguments.output / "runs.csv", table)
        write_table(arguments.output / "contrasts.csv", _stacked(differences))
        figure = replicates(_reference_first(dots, study.reference), words["figures"], label)
        write_text(arguments.output / "figure.svg", figure)
        write_text(arguments.output / "report.md", study_summary(results))
        done(f"{len(study.models)} arms, {len(study.seeds)} seeds")


def _file(runs: Path, kind: str, run: tuple[str, int]) -> Path:
    """Give the file of a kind that a run wrote."""
    arm, seed = run
    return runs / kind / f"{arm}-{seed}.{'json' if kind == 'training' else 'csv'}"


def _diagnosis(runs: Path, run: tuple[str, int]) -> dict:
    """Tell how a run ended, by the signals of its training."""
    counts = read_json(_file(runs, "training", run))[run[0]]["class_counts"]
    signals = ["step", "layer", "activation", "spread_images"]
    return diagnosis.diagnose(
        read_table(_file(runs, "signals", run), signals),
        read_table(_file(runs, "history", run), ["loss"]),
        counts.values(),
    )


def _rows(
    arms: dict[str, pd.DataFrame], differences: dict[str, pd.DataFrame], reference: str
) -> dict[str, dict]:
    """Give what the summary prints of each measure: the reference, the other arms, the factors."""
    found = {"references": {}, "arms": {}, "factors": {}}
    for measure, table in arms.items():
        tested = differences[measure]
        merged = table.merge(tested, left_on="arm", right_on="contrast")
        found["references"][measure] = table[table["arm"] == reference].to_dict("records")[0]
        found["arms"][measure] = merged.to_dict("records")
        rest = tested[~tested["contrast"].isin(table["arm"])]
        found["factors"][measure] = rest.to_dict("records")
    return found


def _figures(arms: dict[str, pd.DataFrame]) -> dict[str, dict]:
    """Give each arm's mean and spread by measure, for DVC to show and compare."""
    found: dict[str, dict] = {}
    for measure, table in arms.items():
        for row in table.to_dict("records"):
            figures = {"mean": row["mean"], "spread": row["spread"]}
            found.setdefault(row["arm"], {})[measure] = figures
    return found


def _reference_first(runs: pd.DataFrame, reference: str) -> pd.DataFrame:
    is_reference = runs["arm"] == reference
    return pd.concat([runs[is_reference], runs[~is_reference]])


def _stacked(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, names=["measure"]).reset_index("measure")


if __name__ == "__main__":
    main()
