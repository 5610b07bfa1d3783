"""Compare the models with each other and with what needs no model, on Testing."""

import argparse
from pathlib import Path

from brain_mri import params
from brain_mri.assessment.answers import Answers, Images, recommend, settle
from brain_mri.assessment.baselines import baselines, require_other_names, shortcuts_in
from brain_mri.assessment.comparison import compare, said
from brain_mri.assessment.tables import headline, tables
from brain_mri.console import stage
from brain_mri.data.dataset import read_manifest
from brain_mri.storage import read_images, require_same_size, write_json, write_table


def main() -> None:
    """Read what the models answered; write every figure, pair, interval and reliability bin."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("training", "validation", "testing"):
        parser.add_argument(f"--{name}", required=True, type=Path, help="folder of the image set")
    parser.add_argument("--manifest", required=True, type=Path, help="of the audit")
    parser.add_argument("--reports", required=True, type=Path, help="folder to read and write")
    arguments = parser.parse_args()

    with stage("compare") as done:
        parameters, reports = params.load(), arguments.reports
        classes, settings = parameters.classes, parameters.compare
        require_other_names(parameters.models)
        folders = arguments.training, arguments.validation, arguments.testing
        training, validation, testing = sets = [read_images(path, classes) for path in folders]
        require_same_size(sets)
        manifest, healthy = read_manifest(arguments.manifest), parameters.healthy_class
        known, images = (Images.of(part.index, classes, healthy) for part in sets[1:])
        how = settings.model_dump(include={"temperature_scaling", "target_sensitivity"})
        seen, models = {}, {}
        for name in parameters.models:
            answers = Answers.read(reports / f"validation/{name}.csv", classes, validation.index)
            seen[name] = settle(known, answers, **how)
            answers = Answers.read(reports / f"predictions/{name}.csv", classes, testing.index)
            models[name] = answers.as_settled(seen[name])
        found = {"recommended": recommend(known, seen)} | compare(
            images,
            models,
            baselines(training, testing, manifest, classes, parameters.seed),
            **settings.model_dump(exclude={"temperature_scaling"}),
            seed=parameters.seed,
        )
        found["header_tells_tumour"], shift = shortcuts_in(
            sets, manifest, classes, healthy, settings.resamples, parameters.seed
        )
        write_json(reports / "comparison/figures.json", found)
        write_table(reports / "comparison/shift.csv", shift)
        for name, table in tables(found, images, models, settings.bins).items():
            write_table(reports / f"comparison/{name}.csv", table)
        write_json(reports / "comparison.json", headline(found))
        done(said(found))


if __name__ == "__main__":
    main()
